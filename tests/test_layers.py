"""A package imports only from those below it, and nothing heavy while it is imported itself."""

import ast
import pathlib
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
from importlinter.cli import lint_imports

from tests.builders import ROOT

HEAVY = {
    "torch",
    "torchvision",
    "facenet_pytorch",
    "pytorch_grad_cam",
    "safetensors",
    "cv2",
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
    "jinja2",
}
MODULES = sorted((ROOT / "fakefacecli").rglob("*.py"))


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


def test_the_contracts_between_packages_hold(capsys: pytest.CaptureFixture[str]) -> None:
    config = str(ROOT / "pyproject.toml")  # [tool.importlinter] has the layers
    code = lint_imports(config_filename=config, no_cache=True, no_logo=True)
    assert code == 0, capsys.readouterr().out


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


def test_what_is_imported_is_installed_with_fakeface_or_with_an_extra() -> None:
    """The developers' extra does not count: who installs fakeface alone has none of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *extras["heif"],
        *extras["umap"],
        *extras["pdq"],
        *extras["ray"],
        *extras["ui"],
    ]
    declared = {plain(re.split(r"[\[<>=]", line)[0]) for line in wanted} | {
        "scipy"
    }  # scikit-learn's
    brings = packages_distributions()
    found = {
        name.split(".")[0] for path in MODULES for name in imports(ast.parse(path.read_text()))
    }
    others = found - set(sys.stdlib_module_names) - {"fakefacecli"}
    assert {"torch", "PIL", "psutil"} <= others
    missing = {
        name for name in others if not {plain(d) for d in brings.get(name, [name])} & declared
    }
    assert missing == set()


def plain(distribution: str) -> str:
    return distribution.lower().replace("_", "-")
