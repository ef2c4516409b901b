"""Pictures signed for real by c2pa-python, with certificates made here."""

import datetime
import functools
import io
import json
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TERM = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate with the root that signed it, its key, and the root alone; all PEM."""

    chain: bytes
    key: bytes
    root: bytes


def _name(common: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, signs: bool, certifies: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certifies,
        crl_sign=certifies,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    keys: tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePrivateKey],
    valid_s: float,
    *,
    root: bool,
    use: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
) -> x509.Certificate:
    own, issuing = keys
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(seconds=valid_s))
        .add_extension(x509.BasicConstraints(root, None), critical=True)
        .add_extension(_usage(signs=not root, certifies=root), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)
    )
    if not root:
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.public_key())
        critical = use == ExtendedKeyUsageOID.TIME_STAMPING  # RFC 3161 wants that
        made = made.add_extension(x509.ExtendedKeyUsage([use]), critical)
        made = made.add_extension(issuer_id, critical=False)
    return made.sign(issuing, hashes.SHA256())


def make_signer(
    organisation: str,
    valid_s: float = 86_400,
    use: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
) -> Signer:
    """A root of its own and a certificate of `organisation` below it, valid for `valid_s`."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    above = _name("Test Root", "Test Authority")
    root = _certificate(above, above, (root_key, root_key), 10 * 86_400, root=True)
    leaf = _certificate(
        _name(f"{organisation} signing", organisation),
        above,
        (key, root_key),
        valid_s,
        root=False,
        use=use,
    )
    pem = [made.public_bytes(serialization.Encoding.PEM) for made in (leaf, root)]
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Signer(b"".join(pem), private, pem[1])


@functools.cache
def signer_of(organisation: str) -> Signer:
    """The same signer each time."""
    return make_signer(organisation)


def manifest(
    source_type: str = "trainedAlgorithmicMedia",
    agent: str = "Test Generator",
    more: tuple[dict[str, Any], ...] = (),
    description: str = "",
) -> dict[str, Any]:
    """A manifest of one action."""
    did = {
        "action": "c2pa.created",
        "softwareAgent": {"name": agent},
        "digitalSourceType": TERM + source_type,
        **({"description": description} if description else {}),
    }
    return {
        "claim_generator_info": [{"name": "test", "version": "1"}],
        "title": "picture",
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [did]}}, *more],
    }


def sign(
    data: bytes,
    mime: str,
    what: dict[str, Any] | None = None,
    signer: Signer | None = None,
    *,
    edited: bool = False,
    stamped_by: str | None = None,
) -> bytes:
    """The file with a signed manifest in it; `stamped_by` is the address of a time stamper.

    With `edited` the manifest that the file has already becomes an ingredient of the new one.
    """
    import c2pa

    signer = signer or signer_of("Test Company")
    info = c2pa.C2paSignerInfo(b"es256", signer.chain, signer.key, stamped_by)
    signed = io.BytesIO()
    context = c2pa.Context.from_dict({"verify": {"verify_after_sign": False}})
    with c2pa.Builder(json.dumps(what or manifest()), context=context) as builder:
        if edited:
            builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
        builder.sign(c2pa.Signer.from_info(info), mime, io.BytesIO(data), signed)
    return signed.getvalue()
