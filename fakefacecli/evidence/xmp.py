"""XMP packets as flat properties (ISO 16684-1): RDF/XML, read by a parser for untrusted XML."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_LISTS = frozenset({f"{_RDF}Alt", f"{_RDF}Bag", f"{_RDF}Seq"})
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}"
# the prefixes that these namespaces have everywhere, whatever a packet calls them
PREFIXES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#": "stEvt",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
    "http://purl.org/dc/terms/": "dcterms",
    "http://www.tc260.org.cn/ns/AIGC/1.0/": "TC260",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "adobe:ns:meta/": "x",
}
_SPACES = {prefix: space for space, prefix in PREFIXES.items()}
_UNDECLARED = "urn:fakeface:undeclared:"
_INSTRUCTION = re.compile(r"<\?.*?\?>", re.S)
_USED = re.compile(r"(?:[<\s/])([A-Za-z_][\w.-]*):[A-Za-z_]")
_DECLARED = re.compile(r"\bxmlns:([A-Za-z_][\w.-]*)\s*=")
_DEEPEST = 40


class XmpError(Exception):
    """The packet is no well-formed XML."""


def read_xmp(packet: bytes) -> Iterator[tuple[str, str]]:
    """(name, value) of each property, in order; raises XmpError.

    A name is PREFIX:Name; of a structure's part it is Outer/Inner. Each item of a list counts by
    itself. A URI that rdf:resource refers to is a value.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        # parsed whole first: of a broken packet nothing is believed
        root = fromstring(_wrapped(_text_of(packet)))
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise XmpError from error
    yield from _properties(root, "", 0)


def _text_of(packet: bytes) -> str:
    head = packet[:64]
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if head.startswith(mark):
            return packet.decode(encoding, "replace")
    if head[:1] == b"\0":
        return packet.decode("utf-16-be", "replace")
    if head[1:2] == b"\0":
        return packet.decode("utf-16-le", "replace")
    return packet.decode("utf-8-sig", "replace")


def _wrapped(text: str) -> str:
    """One element around the packet, which declares the prefixes that the packet forgot."""
    bare = _INSTRUCTION.sub("", text).strip("\0\ufeff \t\r\n")
    missing = set(_USED.findall(bare)) - set(_DECLARED.findall(bare)) - {"xml", "xmlns"}
    spaces = "".join(
        f' xmlns:{prefix}="{_SPACES.get(prefix, _UNDECLARED + prefix)}"'
        for prefix in sorted(missing)
    )
    return f"<packet{spaces}>{bare}</packet>"


def _properties(element: "Element", outer: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        return
    for key, value in element.attrib.items():
        if key == f"{_RDF}resource":
            yield outer, value
        elif not key.startswith((_RDF, _XML_SPACE)):
            yield _joined(outer, key), value
    children = list(element)
    if not children:
        if outer and (element.text or "").strip():
            yield outer, (element.text or "").strip()
        return
    for child in children:
        # wrappers, lists and their items have no name of their own
        own = child.tag.startswith((_RDF, "{adobe:ns:meta/}")) or child.tag in _LISTS
        yield from _properties(child, outer if own else _joined(outer, child.tag), depth + 1)


def _joined(outer: str, key: str) -> str:
    space, _, local = key.rpartition("}")
    space = space.removeprefix("{")
    prefix = PREFIXES.get(space) or space.removeprefix(_UNDECLARED)
    name = f"{prefix}:{local}" if prefix else local
    return f"{outer}/{name}" if outer else name
