"""Bags as output: whole or not there, and read back by another program."""

import hashlib
from pathlib import Path

import pytest

from archive_colorizer.errors import OutputBusy, OutputError, TargetExists
from archive_colorizer.export import bagit as bag_writer
from archive_colorizer.export.bagit import write_bag
from archive_colorizer.output.lock import lock_output
from archive_colorizer.verification.files import FindingKind
from tests.manifest.records_of_a_run import done, opening, written

bagit = pytest.importorskip("bagit")


def made_output(folder: Path, *names: str, **changed: object) -> Path:
    """An output whose results are the bytes of their own names."""
    output = folder / "out"
    output.mkdir()
    outcomes = []
    for name in names:
        place = output / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(name.encode("utf-8", "surrogateescape"))
        digest = hashlib.sha256(place.read_bytes()).hexdigest()
        outcomes.append(done(name, target_sha256=digest, **changed))
    written(output, opening(), *outcomes)
    return output


def test_names_that_are_hard_to_list_survive(tmp_path):
    names = ("two\nlines.png", "50%.png", "%0A.tif", "-  *.jpg", "ü/ö.png", "a\u202eb.png")
    output = made_output(tmp_path, *(name for name in names if name != "%0A.tif"))
    bagged = write_bag(output, tmp_path / "bag")
    assert bagged.findings == ()
    bag = bagit.Bag(str(tmp_path / "bag"))
    assert bag.validate()
    assert {"data/two\nlines.png", "data/50%.png", "data/ü/ö.png"} <= set(bag.payload_entries())


@pytest.mark.parametrize("name", ["b\udcffd.png", "%0A.tif", "end \u2028.png"])
def test_names_that_cannot_be_listed_are_refused(tmp_path, name):
    output = made_output(tmp_path, "a.png", name)
    with pytest.raises(OutputError, match="rename"):
        write_bag(output, tmp_path / "bag")
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_sidecars_travel(tmp_path):
    sidecar = hashlib.sha256(b"xmp").hexdigest()
    output = made_output(tmp_path, "a.bmp", sidecar_sha256=sidecar)
    (output / "a.bmp.xmp").write_bytes(b"xmp")
    assert write_bag(output, tmp_path / "bag").files == 3
    assert (tmp_path / "bag" / "data" / "a.bmp.xmp").read_bytes() == b"xmp"


def test_links_are_not_followed(tmp_path):
    output = made_output(tmp_path, "a.png", "b.png")
    (output / "a.png").rename(tmp_path / "elsewhere.png")
    (output / "a.png").symlink_to(tmp_path / "elsewhere.png")
    (finding,) = write_bag(output, tmp_path / "bag").findings
    assert (finding.kind, finding.path) == (FindingKind.MISSING, "a.png")
    assert not (tmp_path / "bag").exists()


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    output = made_output(tmp_path, "a.png")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bag_writer, "_write_tags", full)
    with pytest.raises(OutputError, match="No space left"):
        write_bag(output, tmp_path / "bag")
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_what_an_ended_program_left_is_not_taken_over(tmp_path):
    output = made_output(tmp_path, "a.png")
    (tmp_path / "bag.unfinished").mkdir()
    with pytest.raises(TargetExists, match="remove it"):
        write_bag(output, tmp_path / "bag")
    assert (tmp_path / "bag.unfinished").is_dir()


def test_nothing_is_packed_while_a_run_is_at_work(tmp_path):
    output = made_output(tmp_path, "a.png")
    with lock_output(output), pytest.raises(OutputBusy):
        write_bag(output, tmp_path / "bag")
