"""fakeface: find the faces in a folder of images that were made by a machine."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("fakefacecli")
except PackageNotFoundError:  # a source tree on sys.path that was never installed
    __version__ = "0+unknown"
