"""A manifest as PREMIS 3.

The schema is the Library of Congress's and not part of this project; where a copy of it is
named by PREMIS_XSD, the export is validated against it.  The order of elements, which is what
the schema is strict about, is tested here in any case.
"""

import io
import os
from pathlib import Path

import pytest

from archive_colorizer.errors import SourceError
from archive_colorizer.export.premis import write_premis
from archive_colorizer.records.outcomes import State
from tests.manifest.records_of_a_run import EVIL_NAMES, done, evil, failed, opening, written

etree = pytest.importorskip("lxml.etree")
P = {"p": "http://www.loc.gov/premis/v3"}
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

ORDER = {
    "premis": ["object", "event", "agent"],
    "object": ["objectIdentifier", "objectCharacteristics", "originalName", "relationship"],
    "objectCharacteristics": ["fixity", "size", "format", "creatingApplication"],
    "fixity": ["messageDigestAlgorithm", "messageDigest", "messageDigestOriginator"],
    "format": ["formatDesignation", "formatNote"],
    "relationship": [
        "relationshipType",
        "relationshipSubType",
        "relatedObjectIdentifier",
        "relatedEventIdentifier",
    ],
    "event": [
        "eventIdentifier",
        "eventType",
        "eventDateTime",
        "eventDetailInformation",
        "eventOutcomeInformation",
        "linkingAgentIdentifier",
        "linkingObjectIdentifier",
    ],
    "eventOutcomeInformation": ["eventOutcome", "eventOutcomeDetail"],
    "agent": ["agentIdentifier", "agentName", "agentType", "agentVersion", "agentNote"],
}


def premis_of(account):
    stream = io.BytesIO()
    write_premis(account, stream)
    return etree.fromstring(stream.getvalue())


def texts(root, path):
    return root.xpath(path + "/text()", namespaces=P)


@pytest.fixture
def root(tmp_path):
    return premis_of(evil(tmp_path))


def test_it_is_valid_against_the_schema(root):
    if not os.environ.get("PREMIS_XSD"):
        pytest.skip("PREMIS_XSD names no copy of the schema of PREMIS 3.0")
    schema = etree.XMLSchema(etree.parse(Path(os.environ["PREMIS_XSD"])))
    assert schema.validate(root), schema.error_log


def test_elements_stand_in_the_order_of_the_schema(root):
    assert root.get("version") == "3.0"
    for parent in root.iter():
        order = ORDER.get(etree.QName(parent).localname)
        if order is not None:
            places = [order.index(etree.QName(child).localname) for child in parent]
            assert places == sorted(places)
            assert places[0] == 0 or parent.tag.endswith("objectCharacteristics")


def test_every_file_is_an_object_with_fixity(root):
    objects = root.findall("p:object", P)
    assert len(objects) == 2 * len(EVIL_NAMES) + 2 + 2
    assert all(one.get(TYPE) == "file" for one in objects)
    assert len(texts(root, "//p:messageDigest")) == 2 * (len(EVIL_NAMES) + 1)


def test_identifiers_are_unique_and_every_link_leads_somewhere(root):
    def pairs(name):
        kinds = texts(root, f"//p:{name}/p:{name}Type")
        values = texts(root, f"//p:{name}/p:{name}Value")
        return list(zip(kinds, values, strict=True))

    objects, events, agents = (pairs(f"{one}Identifier") for one in ("object", "event", "agent"))
    for one in (objects, events, agents):
        assert len(one) == len(set(one))
    assert set(pairs("linkingObjectIdentifier")) <= set(objects)
    assert set(pairs("relatedObjectIdentifier")) <= set(objects)
    assert set(pairs("relatedEventIdentifier")) <= set(events)
    assert set(pairs("linkingAgentIdentifier")) == set(agents)


def test_an_event_tells_by_what_means(tmp_path):
    root = premis_of(written(tmp_path, opening(), done("a.png", warnings=("sepia source",))))
    (event,) = root.findall("p:event", P)
    assert texts(event, "p:eventType") == ["derivation"]
    assert texts(event, "p:eventDateTime") == ["2026-01-02T03:04:05+00:00"]
    (detail,) = texts(event, ".//p:eventDetail")
    assert "colorization" in detail
    assert "model constant sha256 " + "a" * 64 in detail
    assert "strength=0.5" in detail
    assert texts(event, ".//p:eventOutcome") == ["success"]
    assert texts(event, ".//p:eventOutcomeDetailNote") == ["sepia source"]
    assert texts(event, ".//p:linkingObjectRole") == ["source", "outcome"]
    assert texts(root, "p:agent/p:agentName") == ["archive-colorizer", "constant"]
    assert texts(root, "p:agent/p:agentVersion") == ["0.1.0"]


def test_a_failure_is_an_event_and_a_skip_is_none(root):
    outcomes = texts(root, "//p:eventOutcome")
    assert sorted(set(outcomes)) == ["failure", "success"]
    assert outcomes.count("failure") == 1
    assert "cut.jpg is cut <here> & there" in texts(root, "//p:eventOutcomeDetailNote")
    assert "notes.txt" not in texts(root, "//p:event//p:linkingObjectIdentifierValue")


def test_a_result_whose_source_failed_later_keeps_its_event(tmp_path):
    root = premis_of(written(tmp_path, opening(), done("a.png"), failed("a.png")))
    assert texts(root, "//p:eventOutcome") == ["success", "failure"]
    assert len(root.findall("p:object", P)) == 2


def test_an_unknown_run_is_said_and_not_guessed(tmp_path):
    root = premis_of(written(tmp_path, done("a.png", target_stamp=None)))
    assert texts(root, "//p:eventDateTime") == ["unknown"]
    assert State.DONE in texts(root, "//p:eventIdentifierValue")[0]


def test_an_empty_manifest_is_refused(tmp_path):
    with pytest.raises(SourceError, match="at least one"):
        premis_of(written(tmp_path, opening()))
