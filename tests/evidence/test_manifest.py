"""C2PA manifests that c2pa-python signs come back as a bounded tree."""

import datetime
import io
import json
from typing import Any

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fakefacecli.evidence.manifest import DEEPEST, LONGEST_TEXT, bounded, read_manifests
from tests.bad_files import picture, saved

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def signed(kind: str) -> bytes:
    """A picture with a manifest, signed with a certificate made for it."""
    certificates, key = _certificates()
    info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, certificates, key, None)
    made = {"action": "c2pa.created", "digitalSourceType": SOURCE}
    said = {
        "claim_generator_info": [{"name": "a test of ours", "version": "1"}],
        "title": "drawn\x1b[31m",
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [made]}}],
    }
    out = io.BytesIO()
    with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(said)) as builder:
        builder.sign(signer, TYPES[kind], io.BytesIO(saved(picture(), kind)), out)
    return out.getvalue()


def _certificates() -> tuple[bytes, bytes]:
    """A leaf as the specification wants it, with the root that signed it, and the leaf's key."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("root", root_key, "root", root_key)
    leaf = _certificate("leaf", key, "root", root_key)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return leaf.public_bytes(pem) + root.public_bytes(pem), private


def _certificate(name: str, key: Any, issuer: str, issuer_key: Any) -> x509.Certificate:
    def named(words: str) -> x509.Name:
        organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test")
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words), organisation])

    is_root = name == issuer
    now = datetime.datetime.now(datetime.UTC)
    usage = {
        **dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment"), False),
        **dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False),
    }
    used = x509.KeyUsage(
        digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, **usage
    )
    public = issuer_key.public_key()
    builder = (
        x509.CertificateBuilder(named(issuer), named(name), key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(is_root, None), critical=True)
        .add_extension(used, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not is_root:
        eku = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(eku, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.mark.parametrize("kind", TYPES)
def test_a_signed_manifest_comes_back_as_a_tree(kind: str) -> None:
    tree = read_manifests(signed(kind), kind)
    assert isinstance(tree, dict)
    manifest = tree["manifests"][tree["active_manifest"]]  # type: ignore[index,call-overload]
    assert manifest["claim_generator_info"][0]["name"] == "a test of ours"  # type: ignore
    assert "validation_results" in tree


def test_a_file_without_a_manifest_has_no_tree() -> None:
    assert read_manifests(saved(picture(), "JPEG"), "JPEG") is None
    assert read_manifests(saved(picture(), "JPEG", comment=b"c2pa"), "JPEG") is None
    assert read_manifests(b"c2pa", None) is None


def test_a_tree_is_bounded_in_depth_in_number_and_in_length() -> None:
    deep: object = "end"
    for _ in range(DEEPEST + 5):
        deep = {"in": deep}
    assert "end" not in json.dumps(bounded(deep))
    assert len(json.dumps(bounded([[{"a": 1}] * 199] * 10_000))) < 100_000
    assert bounded([1] * 201) == [*[1] * 200, "... (201 of them, the rest is left out)"]
    cut = bounded("x" * (LONGEST_TEXT + 1))
    assert cut == "x" * LONGEST_TEXT + f"... ({LONGEST_TEXT + 1:,} characters)"
