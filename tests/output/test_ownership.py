import time

import pytest

from archive_colorizer.errors import OutputBusy, OutputError
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output import ownership as module
from archive_colorizer.output.ownership import acquire_output
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.storage.reading import get_storage

KEPT = "out/manifest.jsonl"


@pytest.fixture
def output(bucket):
    return bucket.address / "out"


def record(manifest, *names):
    manifest.append([Outcome(key="k", name=name, state=State.SKIPPED) for name in names])


def names(bucket):
    return [one["name"] for one in bucket.manifest("out/")]


def test_the_manifest_comes_from_the_store_and_goes_back(bucket, output):
    for name in "ab":
        with (
            acquire_output(output) as held,
            held.sync_manifest(),
            Manifest.open(held.folder, held.check_ownership) as one,
        ):
            record(one, name)
        assert not held.folder.exists()
    assert names(bucket) == ["a", "b"]
    assert bucket.there() == {KEPT}
    assert Manifest.peek(output).find_newest("b").state is State.SKIPPED
    with get_storage(output / "manifest.jsonl").copy_locally() as path:
        assert path.read_bytes() == bucket.get(KEPT)


def test_a_run_with_nothing_to_record_leaves_nothing(bucket, output):
    with (
        acquire_output(output) as held,
        held.sync_manifest(),
        Manifest.open(held.folder, held.check_ownership),
    ):
        pass
    assert bucket.there() == set()
    assert len(Manifest.peek(output)) == 0


def test_it_goes_to_the_store_while_the_run_goes_on(bucket, output, monkeypatch):
    monkeypatch.setattr(module, "SYNC_SECONDS", 0.05)
    with (
        acquire_output(output) as held,
        held.sync_manifest(),
        Manifest.open(held.folder, held.check_ownership) as manifest,
    ):
        record(manifest, "a")
        end = time.monotonic() + 60
        while KEPT not in bucket.there():
            assert time.monotonic() < end
        with pytest.raises(OutputBusy), acquire_output(output):
            pass


def test_who_was_taken_over_records_nothing_more(bucket, output):
    with (
        acquire_output(output) as held,
        held.sync_manifest(),
        Manifest.open(held.folder, held.check_ownership) as manifest,
    ):
        record(manifest, "a")
        bucket.remove("out/.work/lock.json")
    assert KEPT not in bucket.there()
    with acquire_output(output) as held:
        keeper = held.check_ownership.__self__
        keeper._lease.is_lost = True
        with pytest.raises(OutputError, match="taken over"):
            held.check_ownership()


def test_a_store_that_refuses_the_manifest_stops_the_run(bucket, output, monkeypatch):
    def refuse(place, path):
        raise PermissionError(13, "Access Denied")

    monkeypatch.setattr(module, "SYNC_SECONDS", 0.05)
    with pytest.raises(OutputError, match=r"Access Denied.*finds the results"):  # noqa: SIM117
        with (
            acquire_output(output) as held,
            held.sync_manifest(),
            Manifest.open(held.folder, held.check_ownership) as one,
        ):
            monkeypatch.setattr(
                "archive_colorizer.storage.object_storage.ObjectStorage.upload", refuse
            )
            record(one, "a")
            end = time.monotonic() + 60
            while True:
                assert time.monotonic() < end
                record(one, "b")
    assert ".work/lock.json" not in bucket.there("out/")
