"""Provenance in XMP is added and merged, and hostile packets do no harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from archive_colorizer.image.metadata.xmp import ProvenanceNote, add_provenance, is_sound
from tests.image.files import XMP

NOTE = ProvenanceNote(
    software="archive-colorizer 1.0",
    model="default",
    model_sha256="ab" * 32,
    settings="cd" * 32,
    source_name="mill.jpg",
    source_sha256="ef" * 32,
    when="2024-05-01T10:00:00+00:00",
)
SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "mm": "http://ns.adobe.com/xap/1.0/mm/",
    "ref": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "event": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "ext": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
PLAIN = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax'
    '-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:mm="http://ns.adobe.com/xap/1.0/mm/" {attributes}>{content}</rdf:Description></rdf:RDF>'
    "</x:xmpmeta>"
)


def find_texts(packet, path):
    return [
        element.text or "" for element in etree.fromstring(packet).iterfind(f".//{path}", SPACES)
    ]


@pytest.mark.parametrize("before", [None, XMP, PLAIN.format(attributes="", content="").encode()])
def test_the_note_is_in_the_packet(before):
    packet = add_provenance(before, NOTE)
    assert packet.startswith(b"<?xpacket begin") and packet.endswith(b'<?xpacket end="w"?>')
    (kind,) = find_texts(packet, "ext:DigitalSourceType")
    assert kind.endswith("/compositeWithTrainedAlgorithmicMedia")
    assert find_texts(packet, "mm:DerivedFrom/ref:documentID") == ["urn:sha256:" + "ef" * 32]
    assert find_texts(packet, "mm:DerivedFrom/ref:filePath") == ["mill.jpg"]
    event = "mm:History/rdf:Seq/rdf:li/event:"
    assert find_texts(packet, event + "softwareAgent") == ["archive-colorizer 1.0"]
    assert find_texts(packet, event + "when") == ["2024-05-01T10:00:00+00:00"]
    assert all(
        word in find_texts(packet, event + "parameters")[0] for word in ("ab" * 32, "cd" * 32)
    )


def test_what_was_there_is_kept():
    packet = add_provenance(XMP, NOTE)
    default, german = find_texts(packet, "dc:description/rdf:Alt/rdf:li")
    assert default.startswith("Mill at the river Color added by archive-colorizer 1.0")
    assert german == "Mühle"
    assert b'tiff:Orientation="1"' in packet


def test_a_second_restoration_adds_an_event_and_not_a_second_sentence():
    packet = add_provenance(add_provenance(XMP, NOTE), NOTE)
    assert len(find_texts(packet, "mm:History/rdf:Seq/rdf:li")) == 2
    assert len(find_texts(packet, "ext:DigitalSourceType")) == 1
    assert find_texts(packet, "dc:description/rdf:Alt/rdf:li")[0].count("Color added by") == 1


def test_texts_in_the_wrong_shape_are_kept_too():
    short = PLAIN.format(attributes='dc:description="a mill"', content="")
    bare = PLAIN.format(attributes="", content="<dc:description>a mill</dc:description>")
    for before in (short, bare):
        (text,) = find_texts(add_provenance(before.encode(), NOTE), "dc:description/rdf:Alt/rdf:li")
        assert text.startswith("a mill Color added")


ENTITY = XMP.replace(b"Mill", b"&e;")
HOSTILE = {
    "entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + ENTITY,
    "laughs": b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY e "&a;&a;">]>' + ENTITY,
    "sixteen": ('<!DOCTYPE x [<!ENTITY a "ha">]>' + XMP.decode()).encode("utf-16"),
    "broken": XMP[:-20],
    "deep": b"<a>" * 100_000,
    "long": XMP + b" " * 9_000_000,
    "other": b"<html/>",
    "empty": b"",
    "noise": bytes(range(256)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_packet_is_replaced(kind):
    assert not is_sound(HOSTILE[kind])
    packet = add_provenance(HOSTILE[kind], NOTE)
    assert b"root:" not in packet and b"DOCTYPE" not in packet and len(packet) < 5000
    assert len(find_texts(packet, "mm:History/rdf:Seq/rdf:li")) == 1


@given(st.text(max_size=40))
def test_any_file_name_fits_into_the_packet(name):
    note = ProvenanceNote("s", "m", "1", "2", name + "\udcff<&]]>", "3", "4")
    assert find_texts(add_provenance(XMP, note), "mm:DerivedFrom/ref:filePath")
