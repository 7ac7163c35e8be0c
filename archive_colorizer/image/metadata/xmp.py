"""Provenance in the file: an XMP packet that says what made the color."""

from dataclasses import dataclass
from typing import Any, Final

SOURCE_TYPES: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""The IPTC's terms of digital source type; a term is a name behind this address."""

SOURCE_TYPE: Final = "compositeWithTrainedAlgorithmicMedia"
"""IPTC has no term for colorization.  This one stands for a picture that was captured and
holds parts made by a trained algorithm: the luma is the photograph's, the color is not.
`trainedAlgorithmicMedia` would deny the photograph, `digitalCapture` the algorithm."""

_X: Final = "adobe:ns:meta/"
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC: Final = "http://purl.org/dc/elements/1.1/"
_MM: Final = "http://ns.adobe.com/xap/1.0/mm/"
_REF: Final = "http://ns.adobe.com/xap/1.0/sType/ResourceRef#"
_EVENT: Final = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
_EXT: Final = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_TIFF: Final = "http://ns.adobe.com/tiff/1.0/"
_NOTE: Final = "{http://ns.adobe.com/xmp/note/}HasExtendedXMP"
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_PREFIXES: Final = {
    "rdf": _RDF,
    "dc": _DC,
    "xmpMM": _MM,
    "stRef": _REF,
    "stEvt": _EVENT,
    "Iptc4xmpExt": _EXT,
    "tiff": _TIFF,
}
_HEAD: Final = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL: Final = b'\n<?xpacket end="w"?>'
_LONGEST: Final = 8_000_000


@dataclass(frozen=True, slots=True)
class ProvenanceNote:
    """Who made the color of one picture, by what means, from what and when (ISO 8601).

    source_type: the IPTC's term for such a picture.  sharpening: how luma was sharpened, empty
    where it is the source's own.  aids: what a person has given besides, as
    `hints scan.hints.png sha256 ...`.
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
    """Whether an XMP packet can be read and carried on."""
    return _parse(packet) is not None


def join_extended(main: bytes | None, extended: bytes | None) -> tuple[bytes | None, bool]:
    """One packet of a JPEG's main and extended XMP, and whether they could be joined.

    What cannot be joined leaves the main packet as it is.
    """
    from lxml import etree

    first = _parse(main) if main else None
    second = _parse(extended) if extended else None
    if first is None or second is None:
        return main, False
    rdf, more = _rdf_of(first), _rdf_of(second)
    for description in _descriptions(rdf):
        description.attrib.pop(_NOTE, None)
        for old in description.findall(_NOTE):
            description.remove(old)
    for description in more.findall(_q(_RDF, "Description")):
        rdf.append(description)
    return _HEAD + bytes(etree.tostring(first, encoding="utf-8")) + _TAIL, True


def with_provenance(xmp: bytes | None, note: ProvenanceNote) -> bytes:
    """An XMP packet (UTF-8) with the provenance added and all that was there kept.

    Adds Iptc4xmpExt:DigitalSourceType, xmpMM:DerivedFrom, an xmpMM:History event and a
    sentence after whatever dc:description says; sets tiff:Orientation to 1 where it stands.
    A packet that is broken or hostile is replaced (`is_sound` tells beforehand).
    """
    from lxml import etree

    root = _parse(xmp) if xmp else None
    if root is None:
        root = _parse(_EMPTY)
    rdf = _rdf_of(root)
    _set_orientation(rdf)
    _set_property(rdf, _EXT, "DigitalSourceType").text = SOURCE_TYPES + note.source_type
    derived = _set_property(rdf, _MM, "DerivedFrom")
    derived.set(_q(_RDF, "parseType"), "Resource")
    _child(derived, _REF, "documentID", f"urn:sha256:{note.source_sha256}")
    _child(derived, _REF, "filePath", note.source_name)
    _append_event(rdf, note)
    _append_description(rdf, note)
    return _HEAD + bytes(etree.tostring(root, encoding="utf-8")) + _TAIL


_EMPTY: Final = (
    f'<x:xmpmeta xmlns:x="{_X}"><rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about=""/>'
    "</rdf:RDF></x:xmpmeta>"
).encode()


def _q(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}"


def _parse(packet: bytes) -> Any:
    """The root element, or None for what is no XMP, too long, or declares a document type."""
    from lxml import etree

    if len(packet) > _LONGEST or b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(packet.strip(b"\0 \r\n\t"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root.getroottree().docinfo.doctype:
        return None
    is_rdf = root.tag == _q(_RDF, "RDF") or root.find(f".//{_q(_RDF, 'RDF')}") is not None
    return root if is_rdf else None


def _rdf_of(root: Any) -> Any:
    return root if root.tag == _q(_RDF, "RDF") else root.find(f".//{_q(_RDF, 'RDF')}")


def _descriptions(rdf: Any) -> list[Any]:
    found = list(rdf.findall(_q(_RDF, "Description")))
    if not found:
        found = [_sub(rdf, _RDF, "Description")]
        found[0].set(_q(_RDF, "about"), "")
    return found


def _sub(parent: Any, namespace: str, name: str) -> Any:
    from lxml import etree

    prefix = next(key for key, value in _PREFIXES.items() if value == namespace)
    return etree.SubElement(parent, _q(namespace, name), nsmap={prefix: namespace})


def _child(parent: Any, namespace: str, name: str, text: str) -> None:
    _sub(parent, namespace, name).text = _xml_text(text)


def _xml_text(text: str) -> str:
    """What XML 1.0 can hold: control characters and lone surrogates become a replacement."""
    return "".join(
        char
        if char in "\t\n\r"
        or (char >= " " and not "\ud800" <= char <= "\udfff" and char not in "\ufffe\uffff")
        else "\ufffd"
        for char in text
    )


def _set_property(rdf: Any, namespace: str, name: str) -> Any:
    """The element of a property, emptied or new; the attribute form of it is taken away."""
    tag = _q(namespace, name)
    for description in _descriptions(rdf):
        description.attrib.pop(tag, None)
        for old in description.findall(tag):
            description.remove(old)
    return _sub(_descriptions(rdf)[0], namespace, name)


def _set_orientation(rdf: Any) -> None:
    tag = _q(_TIFF, "Orientation")
    for description in _descriptions(rdf):
        if tag in description.attrib:
            description.set(tag, "1")
        for element in description.findall(tag):
            element.text = "1"


def _array(rdf: Any, namespace: str, name: str, kind: str) -> Any:
    """The rdf:Seq or rdf:Alt of a property, made where it is missing.

    A plain text in its place (broken writers do that) becomes the first member.
    """
    tag = _q(namespace, name)
    owner, text = None, None
    for description in _descriptions(rdf):
        text = description.attrib.pop(tag, None) or text
        owner = owner if owner is not None else description.find(tag)
    if owner is None:
        owner = _sub(_descriptions(rdf)[0], namespace, name)
    for container in ("Seq", "Alt", "Bag"):
        found = owner.find(_q(_RDF, container))
        if found is not None:
            return found
    text = text or (owner.text or "").strip()
    owner.text = None
    made = _sub(owner, _RDF, kind)
    if text:
        first = _sub(made, _RDF, "li")
        first.text = text
        if kind == "Alt":
            first.set(_XML_LANG, "x-default")
    return made


def _append_event(rdf: Any, note: ProvenanceNote) -> None:
    event = _sub(_array(rdf, _MM, "History", "Seq"), _RDF, "li")
    event.set(_q(_RDF, "parseType"), "Resource")
    _child(event, _EVENT, "action", "edited")
    _child(event, _EVENT, "softwareAgent", note.software)
    _child(event, _EVENT, "when", note.when)
    sharpened = f"luma sharpened ({note.sharpening}); " if note.sharpening else ""
    parameters = f"colorized; {sharpened}model {note.model} sha256 {note.model_sha256}; settings "
    _child(event, _EVENT, "parameters", "; ".join((parameters + note.settings, *note.aids)))


def _append_description(rdf: Any, note: ProvenanceNote) -> None:
    sentence = (
        f"Color added by {note.software} with the model {note.model}; "
        "the colors are a machine's guess, the light and shade are the photograph's"
        f"{', sharpened' if note.sharpening else ''}."
    )
    alternatives = _array(rdf, _DC, "description", "Alt")
    members = alternatives.findall(_q(_RDF, "li"))
    default = next((one for one in members if one.get(_XML_LANG) == "x-default"), None)
    if default is None:
        default = _sub(alternatives, _RDF, "li")
        default.set(_XML_LANG, "x-default")
    before = (default.text or "").strip()
    if not before.endswith(sentence):
        default.text = f"{before} {_xml_text(sentence)}".strip()
