"""What files say about their origin."""

import io
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from fakefacecli.base.evidence import Provenance
from fakefacecli.base.verdicts import Claim, Integrity, ProvenanceKind
from fakefacecli.evidence.provenance import DETAIL_CHARS, read_provenance
from tests import bad_files

AI, CAMERA = ProvenanceKind.AI_DECLARED, ProvenanceKind.CAMERA_DECLARED
NONE, INVALID = ProvenanceKind.NONE, ProvenanceKind.INVALID
TERM = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED = b"trainedAlgorithmicMedia"


def claim(data: bytes) -> Provenance:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return read_provenance(image, data)


def told(
    kind: ProvenanceKind, detail: str = "", said: Claim | None = None, generator: str = ""
) -> Provenance:
    """What a file without a manifest says."""
    return Provenance(kind, detail, said, generator, Integrity.NONE)


def made(kind: str = "JPEG", **how: Any) -> bytes:
    return bad_files.saved(bad_files.picture(), kind, **how)


SPACES = (
    'xmlns:x="adobe:ns:meta/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
)


def packet(form: str) -> bytes:
    """An XMP packet whose description has this attribute or, in angle brackets, this content."""
    inside = (f">{form}</rdf:Description>") if form.startswith("<") else f" {form}/>"
    rdf = f"<rdf:RDF><rdf:Description rdf:about=''{inside}</rdf:RDF>"
    head, tail = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>', '<?xpacket end="w"?>'
    return f"{head}<x:xmpmeta {SPACES}>{rdf}</x:xmpmeta>{tail}".encode()


def xmp(term: str, form: str = 'Iptc4xmpExt:DigitalSourceType="{}"') -> bytes:
    return packet(form.format(TERM + term))


def text(**chunks: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, value in chunks.items():
        info.add_text(key, value)
    return made("PNG", pnginfo=info)


def comment(value: bytes) -> bytes:
    block = Image.Exif()
    block.get_ifd(0x8769)[0x9286] = value
    return block.tobytes()


def test_a_plain_picture_claims_nothing() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        assert claim(made(kind)) == told(NONE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    "form",
    [
        'Iptc4xmpExt:DigitalSourceType="{}"',
        "<Iptc4xmpExt:DigitalSourceType>{}</Iptc4xmpExt:DigitalSourceType>",
        "<Iptc4xmpExt:DigitalSourceType rdf:resource='{}'/>",
    ],
)
def test_an_iptc_term_in_xmp_is_found(kind: str, form: str) -> None:
    block = xmp("trainedAlgorithmicMedia", form)
    how: dict[str, Any] = {"xmp": block}
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", block.decode())
        how = {"pnginfo": info}
    if kind == "TIFF":
        how = {"tiffinfo": {700: block}}
    found = claim(made(kind, **how))
    assert found == told(AI, "XMP DigitalSourceType trainedAlgorithmicMedia", Claim.GENERATED)


@pytest.mark.parametrize(
    ("term", "kind"),
    [
        ("compositeWithTrainedAlgorithmicMedia", AI),
        ("algorithmicMedia", AI),
        ("digitalCapture", CAMERA),
        ("negativeFilm", NONE),
        ("trainedAlgorithmicMediaNot", NONE),
    ],
)
def test_each_term_has_its_kind(term: str, kind: ProvenanceKind) -> None:
    assert claim(made(xmp=xmp(term))).kind is kind


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ({"parameters": "a face\nSteps: 20, Sampler: Euler a"}, AI),
        ({"parameters": "ISO 100"}, NONE),
        ({"prompt": '{"3": {"class_type": "KSampler"}}'}, AI),
        ({"prompt": "please rotate"}, NONE),
        ({"workflow": '{"nodes": []}'}, AI),
        ({"invokeai_metadata": "{}"}, AI),
        ({"Software": "NovelAI"}, AI),
        ({"Software": "GIMP 3.0"}, NONE),
        ({"Description": "portrait, midjourney v6"}, AI),
    ],
)
def test_png_texts_of_generators_are_known(chunks: dict[str, str], kind: ProvenanceKind) -> None:
    assert claim(text(**chunks)).kind is kind


@pytest.mark.parametrize(
    ("words", "generator"),
    [
        ("Midjourney", "Midjourney"),
        ("DALL-E 3", "DALL-E"),
        ("DALL\u00b7E 2", "DALL-E"),
        ("Adobe Firefly 1.0", "Adobe Firefly"),
        ("ChatGPT", "ChatGPT"),
        ("OpenAI", "OpenAI"),
        ("StyleGAN3", "StyleGAN"),
        ("Leonardo.Ai", "Leonardo.Ai"),
    ],
)
def test_a_field_that_names_the_program_names_the_generator(words: str, generator: str) -> None:
    found = claim(text(Software=f"Made by {words.upper()}"))
    assert (found.kind, found.claim, found.generator) == (AI, Claim.GENERATED, generator)
    assert found.detail.startswith("PNG text Software: ")


def test_a_generator_is_known_from_exif() -> None:
    found = claim(made(exif=bad_files.exif(Artist="midjourney v6")))
    assert found == told(AI, "EXIF Artist: midjourney", Claim.GENERATED, "Midjourney")


@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le", "utf-16-be"])
def test_a_web_ui_comment_is_found_in_exif(encoding: str) -> None:
    words = "a face\nSteps: 30, Sampler: DPM++ 2M, Seed: 1".encode(encoding)
    lead = b"ASCII\0\0\0" if encoding == "ascii" else b"UNICODE\0"
    assert claim(made(exif=comment(lead + words))).kind is AI


def test_a_camera_needs_make_and_model() -> None:
    both = claim(made(exif=bad_files.exif(Make="Canon", Model="EOS R5")))
    assert both == told(CAMERA, "EXIF Make Canon, Model EOS R5", Claim.CAPTURED)
    assert claim(made(exif=bad_files.exif(Make="Canon"))).kind is NONE
    assert claim(made(exif=bad_files.exif(Make="Canon", Model="  "))).kind is NONE


def test_ai_goes_before_camera() -> None:
    block = bad_files.exif(Make="Canon", Model="EOS R5")
    assert claim(made(exif=block, xmp=xmp("trainedAlgorithmicMedia"))).kind is AI


def test_generator_names_outside_the_metadata_do_not_count() -> None:
    assert claim(made() + b"Midjourney " + TERM.encode() + TRAINED).kind is NONE


def test_broken_exif_is_invalid_unless_something_else_speaks() -> None:
    found = claim(made(exif=b"Exif\0\0garbage!"))
    assert found == told(INVALID, "EXIF cannot be read")
    assert claim(made(exif=b"Exif\0\0garbage!", xmp=xmp("algorithmicMedia"))).kind is AI


def test_details_are_short_and_printable() -> None:
    found = claim(made(exif=bad_files.exif(Make="\x1b[31m" * 99 + "\n", Model="x" * 999)))
    assert found.kind is CAMERA
    assert len(found.detail) <= DETAIL_CHARS
    assert found.detail.isprintable()


def described(words: str) -> bytes:
    block = Image.Exif()
    block[0x010E] = words
    return block.tobytes()


GRAPH = '{"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}'
FLOW = '{"last_node_id": 9, "nodes": [{"id": 3, "type": "KSampler"}], "links": []}'


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "TIFF"])
@pytest.mark.parametrize(
    "tags",
    [
        {"Make": f"workflow:{FLOW}", "Model": f"prompt:{GRAPH}"},
        {"Make": f"Workflow: {FLOW}", "Model": "Prompt: {}"},
        {"Make": "Canon", "Model": f"prompt:{GRAPH}"},
        {"Artist": f"Workflow:{FLOW}", "Make": f"Prompt:{GRAPH}"},
        {"Make": "Midjourney", "Model": "v7"},
    ],
)
def test_what_comfyui_writes_into_exif_is_never_a_camera(kind: str, tags: dict[str, str]) -> None:
    assert claim(made(kind, exif=bad_files.exif(**tags))).kind is AI


def test_json_that_nobody_knows_is_no_camera_either() -> None:
    assert claim(made(exif=bad_files.exif(Make='{"a": 1}', Model="{}"))).kind is NONE


def test_a_comment_of_the_file_itself_is_read() -> None:
    assert claim(made(comment=f"prompt:{GRAPH}")).kind is AI
    assert claim(made("GIF", comment="a face\nSteps: 20, Sampler: Euler a")).kind is AI
    assert claim(made(comment="fakeface overlay")).kind is NONE


LABEL = '{"Label":"%s","ContentProducer":"001191110102MACQD9K64018705","ProduceID":"x"}'


@pytest.mark.parametrize(
    ("number", "means"),
    [("1", "generated"), ("2", "may be generated"), ("3", "suspected to be generated")],
)
@pytest.mark.parametrize(
    "form",
    [
        "<TC260:AIGC>{}</TC260:AIGC>",
        "TC260:AIGC='{}'",
        "TC260:AIGC='{quoted}'",
    ],
)
def test_the_label_of_chinese_law_is_a_declaration(form: str, number: str, means: str) -> None:
    label = LABEL % number
    words = form.replace("{quoted}", label.replace('"', "&quot;")).replace("{}", label)
    found = claim(made(xmp=packet(words)))
    producer = "001191110102MACQD9K64018705"
    assert found == told(AI, f"XMP has the TC260 label AIGC: {means}", Claim.GENERATED, producer)


def test_the_label_of_chinese_law_is_found_in_text_and_exif_too() -> None:
    label = LABEL % "1"
    assert claim(text(AIGC=label)).kind is AI
    block = b'ASCII\0\0\0{"AIGC":' + label.encode() + b"}"
    assert claim(made(exif=comment(block))).kind is AI
    assert claim(made(xmp=packet(f"TC260:AIGC='{LABEL % 0}'"))).kind is NONE
    assert claim(text(Title="On AIGC and how to label it")).kind is NONE


@pytest.mark.parametrize(
    ("caption", "kind"),
    [
        ("Sam Altman of OpenAI speaks at a hearing", NONE),
        ("The founders of Midjourney and Stability AI, London", NONE),
        ("A phone shows ChatGPT, Berlin 2025", NONE),
        ("OpenAI", NONE),
        ("A panel: ChatGPT, Midjourney, art, 2025", NONE),
        ("Created with Midjourney", AI),
        ("Image generated by OpenAI", AI),
        ("made with the help of DALL-E 3", AI),
        ("A StyleGAN-generated face", AI),
        ("DALL-E 3", AI),
        ("portrait, midjourney v6", AI),
    ],
)
def test_a_caption_counts_where_it_says_how_the_picture_was_made(
    caption: str, kind: ProvenanceKind
) -> None:
    assert claim(text(Description=caption)).kind is kind
    assert claim(made(exif=described(caption))).kind is kind
    assert claim(made(exif=comment(b"ASCII\0\0\0" + caption.encode()))).kind is kind
