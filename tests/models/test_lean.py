"""Imports without torch's compiler. In processes of their own: what is imported stays."""

import subprocess
import sys

START = "import sys, torch; from fakefacecli.models.lean import without_compiler\n"


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", START + code], check=True, timeout=120)


def test_libraries_are_imported_without_the_compiler_which_works_afterwards() -> None:
    run("""
with without_compiler():
    import facenet_pytorch, timm, torchvision
assert "torch._dynamo" not in sys.modules and "sympy" not in sys.modules
assert "torch._dynamo.utils" not in sys.modules
double = torch.compile(lambda x: 2 * x, backend="eager")
assert double(torch.ones(2)).tolist() == [2, 2]
assert hasattr(sys.modules["torch._dynamo"], "convert_frame")
""")


def test_whoever_asks_the_placeholder_for_more_gets_the_compiler() -> None:
    run("""
with without_compiler():
    from torch._dynamo.utils import counters, is_compile_supported
    import torch._dynamo
    assert torch._dynamo.config.cache_size_limit > 0
    assert sys.modules["torch._dynamo.utils"].counters is counters
assert sys.modules["torch._dynamo"].__file__ and torch._dynamo.utils.counters is counters
""")


def test_the_question_of_torchvision_has_torchs_answer() -> None:
    run("""
with without_compiler():
    from torch._dynamo.utils import is_compile_supported as asked
from torch._dynamo.utils import is_compile_supported
assert asked is not is_compile_supported
assert asked("cpu") == is_compile_supported("cpu")
""")


def test_a_compiler_that_is_there_stays() -> None:
    run("""
import torch._dynamo
there = sys.modules["torch._dynamo"]
with without_compiler():
    import torchvision
    assert sys.modules["torch._dynamo"] is there
assert sys.modules["torch._dynamo"] is there
""")
