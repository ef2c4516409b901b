"""The mark in an overlay's own metadata, by which it is known again as one of ours."""

from typing import IO, Any

from PIL import Image, PngImagePlugin

_MARK = "fakeface overlay"
# as Pillow writes them: a JPEG's COM segment (ITU-T T.81, B.2.4.5), behind the 20 bytes of SOI and
# JFIF; a PNG's tEXt chunk (W3C PNG, 11.3.3.2), behind the 33 bytes of signature and IHDR
_JPEG = b"\xff\xfe" + (len(_MARK) + 2).to_bytes(2, "big") + _MARK.encode()
_PNG = (len("Comment\0" + _MARK)).to_bytes(4, "big") + b"tEXtComment\0" + _MARK.encode()
_BEGINNINGS = {b"\xff\xd8\xff\xe0": (20, _JPEG), b"\x89PNG\r\n\x1a\n": (33, _PNG)}


def save_marked(picture: Image.Image, handle: IO[Any], format_name: str, quality: int = 90) -> None:
    """Write an overlay as JPEG or PNG, with its mark; `quality` is the JPEG's, 1 to 100."""
    if format_name == "JPEG":
        # without chroma subsampling red text stays sharp
        picture.save(handle, "JPEG", quality=quality, subsampling=0, comment=_MARK)
        return
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", _MARK)
    picture.save(handle, "PNG", pnginfo=text)


def is_marked(path: str) -> bool:
    """Whether the file at `path` is an overlay that `save_marked` wrote; OSError if unreadable."""
    with open(path, "rb") as handle:
        start = handle.read(256)
    return any(
        start.startswith(beginning) and start.startswith(mark, place)
        for beginning, (place, mark) in _BEGINNINGS.items()
    )
