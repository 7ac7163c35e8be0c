"""What files on a disk and objects in a store have in common, from reading to delivery."""

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import OutputBusy, SourceChanged, SourceError, TargetExists
from archive_colorizer.location import Location
from archive_colorizer.output.deliver import deliver, deliver_all
from archive_colorizer.output.deliveries import PendingResult
from archive_colorizer.output.ownership import acquire_output, describe_holder
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext, Source, Stamp
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.storage.object_storage import ObjectStorage
from archive_colorizer.storage.reading import get_storage
from archive_colorizer.verification.files import FindingKind, check_file, find_unexpected

SHA256 = hashlib.sha256(b"content").hexdigest()


@dataclass
class Disk:
    location: Path

    def put(self, name: str, data: bytes) -> None:
        path = self.location / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def get(self, name: str) -> bytes:
        return (self.location / name).read_bytes()

    def remove(self, name: str) -> None:
        (self.location / name).unlink()


@dataclass
class ObjectStore:
    bucket: Any
    location: Location

    def put(self, name: str, data: bytes) -> None:
        self.bucket.put(f"box/{name}", data)
        ObjectStorage.forget_listings()

    def get(self, name: str) -> bytes:
        return self.bucket.get(f"box/{name}")

    def remove(self, name: str) -> None:
        self.bucket.remove(f"box/{name}")
        ObjectStorage.forget_listings()


@pytest.fixture(params=["disk", "object store"])
def place(request, tmp_path):
    if request.param == "disk":
        (tmp_path / "box").mkdir()
        return Disk(tmp_path / "box")
    bucket = request.getfixturevalue("bucket")
    return ObjectStore(bucket, bucket.address / "box")


def test_content_and_stamp_are_read_together(place):
    place.put("a.jpg", b"content")
    storage = get_storage(place.location / "a.jpg")
    data, stamp = storage.read()
    assert (data, stamp.size) == (b"content", 7)
    assert storage.read(stamp) == (data, stamp)
    assert storage.find_stamp() == stamp
    assert storage.read_fixity() == (stamp, SHA256)
    assert storage.is_file() and storage.is_present()
    assert storage.read_beginning(3, stamp) == b"con"
    with storage.copy_locally() as path:
        assert path.read_bytes() == b"content"
    storage.check_unchanged(stamp)


def test_an_empty_file_begins_with_nothing(place):
    place.put("empty", b"")
    storage = get_storage(place.location / "empty")
    data, stamp = storage.read()
    assert data == storage.read_beginning(16, stamp) == b""


def test_a_change_is_noticed(place):
    place.put("a.jpg", b"before")
    storage = get_storage(place.location / "a.jpg")
    _, stamp = storage.read()
    place.put("a.jpg", b"later on")
    with pytest.raises(SourceChanged):
        storage.check_unchanged(stamp)
    assert storage.find_stamp() != stamp
    place.remove("a.jpg")
    with pytest.raises(SourceChanged, match="went away"):
        storage.check_unchanged(stamp)


def test_what_is_missing_is_said_in_each_way(place):
    storage = get_storage(place.location / "missing")
    with pytest.raises(SourceError, match="cannot be read"):
        storage.read()
    with pytest.raises(OSError) as error:
        storage.read_beginning(16, Stamp(1, 0, 0, 0))
    assert error.value.errno == errno.ENOENT
    assert storage.find_stamp() is None
    assert storage.read_fixity() is None
    assert not storage.is_file()
    assert not storage.is_present()
    with pytest.raises(FileNotFoundError), storage.copy_locally() as path:
        path.read_bytes()


def test_a_folder_is_no_file(place):
    place.put("folder/a.jpg", b"content")
    storage = get_storage(place.location / "folder")
    assert not storage.is_file()
    assert storage.find_stamp() is None
    with pytest.raises(SourceError):
        storage.read()


def test_a_folder_is_listed_in_the_order_of_bytes(place):
    for name in ("b.jpg", "a.jpg", "Z.jpg", "\u00e4.jpg", "folder/c.jpg", "a-b.jpg"):
        place.put(name, b"content")
    listing = get_storage(place.location).list_folder()
    names = [name.removesuffix("/") for name in listing.names]
    assert names == ["Z.jpg", "a-b.jpg", "a.jpg", "b.jpg", "folder", "\u00e4.jpg"]
    kinds = {name.removesuffix("/"): listing.inspect(name).kind for name in listing.names}
    assert kinds.pop("folder") == "folder"
    assert set(kinds.values()) == {"file"}
    assert listing.inspect("a.jpg").stamp == get_storage(place.location / "a.jpg").find_stamp()
    with pytest.raises(FileNotFoundError):
        listing.inspect("missing")


def test_a_walk_finds_the_photographs_and_accounts_for_the_rest(place):
    for name in ("a.jpg", "a.jpg.mask.png", "notes.txt", "in/b.jpg", "in/colorize.toml"):
        place.put(name, b"\xff\xd8\xff content")
    entries = {entry.relative: entry for entry in walk(place.location)}
    assert list(entries) == ["a.jpg", "a.jpg.mask.png", "in/b.jpg", "in/colorize.toml", "notes.txt"]
    assert [companion.name for companion in entries["a.jpg"].beside] == ["a.jpg.mask.png"]
    assert entries["in/b.jpg"].overrides == ("in/colorize.toml",)
    assert entries["in/colorize.toml"].reason == "settings"
    (alone,) = walk(place.location / "a.jpg")
    assert (alone.root, alone.relative) == (str(place.location), "a.jpg")
    assert alone.beside == entries["a.jpg"].beside
    with pytest.raises(SourceError):
        list(walk(place.location / "missing"))


def make_result(place, name="a.jpg", data=b"content", key="k", **more):
    """A context with a work folder, and a result that is ready for delivery."""
    work = ""
    if isinstance(place.location, Path):
        work = place.location / ".work" / "run"
        work.mkdir(parents=True, exist_ok=True)
    job = Job(key, Source("/scans", name, Stamp(1, 2, 3, 4)), name, **more)
    outcome = Outcome(
        key=key, name=name, state=State.DONE, source_stamp=job.source.stamp, source_sha256="c"
    )
    context = JobContext(str(place.location), str(work), Recipe(), "m", "s")
    return context, PendingResult(data, job, outcome, sidecar=b"<x/>")


def bring(place, **more):
    context, pending = make_result(place, **more)
    (result,) = deliver_all([pending], context)
    return result


def test_a_result_is_delivered_with_its_sidecar(place):
    outcome = bring(place)
    assert place.get("a.jpg") == b"content"
    assert place.get("a.jpg.xmp") == b"<x/>"
    assert outcome.target_sha256 == SHA256
    assert outcome.target_stamp == get_storage(place.location / "a.jpg").find_stamp()


def test_a_foreign_file_is_kept_and_an_own_one_replaced(place):
    place.put("a.jpg", b"foreign")
    result = bring(place)
    assert isinstance(result, TargetExists)
    assert place.get("a.jpg") == b"foreign"
    context, pending = make_result(place)
    with pytest.raises(TargetExists):
        deliver(b"content", pending.job, context, pending.outcome)
    assert isinstance(bring(place, replaces=True), Outcome)
    assert place.get("a.jpg") == b"content"


def test_a_result_of_a_lost_worker_stands(place):
    first, second = bring(place), bring(place, data=b"made again")
    assert place.get("a.jpg") == b"content"
    assert second.target_sha256 == first.target_sha256


def test_verification_finds_missing_changed_and_unexpected_files(place):
    bring(place)
    assert check_file(place.location, "a.jpg", SHA256) is None
    assert check_file(place.location, "a.jpg", "0" * 64).kind is FindingKind.CHANGED
    assert check_file(place.location, "missing", SHA256).kind is FindingKind.MISSING
    place.put("in/other", b"content")
    place.put("manifest.jsonl", b"")
    (finding,) = find_unexpected(place.location, {"a.jpg", "a.jpg.xmp"})
    assert (finding.kind, finding.path) == (FindingKind.UNEXPECTED, "in/other")


def test_one_run_owns_an_output(place):
    assert describe_holder(place.location) is None
    for _ in range(2):
        with acquire_output(place.location):
            assert "pid" in describe_holder(place.location)
            with pytest.raises(OutputBusy, match="another run"), acquire_output(place.location):
                pass
    assert describe_holder(place.location) is None
