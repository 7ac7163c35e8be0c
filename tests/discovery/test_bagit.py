"""Bags as input: what they vouch for, and what is refused."""

import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from archive_colorizer.discovery.bagit import walk_root
from archive_colorizer.errors import FixityMismatch, SourceError
from archive_colorizer.records.jobs import RejectedEntry, Source
from archive_colorizer.restore.source_file import check_fixity

bagit = pytest.importorskip("bagit")


@pytest.fixture
def folder(tmp_path):
    """Three files that are called pictures, not yet in a bag."""
    folder = tmp_path / "bag"
    (folder / "box").mkdir(parents=True)
    for name in ("a.png", "b.jpg", "box/c.tif"):
        (folder / name).write_text(name)
    return folder


def bag_of(folder, *algorithms):
    bagit.make_bag(str(folder), checksums=list(algorithms or ("sha256",)))
    return folder


def checked(root):
    """Names whose content is what the bag says, as a worker finds it."""
    sound = []
    for entry in walk_root(root):
        if isinstance(entry, Source):
            check_fixity(entry.path.read_bytes(), entry)
            sound.append(entry.name)
    return sound


def test_a_folder_is_no_bag(folder):
    entries = [*walk_root(folder), *walk_root(folder / "a.png")]
    assert [one.name for one in entries] == ["a.png", "b.jpg", "box/c.tif", "a.png"]
    assert not any(one.fixity for one in entries)


@pytest.mark.parametrize(
    "algorithms", [("sha256",), ("md5",), ("sha1", "sha512"), ("md5", "sha256")]
)
def test_every_source_of_a_sound_bag_is_vouched_for(folder, algorithms):
    bag_of(folder, *algorithms)
    assert checked(folder) == ["a.png", "b.jpg", "box/c.tif"]
    assert all(one.fixity for one in walk_root(folder))


def test_sha256_is_preferred_since_it_costs_nothing(folder):
    bag_of(folder, "md5", "sha512", "sha256")
    assert all(one.fixity.startswith("sha256:") for one in walk_root(folder))


def test_a_flipped_bit_is_noticed(folder):
    bag_of(folder, "md5")
    (folder / "data" / "b.jpg").write_text("b.jpf")
    with pytest.raises(FixityMismatch, match=r"b\.jpg has not the md5"):
        checked(folder)


def test_what_is_missing_or_not_listed_fails(folder):
    bag_of(folder)
    (folder / "data" / "a.png").unlink()
    (folder / "data" / "late.png").write_text("late")
    failed = {one.relative: one for one in walk_root(folder) if isinstance(one, RejectedEntry)}
    assert set(failed) == {"a.png", "late.png"}
    assert all(one.failed and one.reason == "fixity" for one in failed.values())
    assert "missing" in failed["a.png"].message


def test_what_is_no_picture_stays_what_it_is(folder):
    (folder / "notes.txt").write_text("words")
    bag_of(folder)
    (note,) = (one for one in walk_root(folder) if isinstance(one, RejectedEntry))
    assert (note.reason, note.failed) == ("not-a-picture", False)


def test_a_damaged_manifest_is_refused(folder):
    bag_of(folder)
    manifest = folder / "manifest-sha256.txt"
    text = manifest.read_text()
    manifest.write_text(("0" if text[0] != "0" else "1") + text[1:])
    with pytest.raises(SourceError, match="tag manifest"):
        walk_root(folder)


def test_notes_in_the_bag_may_be_edited(folder):
    bag_of(folder)
    with (folder / "bag-info.txt").open("a") as stream:
        stream.write("Contact-Name: somebody\n")
    assert checked(folder)


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "data/../../secret", "~/secret", "../bag-beside/secret"]
)
def test_dangerous_paths_are_refused(folder, path):
    bag_of(folder)
    (folder / "tagmanifest-sha256.txt").unlink()
    with (folder / "manifest-sha256.txt").open("a") as stream:
        stream.write(f"{'0' * 64}  {path}\n")
    with pytest.raises(SourceError):
        walk_root(folder)


@pytest.mark.parametrize("broken", ["manifest-sha256.txt", "bagit.txt"])
def test_a_broken_bag_is_refused_and_never_taken_for_a_folder(folder, broken):
    bag_of(folder)
    (folder / broken).write_bytes(b"\xff\xfe\x00 rubbish \x81\n")
    with pytest.raises(SourceError):
        walk_root(folder)


def test_a_bag_without_manifest_is_refused(folder):
    bag_of(folder)
    for place in [*folder.glob("manifest-*"), *folder.glob("tagmanifest-*")]:
        place.unlink()
    with pytest.raises(SourceError, match="no manifest"):
        walk_root(folder)


def test_accents_may_be_composed_or_parted(folder):
    parted = unicodedata.normalize("NFD", "Müller.png")
    (folder / parted).write_text("x")
    bag_of(folder)
    (folder / "data" / parted).rename(folder / "data" / unicodedata.normalize("NFC", parted))
    assert unicodedata.normalize("NFC", parted) in checked(folder)


def test_a_name_with_a_line_break_survives(folder):
    (folder / "two\nlines.png").write_text("x")
    bag_of(folder)
    assert "two\nlines.png" in checked(folder)


def test_prefixes_reach_the_failures(folder):
    bag_of(folder)
    shutil.rmtree(folder / "data" / "box")
    names = [one.name for one in walk_root(folder, "first")]
    assert names == ["first/a.png", "first/b.jpg", "first/box/c.tif"]


def test_links_that_lead_out_are_refused_with_the_bag(folder, tmp_path):
    """A payload that is a link: its content is somebody else's."""
    (tmp_path / "outside.png").write_text("a.png")
    bag_of(folder)
    (folder / "data" / "a.png").unlink()
    os.symlink(tmp_path / "outside.png", folder / "data" / "a.png")  # noqa: PTH211
    with pytest.raises(SourceError, match="unsafe"):
        walk_root(folder)


def test_the_folder_of_the_payload_is_absolute_when_the_bag_is(folder):
    bag_of(folder)
    assert {one.root for one in walk_root(folder)} == {str(Path(folder, "data"))}
