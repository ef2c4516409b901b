"""What a scan need not wait for when it starts.

torchvision, timm and facenet-pytorch import torch's compiler, which nobody here uses, only to ask
one question of it later and to name a function that it must leave alone. It takes 0.9 s of the 5
that a scan of one photograph takes, as much as torch itself. Networks draw random numbers for
weights that are read from a file right after.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_COMPILER = "torch._dynamo"
_UTILS = f"{_COMPILER}.utils"
# how weights are drawn: torch.Tensor's methods that give numbers to a tensor in place
_FILLING = ("uniform_", "normal_", "erfinv_", "mul_", "add_", "clamp_", "zero_", "fill_")


class _Placeholder(ModuleType):
    """A module that is imported once somebody asks it for more than it `knows`."""

    def __init__(self, name: str, **knows: Callable[..., Any]) -> None:
        super().__init__(name)
        self.__dict__.update(knows)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system looks for
            raise AttributeError(name)
        _take_away()
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def without_compiler() -> Iterator[None]:
    """Inside, what is imported finds placeholders where torch's compiler would be.

    Afterwards the compiler can be imported as ever. Where it is there already nothing changes.
    """
    if _COMPILER in sys.modules or _UTILS in sys.modules:
        yield
        return
    utils = _Placeholder(_UTILS, is_compile_supported=_is_compile_supported)
    sys.modules[_UTILS] = utils
    sys.modules[_COMPILER] = _Placeholder(_COMPILER, disable=_disable)
    try:
        yield
    finally:
        _take_away()


def without_numbers() -> contextlib.AbstractContextManager[Any]:
    """Inside, tensors without memory (torch's device "meta") are not filled with numbers.

    torch does some of the steps in Python for them, and to do these imports a library for algebra.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    filling = {getattr(torch.Tensor, name) for name in _FILLING}

    class WithoutNumbers(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            named = kwargs or {}
            if func in filling or getattr(func, "__module__", "") == torch.nn.init.__name__:
                tensor = args[0] if args else named.get("tensor")
                if isinstance(tensor, torch.Tensor) and tensor.is_meta:
                    return tensor
            return func(*args, **named)

    mode: contextlib.AbstractContextManager[Any] = WithoutNumbers()
    return mode


def _take_away() -> None:
    for name in (_COMPILER, _UTILS):
        if isinstance(sys.modules.get(name), _Placeholder):
            del sys.modules[name]


def _disable(function: F, *_: Any, **__: Any) -> F:
    # nothing that is imported here is ever compiled
    return function


def _is_compile_supported(kind: str) -> bool:
    return bool(importlib.import_module(_UTILS).is_compile_supported(kind))
