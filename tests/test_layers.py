"""A module imports only from a lower level, and nothing heavy while it is imported itself."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

from tests.builders import ROOT

LEVELS = {
    "": 0,
    "errors": 0,
    "records": 0,
    "verdicts": 0,
    "text": 0,
    "files": 0,
    "lock": 0,
    "child": 0,
    "options": 0,
    "protocols": 1,
    "models": 2,
    "stages": 3,
    "pipeline": 4,
    "learn": 4,
    "targets": 4,
    "build": 5,
    "output": 5,
    "judging": 5,
    "run": 5,
    "demo_loop": 5,
    "bench_parts": 5,
    "bench": 5,
    "cli": 6,
    "__main__": 7,
}
HEAVY = {
    *("torch", "torchvision", "facenet_pytorch", "pytorch_grad_cam", "safetensors", "cv2"),
    *(
        "pandas",
        "ray",
        "gradio",
        "tqdm",
        "matplotlib",
        "sklearn",
        "scipy",
        "umap",
        "pyarrow",
        "imagehash",
        "timm",
    ),
}
MODULES = sorted((ROOT / "fakefacecli").rglob("*.py"))


def level(module: str) -> int:
    parts = module.split(".")
    return LEVELS[parts[1] if len(parts) > 1 else ""]


def name_of(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if base == "fakefacecli")


def at_import_time(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements run when the module is imported, type-checking blocks left out."""
    for node in tree.body:
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not typing_only and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_from_its_level_or_below(path: pathlib.Path) -> None:
    own = level(name_of(path))
    for imported in imports(ast.parse(path.read_text())):
        if imported.split(".")[0] == "fakefacecli" and imported != "fakefacecli.__version__":
            assert level(imported) <= own, f"{imported} is above {name_of(path)}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_nothing_heavy_by_itself(path: pathlib.Path) -> None:
    for statement in at_import_time(ast.parse(path.read_text())):
        for imported in imports(statement):
            assert imported.split(".")[0] not in HEAVY, f"{name_of(path)} imports {imported}"


@pytest.mark.parametrize("path", [p for p in MODULES if "/cli/" not in str(p)], ids=name_of)
def test_only_the_command_line_prints_and_exits(path: pathlib.Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not called & {"print", "sys.exit", "exit", "quit"}
    assert not {name.split(".")[0] for name in imports(tree)} & {"typer", "rich", "click"}
