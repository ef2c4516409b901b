"""Signed manifests: whole or not, trusted or not."""

import http.server
import io
import pathlib
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from PIL import Image

from fakefacecli.base.errors import UsageError
from fakefacecli.base.evidence import Provenance
from fakefacecli.base.verdicts import Claim, Integrity, ProvenanceKind, Trust
from fakefacecli.evidence.c2pa import has_manifest, read_credentials, read_trust_list
from fakefacecli.evidence.provenance import read_lists, read_provenance
from fakefacecli.evidence.structure import jpeg_segments
from tests import bad_files, signing

MIME = {
    **{"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff"},
    **{"GIF": "image/gif", "AVIF": "image/avif"},
}
AI, CAMERA = ProvenanceKind.AI_DECLARED, ProvenanceKind.CAMERA_DECLARED


def picture(kind: str = "JPEG") -> bytes:
    return bad_files.saved(bad_files.picture(), kind)


def trust(tmp_path: pathlib.Path, *organisations: str) -> str:
    path = tmp_path / "trusted.pem"
    path.write_bytes(b"".join(signing.signer_of(name).root for name in organisations))
    return str(path)


def claim(data: bytes, trust_list: str | None = None) -> Provenance:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return read_provenance(image, data, read_lists(trust_list))


@pytest.mark.parametrize("kind", MIME)
def test_a_sound_manifest_of_a_stranger_is_valid_and_untrusted(kind: str) -> None:
    said = signing.manifest(agent="GPT-4o")
    signed = signing.sign(picture(kind), MIME[kind], said, signing.signer_of("OpenAI"))
    found = claim(signed)
    assert (found.kind, found.claim, found.generator) == (AI, Claim.GENERATED, "GPT-4o")
    assert (found.c2pa, found.trust, found.signer) == (
        Integrity.VALID,
        Trust.UNTRUSTED,
        "OpenAI",
    )
    assert "as it claims, not trusted" in found.detail


@pytest.mark.parametrize("kind", MIME)
def test_the_same_manifest_is_trusted_where_its_signer_is_on_the_list(
    kind: str, tmp_path: pathlib.Path
) -> None:
    signed = signing.sign(picture(kind), MIME[kind], signer=signing.signer_of("OpenAI"))
    known = claim(signed, trust(tmp_path, "Someone Else", "OpenAI"))
    assert (known.c2pa, known.trust) == (Integrity.VALID, Trust.TRUSTED)
    assert "on the trust list" in known.detail


def test_a_list_without_the_signer_trusts_nobody(tmp_path: pathlib.Path) -> None:
    signed = signing.sign(picture(), "image/jpeg", signer=signing.signer_of("OpenAI"))
    found = claim(signed, trust(tmp_path, "Someone Else"))
    assert (found.c2pa, found.trust) == (Integrity.VALID, Trust.UNTRUSTED)


def changed(data: bytes, what: bytes, by: bytes) -> bytes:
    at = data.index(what)
    return data[:at] + by + data[at + len(by) :]


@pytest.mark.parametrize("kind", MIME)
def test_a_picture_that_was_changed_after_signing_is_invalid(
    kind: str, tmp_path: pathlib.Path
) -> None:
    signed = signing.sign(picture(kind), MIME[kind], signer=signing.signer_of("OpenAI"))
    if kind == "PNG":  # its checksums tell of changed pixels, but not of one chunk more
        tampered = signed[:33] + bad_files.png((b"tEXt", b"Title\0Other"))[8:] + signed[33:]
    else:
        place = {"WEBP": 40, "TIFF": 60, "GIF": 20}.get(kind, len(signed) - 40)
        tampered = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
    found = claim(tampered, trust(tmp_path, "OpenAI"))
    assert (found.kind, found.c2pa) == (ProvenanceKind.INVALID, Integrity.INVALID)
    assert (found.claim, found.trust) == (Claim.GENERATED, Trust.UNTRUSTED)
    assert "does not fit the file" in found.detail
    assert "it says trainedAlgorithmicMedia" in found.detail


def test_a_manifest_that_was_changed_is_invalid_and_makes_no_camera() -> None:
    said = signing.manifest("digitalCapture", "Camera 1")
    signed = signing.sign(picture(), "image/jpeg", said)
    assert claim(signed).kind is CAMERA
    found = claim(changed(signed, b"digitalCapture", b"DigitalCapture"))
    assert (found.kind, found.c2pa) == (ProvenanceKind.INVALID, Integrity.INVALID)


def test_a_manifest_that_cannot_be_read_is_invalid() -> None:
    signed = signing.sign(picture(), "image/jpeg")
    for at in (30, 60):
        place = signed.index(b"jumb") + at
        broken = signed[:place] + bytes([signed[place] ^ 0xFF]) + signed[place + 1 :]
        assert claim(broken).c2pa is Integrity.INVALID


def test_a_manifest_taken_to_another_picture_is_invalid() -> None:
    signed = signing.sign(picture(), "image/jpeg")
    other = bad_files.saved(Image.new("RGB", (64, 48), "red"), "JPEG")
    parts = [signed[start:end] for kind, start, end in jpeg_segments(signed) if kind == 0xEB]
    found = claim(other[:2] + b"".join(parts) + other[2:])
    assert (found.kind, found.c2pa) == (ProvenanceKind.INVALID, Integrity.INVALID)


def test_other_metadata_that_declare_ai_still_count_beside_an_invalid_manifest() -> None:
    block = bad_files.exif(Software="Midjourney")
    signed = signing.sign(bad_files.saved(bad_files.picture(), "JPEG", exif=block), "image/jpeg")
    found = claim(changed(signed, b"trainedAlgorithmicMedia", b"Trained"))
    assert (found.kind, found.c2pa, found.generator) == (AI, Integrity.INVALID, "Midjourney")


@pytest.mark.parametrize(
    ("source_type", "kind", "said"),
    [
        ("trainedAlgorithmicMedia", AI, Claim.GENERATED),
        ("compositeWithTrainedAlgorithmicMedia", AI, Claim.COMPOSITE),
        ("digitalCapture", CAMERA, Claim.CAPTURED),
        ("negativeFilm", ProvenanceKind.NONE, None),
    ],
)
def test_each_source_type_has_its_claim(
    source_type: str, kind: ProvenanceKind, said: Claim | None
) -> None:
    signed = signing.sign(picture(), "image/jpeg", signing.manifest(source_type))
    found = claim(signed)
    assert (found.kind, found.claim, found.c2pa) == (kind, said, Integrity.VALID)


def test_a_manifest_without_a_telling_source_type_is_read_by_the_names_in_it() -> None:
    for said in (
        signing.manifest("digitalArt", agent="Adobe Firefly"),
        signing.manifest("digitalArt", description="AI Generated Image"),
    ):
        found = claim(signing.sign(picture(), "image/jpeg", said))
        assert (found.kind, found.claim, found.c2pa) == (AI, Claim.GENERATED, Integrity.VALID)
    plain = signing.manifest(
        "digitalArt", agent="Paint 3", description="A picture of OpenAI's office"
    )
    assert claim(signing.sign(picture(), "image/jpeg", plain)).kind is ProvenanceKind.NONE


def test_an_edited_copy_of_a_generated_picture_is_generated_too() -> None:
    first = signing.sign(picture(), "image/jpeg", signing.manifest(agent="Generator"))
    said = {"claim_generator_info": [{"name": "Editor"}], "title": "copy", "assertions": []}
    signed = signing.sign(first, "image/jpeg", said, edited=True)
    found = claim(signed)
    assert (found.kind, found.claim, found.c2pa) == (AI, Claim.GENERATED, Integrity.VALID)


def test_a_soft_binding_is_told() -> None:
    binding = {
        "label": "c2pa.soft-binding",
        "data": {
            "alg": "com.google.synthid",
            "blocks": [{"scope": {}, "value": "c3ludGhpZA=="}],
        },
    }
    signed = signing.sign(
        picture(), "image/jpeg", signing.manifest("screenCapture", more=(binding,))
    )
    found = claim(signed)
    assert found.c2pa is Integrity.VALID
    assert (found.kind, found.claim) == (AI, Claim.GENERATED)
    assert "soft binding com.google.synthid" in found.detail


@pytest.mark.parametrize("kind", MIME)
def test_words_in_pixels_and_behind_the_file_are_no_manifest(kind: str) -> None:
    words = b"jumbc2pa trainedAlgorithmicMedia claim_generator OpenAI"
    plain = picture(kind)
    assert not has_manifest(plain + words, kind)
    found = claim(plain + words)
    assert (found.kind, found.c2pa) == (ProvenanceKind.NONE, Integrity.NONE)


def test_what_else_lies_in_the_place_of_a_manifest_is_none() -> None:
    # a residual codestream box, as JPEG XT (ISO/IEC 18477-3) keeps it in APP11
    box = (16).to_bytes(4, "big") + b"RESI" + bytes(8)
    body = b"JP\0\1\0\0\0\1" + box
    segment = b"\xff\xeb" + (len(body) + 2).to_bytes(2, "big") + body
    plain = picture()
    found = claim(plain[:2] + segment + plain[2:])
    assert (found.kind, found.c2pa) == (ProvenanceKind.NONE, Integrity.NONE)


def test_no_change_of_bytes_makes_it_raise_or_believe() -> None:
    signed = signing.sign(picture("PNG"), "image/png", signer=signing.signer_of("OpenAI"))
    start = signed.index(b"caBX")
    trusted = 0
    for at in range(start, start + 2000, 37):
        for data in (signed[:at], signed[:at] + b"\xff" + signed[at + 1 :]):
            found = read_credentials(data, "PNG")
            trusted += found.trust is Trust.TRUSTED
    assert trusted == 0


def test_what_is_no_trust_list_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"
    )
    with pytest.raises(UsageError, match=r"a\.txt: no certificates"):
        read_trust_list(str(tmp_path / "a.txt"))
    with pytest.raises(UsageError, match=r"missing\.pem: no such file"):
        read_trust_list(str(tmp_path / "missing.pem"))
    listed = read_trust_list(trust(tmp_path, "One", "Two"))
    assert listed.certificates == 2


OPENSSL_CONF = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_digest = sha256
digests = sha256
default_policy = 1.2.3.4
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@pytest.fixture
def stamper(tmp_path: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """A time stamping authority on loopback: its address and its root certificate."""
    authority = signing.make_signer("Stamps", use=ExtendedKeyUsageOID.TIME_STAMPING)
    leaf, _, root = authority.chain.partition(b"-----END CERTIFICATE-----\n")
    (tmp_path / "tsa.pem").write_bytes(leaf + b"-----END CERTIFICATE-----\n")
    (tmp_path / "root.pem").write_bytes(root)
    (tmp_path / "tsa.key").write_bytes(authority.key)
    (tmp_path / "tsa.cnf").write_text(OPENSSL_CONF.format(folder=tmp_path))
    (tmp_path / "serial").write_text("01\n")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = tmp_path / "query.tsq"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            made = subprocess.run(
                [
                    *("openssl", "ts", "-reply", "-config", str(tmp_path / "tsa.cnf")),
                    *("-queryfile", str(query), "-signer", str(tmp_path / "tsa.pem")),
                    *("-inkey", str(tmp_path / "tsa.key"), "-chain", str(tmp_path / "root.pem")),
                ],
                capture_output=True,
                check=True,
            )
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(made.stdout)))
            self.end_headers()
            self.wfile.write(made.stdout)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", authority.root
        server.shutdown()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the time stamps")
def test_a_certificate_that_has_expired_since_is_no_error_with_a_time_stamp(
    stamper: tuple[str, bytes], tmp_path: pathlib.Path
) -> None:
    address, root = stamper
    signer = signing.make_signer("Short Lived", valid_s=4)
    signed = signing.sign(picture(), "image/jpeg", signer=signer, stamped_by=address)
    bare = signing.sign(picture(), "image/jpeg", signer=signer)
    time.sleep(5)
    listed = tmp_path / "trusted.pem"
    listed.write_bytes(signer.root + root)
    found = claim(signed, str(listed))
    assert (found.c2pa, found.trust, found.kind) == (Integrity.VALID, Trust.TRUSTED, AI)
    # without a stamp nobody knows when it was signed: whole, but not to be trusted
    alone = claim(bare, str(listed))
    assert (alone.c2pa, alone.trust, alone.kind) == (Integrity.VALID, Trust.UNTRUSTED, AI)
