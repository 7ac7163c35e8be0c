"""Sidecars hold the provenance, and are delivered as safely as pictures."""

import hashlib
from pathlib import Path

import pytest
from lxml import etree

from archive_colorizer.errors import OutputError, TargetExists
from archive_colorizer.image.metadata.xmp import (
    SOURCE_TYPE,
    ProvenanceNote,
    add_provenance,
    build_sidecar,
    can_hold_xmp,
)
from archive_colorizer.output import deliver as module
from archive_colorizer.output.deliver import deliver
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext, Source, Stamp
from archive_colorizer.records.json_lines import parse_outcome
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.records.paths import get_sidecar_path

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
    data = build_sidecar(add_provenance(None, NOTE))
    assert data.startswith(b"<?xml")
    assert b"xpacket" not in data
    text = etree.tostring(etree.fromstring(data)).decode()
    assert SOURCE_TYPE in text
    assert f"urn:sha256:{'c' * 64}" in text


def test_padding_and_wrapper_go():
    packet = b'<?xpacket begin="\xef\xbb\xbf" id="W"?>\n<a/>\n' + b" " * 2000
    assert build_sidecar(packet + b'<?xpacket end="w"?>').endswith(b"?>\n<a/>\n")


def test_two_pictures_of_one_stem_never_share_a_sidecar():
    assert get_sidecar_path("box/a.jpg") == "box/a.jpg.xmp"
    assert get_sidecar_path("box/a.tif") != get_sidecar_path("box/a.jpg")


def test_which_formats_need_one():
    assert not can_hold_xmp("bmp")
    assert can_hold_xmp("tiff")


@pytest.fixture
def context(tmp_path):
    work = tmp_path / "out" / ".work" / "run"
    work.mkdir(parents=True)
    return JobContext(str(tmp_path / "out"), str(work), Recipe(), "model.onnx", "0" * 64)


def build_job(previous: Outcome | None = None) -> Job:
    source = Source("/in", "a.bmp", Stamp(1, 2, 3, 4))
    sidecar_path = previous.sidecar_sha256 if previous else None
    return Job("key", source, "a.bmp", previous is not None, sidecar_path)


def get_sidecar(context: JobContext) -> Path:
    return Path(context.output, "a.bmp.xmp")


def test_both_appear_and_are_recorded(context):
    outcome = deliver(b"picture", build_job(), context, SETTLED, b"metadata")
    assert get_sidecar(context).read_bytes() == b"metadata"
    assert outcome.sidecar_sha256 == hashlib.sha256(b"metadata").hexdigest()
    (journal,) = Path(context.work).glob("*.jsonl")
    assert parse_outcome(journal.read_bytes()).sidecar_sha256 == outcome.sidecar_sha256
    assert not list(Path(context.work).glob("*.tmp"))


def test_a_sidecar_of_ours_is_replaced_and_taken_away(context):
    first = deliver(b"picture", build_job(), context, SETTLED, b"old")
    second = deliver(b"other", build_job(first), context, SETTLED, b"new")
    assert get_sidecar(context).read_bytes() == b"new"
    third = deliver(b"third", build_job(second), context, SETTLED)
    assert third.sidecar_sha256 is None
    assert not get_sidecar(context).exists()


@pytest.mark.parametrize("previous", [False, True])
def test_what_somebody_else_wrote_is_kept_and_the_picture_not_made(context, previous):
    first = deliver(b"picture", build_job(), context, SETTLED, b"ours") if previous else None
    get_sidecar(context).write_bytes(b"edited by the archivist")
    with pytest.raises(TargetExists, match=r"a\.bmp\.xmp"):
        deliver(b"other", build_job(first), context, SETTLED, b"new")
    assert get_sidecar(context).read_bytes() == b"edited by the archivist"
    picture = Path(context.output, "a.bmp")
    assert picture.read_bytes() == b"picture" if previous else not picture.exists()


def test_an_edited_sidecar_is_not_taken_away(context):
    first = deliver(b"picture", build_job(), context, SETTLED, b"ours")
    get_sidecar(context).write_bytes(b"edited")
    deliver(b"other", build_job(first), context, SETTLED)
    assert get_sidecar(context).read_bytes() == b"edited"


def test_a_link_is_never_written_through(context, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    get_sidecar(context).symlink_to(victim)
    with pytest.raises(TargetExists):
        deliver(b"picture", build_job(), context, SETTLED, b"new")
    assert victim.read_bytes() == b"precious"


def test_a_second_try_of_the_same_run_takes_over_its_own_sidecar(context, monkeypatch):
    """The first worker is lost between the sidecar and the picture."""

    def lost(*_):
        raise OSError(5, "lost")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_publish_target", lost)
        with pytest.raises(OutputError):
            deliver(b"picture", build_job(), context, SETTLED, b"first")
    assert get_sidecar(context).read_bytes() == b"first"
    deliver(b"picture", build_job(), context, SETTLED, b"second")
    assert get_sidecar(context).read_bytes() == b"second"
