"""Read, join and extend XMP packets with the provenance of a picture's color; build sidecars."""

import re
from dataclasses import dataclass
from typing import Any, Final

from archive_colorizer.image.raster import Format

SOURCE_TYPES: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""The address of the IPTC's digital source types; a term's name follows it."""

SOURCE_TYPE: Final = "compositeWithTrainedAlgorithmicMedia"
"""IPTC has no term for colorization.  This one means a captured picture with parts made by a
trained algorithm: the luma is the photograph's, the color is not.
`trainedAlgorithmicMedia` would deny the photograph, `digitalCapture` the algorithm."""

_NAMESPACES: Final = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "xml": "http://www.w3.org/XML/1998/namespace",
}
_EMPTY: Final = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_NAMESPACES["rdf"]}">'
    '<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>'
).encode()
_HEAD: Final = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL: Final = b'\n<?xpacket end="w"?>'
_MAX_LENGTH: Final = 8_000_000
_INVALID: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Control characters and lone surrogates, which XML 1.0 cannot hold."""
_WITHOUT_XMP: Final[frozenset[Format]] = frozenset({"bmp"})
_WRAPPER: Final = re.compile(rb"<\?xpacket\b.*?\?>", re.DOTALL)
_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, slots=True)
class ProvenanceNote:
    """The software, model, settings, source and time (ISO 8601) of one picture's color.

    sharpening: how luma was sharpened; empty where it is the source's own.
    aids: the user's guides, each as `hints scan.hints.png sha256 ...`.
    """

    software: str
    model: str
    model_sha256: str
    settings: str
    source_name: str
    source_sha256: str
    when: str
    source_type: str = SOURCE_TYPE
    sharpening: str = ""
    aids: tuple[str, ...] = ()


def is_sound(packet: bytes) -> bool:
    """Whether an XMP packet is readable and harmless."""
    return _parse(packet) is not None


def join_extended(main: bytes | None, extended: bytes | None) -> tuple[bytes | None, bool]:
    """Join a JPEG's main and extended XMP; returns the main one and False if either is broken."""
    first, second = _parse(main), _parse(extended)
    if first is None or second is None:
        return main, False
    rdf = _find_rdf(first)
    for description in _list_descriptions(rdf):
        _remove_property(description, _expand_name("xmpNote:HasExtendedXMP"))
    rdf.extend(_find_rdf(second).findall(_expand_name("rdf:Description")))
    return _serialize(first), True


def add_provenance(xmp: bytes | None, note: ProvenanceNote) -> bytes:
    """Add the provenance to an XMP packet (UTF-8) and keep its other content.

    Sets Iptc4xmpExt:DigitalSourceType and xmpMM:DerivedFrom, appends an xmpMM:History event
    and a sentence in dc:description, and changes an existing tiff:Orientation to 1.
    A packet for which `is_sound` is false is replaced.
    """
    root = _parse(xmp)
    if root is None:
        root = _parse(_EMPTY)
    rdf = _find_rdf(root)
    _set_orientation(rdf)
    source_type = _replace_property(rdf, "Iptc4xmpExt:DigitalSourceType")
    source_type.text = SOURCE_TYPES + note.source_type
    derived = _replace_property(rdf, "xmpMM:DerivedFrom")
    derived.set(_expand_name("rdf:parseType"), "Resource")
    _add_element(derived, "stRef:documentID", f"urn:sha256:{note.source_sha256}")
    _add_element(derived, "stRef:filePath", note.source_name)
    _append_event(rdf, note)
    _append_description(rdf, note)
    return _serialize(root)


def can_hold_xmp(file_format: Format) -> bool:
    """Whether files of this format can hold the provenance themselves."""
    return file_format not in _WITHOUT_XMP


def build_sidecar(packet: bytes) -> bytes:
    """Turn an XMP packet (UTF-8) into the content of a sidecar, `name.ext.xmp`.

    Sidecars serve formats without XMP, and archives that read metadata from separate files.
    The wrapper that marks the packet in a picture is left out.
    """
    body = _WRAPPER.sub(b"", packet).strip(b"\0 \t\r\n\xef\xbb\xbf")
    return _DECLARATION + body + b"\n"


def _expand_name(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"


def _parse(packet: bytes | None) -> Any:
    """Parse a packet to its root; None if it is no XMP, too long, or has a document type."""
    from lxml import etree

    if not packet or len(packet) > _MAX_LENGTH or b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(packet.strip(b"\0 \r\n\t"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root.getroottree().docinfo.doctype or _find_rdf(root) is None:
        return None
    return root


def _serialize(root: Any) -> bytes:
    from lxml import etree

    return _HEAD + bytes(etree.tostring(root, encoding="utf-8")) + _TAIL


def _find_rdf(root: Any) -> Any:
    tag = _expand_name("rdf:RDF")
    return root if root.tag == tag else root.find(f".//{tag}")


def _list_descriptions(rdf: Any) -> list[Any]:
    descriptions = list(rdf.findall(_expand_name("rdf:Description")))
    if not descriptions:
        descriptions = [_add_element(rdf, "rdf:Description")]
        descriptions[0].set(_expand_name("rdf:about"), "")
    return descriptions


def _add_element(parent: Any, name: str, text: str | None = None) -> Any:
    from lxml import etree

    prefix = name.partition(":")[0]
    nsmap = {prefix: _NAMESPACES[prefix]}
    element = etree.SubElement(parent, _expand_name(name), nsmap=nsmap)
    if text is not None:
        element.text = _INVALID.sub("\ufffd", text)
    return element


def _remove_property(description: Any, tag: str) -> None:
    description.attrib.pop(tag, None)
    for element in description.findall(tag):
        description.remove(element)


def _replace_property(rdf: Any, name: str) -> Any:
    descriptions = _list_descriptions(rdf)
    for description in descriptions:
        _remove_property(description, _expand_name(name))
    return _add_element(descriptions[0], name)


def _set_orientation(rdf: Any) -> None:
    tag = _expand_name("tiff:Orientation")
    for description in _list_descriptions(rdf):
        if tag in description.attrib:
            description.set(tag, "1")
        for element in description.findall(tag):
            element.text = "1"


def _get_array(rdf: Any, name: str, kind: str) -> Any:
    """Get the rdf:Seq or rdf:Alt of a property; create it if it is missing.

    Plain text in its place, which some writers store, becomes the first member.
    """
    tag, descriptions = _expand_name(name), _list_descriptions(rdf)
    owner, text = None, None
    for description in descriptions:
        text = description.attrib.pop(tag, None) or text
        owner = owner if owner is not None else description.find(tag)
    if owner is None:
        owner = _add_element(descriptions[0], name)
    for container in ("Seq", "Alt", "Bag"):
        array = owner.find(_expand_name(f"rdf:{container}"))
        if array is not None:
            return array
    text = text or (owner.text or "").strip()
    owner.text = None
    array = _add_element(owner, f"rdf:{kind}")
    if text:
        first = _add_element(array, "rdf:li", text)
        if kind == "Alt":
            first.set(_expand_name("xml:lang"), "x-default")
    return array


def _append_event(rdf: Any, note: ProvenanceNote) -> None:
    sharpened = f"luma sharpened ({note.sharpening}); " if note.sharpening else ""
    parameters = f"colorized; {sharpened}model {note.model} sha256 {note.model_sha256}; settings "
    event = _add_element(_get_array(rdf, "xmpMM:History", "Seq"), "rdf:li")
    event.set(_expand_name("rdf:parseType"), "Resource")
    _add_element(event, "stEvt:action", "edited")
    _add_element(event, "stEvt:softwareAgent", note.software)
    _add_element(event, "stEvt:when", note.when)
    _add_element(event, "stEvt:parameters", "; ".join((parameters + note.settings, *note.aids)))


def _append_description(rdf: Any, note: ProvenanceNote) -> None:
    sentence = (
        f"Color added by {note.software} with the model {note.model}; "
        "the colors are a machine's guess, the light and shade are the photograph's"
        f"{', sharpened' if note.sharpening else ''}."
    )
    language = _expand_name("xml:lang")
    alternatives = _get_array(rdf, "dc:description", "Alt")
    members = alternatives.findall(_expand_name("rdf:li"))
    default = next((member for member in members if member.get(language) == "x-default"), None)
    if default is None:
        default = _add_element(alternatives, "rdf:li")
        default.set(language, "x-default")
    before = (default.text or "").strip()
    if not before.endswith(sentence):
        addition = _INVALID.sub("\ufffd", sentence)
        default.text = f"{before} {addition}".strip()
