"""Sidecars: what they hold, and that they appear with the care of a picture."""

import hashlib
from pathlib import Path

import pytest
from lxml import etree

from archive_colorizer.errors import OutputError, TargetExists
from archive_colorizer.image.metadata.sidecar import holds_xmp, sidecar_for, sidecar_of
from archive_colorizer.image.metadata.xmp import SOURCE_TYPE, ProvenanceNote, with_provenance
from archive_colorizer.output import deliver as module
from archive_colorizer.output.deliver import deliver
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, Source, Stamp, Workplace
from archive_colorizer.records.json_lines import outcome_of
from archive_colorizer.records.outcomes import Outcome, State

NOTE = ProvenanceNote(
    software="archive-colorizer 0.1.0",
    model="constant",
    model_sha256="a" * 64,
    settings="b" * 64,
    source_name="a.bmp",
    source_sha256="c" * 64,
    when="2026-01-02T03:04:05+00:00",
)
SETTLED = Outcome(key="key", name="a.bmp", state=State.DONE)


def test_a_sidecar_is_xml_with_the_whole_provenance():
    data = sidecar_for(with_provenance(None, NOTE))
    assert data.startswith(b"<?xml")
    assert b"xpacket" not in data
    text = etree.tostring(etree.fromstring(data)).decode()
    assert SOURCE_TYPE in text
    assert f"urn:sha256:{'c' * 64}" in text


def test_padding_and_wrapper_go():
    packet = b'<?xpacket begin="\xef\xbb\xbf" id="W"?>\n<a/>\n' + b" " * 2000
    assert sidecar_for(packet + b'<?xpacket end="w"?>').endswith(b"?>\n<a/>\n")


def test_two_pictures_of_one_stem_never_share_a_sidecar():
    assert sidecar_of("box/a.jpg") == "box/a.jpg.xmp"
    assert sidecar_of("box/a.tif") != sidecar_of("box/a.jpg")


def test_which_formats_need_one():
    assert not holds_xmp("bmp")
    assert holds_xmp("tiff")


@pytest.fixture
def place(tmp_path):
    work = tmp_path / "out" / ".work" / "run"
    work.mkdir(parents=True)
    return Workplace(str(tmp_path / "out"), str(work), Recipe(), "model.onnx", "0" * 64)


def job(known: Outcome | None = None) -> Job:
    source = Source("/in", "a.bmp", Stamp(1, 2, 3, 4))
    beside = known.sidecar_sha256 if known else None
    return Job("key", source, "a.bmp", known is not None, beside)


def beside(place: Workplace) -> Path:
    return Path(place.output, "a.bmp.xmp")


def test_both_appear_and_are_recorded(place):
    made = deliver(b"picture", job(), place, SETTLED, b"metadata")
    assert beside(place).read_bytes() == b"metadata"
    assert made.sidecar_sha256 == hashlib.sha256(b"metadata").hexdigest()
    (journal,) = Path(place.work).glob("*.jsonl")
    assert outcome_of(journal.read_bytes()).sidecar_sha256 == made.sidecar_sha256
    assert not list(Path(place.work).glob("*.tmp"))


def test_a_sidecar_of_ours_is_replaced_and_taken_away(place):
    first = deliver(b"picture", job(), place, SETTLED, b"old")
    second = deliver(b"other", job(first), place, SETTLED, b"new")
    assert beside(place).read_bytes() == b"new"
    third = deliver(b"third", job(second), place, SETTLED)
    assert third.sidecar_sha256 is None
    assert not beside(place).exists()


@pytest.mark.parametrize("known", [False, True])
def test_what_somebody_else_wrote_is_kept_and_the_picture_not_made(place, known):
    first = deliver(b"picture", job(), place, SETTLED, b"ours") if known else None
    beside(place).write_bytes(b"edited by the archivist")
    with pytest.raises(TargetExists, match=r"a\.bmp\.xmp"):
        deliver(b"other", job(first), place, SETTLED, b"new")
    assert beside(place).read_bytes() == b"edited by the archivist"
    picture = Path(place.output, "a.bmp")
    assert picture.read_bytes() == b"picture" if known else not picture.exists()


def test_an_edited_sidecar_is_not_taken_away(place):
    first = deliver(b"picture", job(), place, SETTLED, b"ours")
    beside(place).write_bytes(b"edited")
    deliver(b"other", job(first), place, SETTLED)
    assert beside(place).read_bytes() == b"edited"


def test_a_link_is_never_written_through(place, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    beside(place).symlink_to(victim)
    with pytest.raises(TargetExists):
        deliver(b"picture", job(), place, SETTLED, b"new")
    assert victim.read_bytes() == b"precious"


def test_a_second_try_of_the_same_run_takes_over_its_own_sidecar(place, monkeypatch):
    """The first worker was given up for lost between the sidecar and the picture."""

    def lost(*_):
        raise OSError(5, "lost")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_appear", lost)
        with pytest.raises(OutputError):
            deliver(b"picture", job(), place, SETTLED, b"first")
    assert beside(place).read_bytes() == b"first"
    deliver(b"picture", job(), place, SETTLED, b"second")
    assert beside(place).read_bytes() == b"second"
