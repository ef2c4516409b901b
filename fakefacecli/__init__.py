"""fakeface: find the faces in a folder of images that were made by a machine."""


def __getattr__(name: str) -> str:
    """`__version__`, looked up when asked for.

    The import would take longer than all before it, and until then Ctrl-C shows a traceback.
    """
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("fakefacecli")
    except PackageNotFoundError:  # a source tree on sys.path that was never installed
        return "0+unknown"
