"""How each part of `fakeface inspect` is to be read, and how not: a sentence for each."""

import os

HOW_TO_READ: dict[str, tuple[str, str]] = {
    "file": (
        "the hash names exactly these bytes: note it before you do anything else with the file.",
        "one changed byte gives another hash, so another hash does not mean another picture.",
    ),
    "layout": (
        "the parts in their order. Unknown parts, wrong checksums and bytes behind the end show "
        "that a program other than a plain encoder wrote to the file.",
        "phones, editors and sites add parts of their own; an odd part is no sign of a fake.",
    ),
    "jpeg": (
        "the quality is that of libjpeg whose table is nearest. A table that is not libjpeg's "
        "belongs to a camera, Photoshop or a site, and can be compared with files of that maker.",
        "it tells how the file was saved last, never who made the picture.",
    ),
    "recompression": (
        'a "yes" means that the same picture was saved before at a clearly lower quality, as sites '
        'and messengers do. In a test "yes" came for all of 79 pictures saved at 70 and then at '
        "90, and for none of them saved once, at 75, 80, 85, 90, 95 or 98.",
        "saving again is no sign of a fake. The hint is blind where the first quality was higher "
        "or nearly the same, and where the picture was cut or resized in between; smoothed "
        "pictures of quality 75 give 1 false alarm in 79.",
    ),
    "metadata": (
        "what programs and cameras wrote beside the pixels: look for values that contradict each "
        "other, such as two programs, or dates in the wrong order.",
        "all of it is easily changed or removed; neither its presence nor its absence is proof.",
    ),
    "provenance": (
        "the file's own claim on where it comes from, as a scan's report has it.",
        "a claim is not proof, and most pictures, made by machines or not, have none.",
    ),
    "c2pa": (
        "who signed the file, and which steps the signer declares; the validation status says "
        "whether the file was changed since. Here no signer counts as trusted.",
        "a valid signature shows who says it, not that it is true; without one nothing is said.",
    ),
}

_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "HEIF": (".heic", ".heif", ".hif"),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx", ".j2c"),
    "TGA": (".tga",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}


def wrong_suffix(path: str, container: str | None) -> str:
    """The suffix of `path` where it is not one of `container`'s; "" where it is, or is missing."""
    suffix = os.path.splitext(path)[1]
    fits = _SUFFIXES.get(container or "", ())
    return suffix if fits and suffix and suffix.lower() not in fits else ""
