"""Starting Python processes of our own that end together with the process that started them."""

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1


def interpreter(code: str, *arguments: str) -> list[str]:
    """The command of a fresh interpreter that imports from where this one does and runs `code`.

    `code` finds `arguments` in sys.argv[1:].
    """
    # not multiprocessing: it would import the program's main module again
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    # the current folder may be full of untrusted files, so nothing is imported from it: -I leaves
    # it out, and relative entries, which could name it, are left out here
    paths = [path for path in sys.path if os.path.isabs(path)]
    options = ["-X", f"utf8={sys.flags.utf8_mode}"]  # as here: file names must decode alike
    if sys.dont_write_bytecode:
        options.append("-B")
    places = f"import sys; sys.path[:0] = {[root]!a}; sys.path += {paths!a}\n"
    return [sys.executable, "-I", *options, "-c", places + code, *arguments]


def die_with(parent: int) -> None:
    """End with the process `parent`, also when it is killed while this one is busy."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before it could be watched
        os._exit(1)


# without prctl: a process whose parent has ended gets another one
def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
