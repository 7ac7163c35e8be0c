import time

import pytest

from archive_colorizer.errors import OutputBusy, OutputError
from archive_colorizer.manifest.location import manifest_of
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output import ownership as module
from archive_colorizer.output.ownership import hold
from archive_colorizer.records.outcomes import Outcome, State

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
        with hold(output) as held, held.keeping(), Manifest.open(held.folder, held.check) as one:
            record(one, name)
        assert not held.folder.exists()
    assert names(bucket) == ["a", "b"]
    assert bucket.there() == {KEPT}
    assert Manifest.peek(output).newest("b").state is State.SKIPPED
    with manifest_of(output) as folder:
        assert (folder / "manifest.jsonl").read_bytes() == bucket.get(KEPT)


def test_a_run_with_nothing_to_record_leaves_nothing(bucket, output):
    with hold(output) as held, held.keeping(), Manifest.open(held.folder, held.check):
        pass
    assert bucket.there() == set()
    assert len(Manifest.peek(output)) == 0


def test_it_goes_to_the_store_while_the_run_goes_on(bucket, output, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.05)
    with hold(output) as held, held.keeping(), Manifest.open(held.folder, held.check) as manifest:
        record(manifest, "a")
        end = time.monotonic() + 60
        while KEPT not in bucket.there():
            assert time.monotonic() < end
        with pytest.raises(OutputBusy), hold(output):
            pass


def test_who_was_taken_over_records_nothing_more(bucket, output):
    with hold(output) as held, held.keeping(), Manifest.open(held.folder, held.check) as manifest:
        record(manifest, "a")
        bucket.remove("out/.work/lock.json")
    assert KEPT not in bucket.there()
    with hold(output) as held:
        keeper = held.check.__self__
        keeper._lease.is_lost = True
        with pytest.raises(OutputError, match="taken over"):
            held.check()


def test_a_store_that_refuses_the_manifest_stops_the_run(bucket, output, monkeypatch):
    def refuse(path, place):
        raise PermissionError(13, "Access Denied")

    monkeypatch.setattr(module, "EVERY", 0.05)
    with pytest.raises(OutputError, match=r"Access Denied.*finds the results"):  # noqa: SIM117
        with hold(output) as held, held.keeping(), Manifest.open(held.folder, held.check) as one:
            monkeypatch.setattr("archive_colorizer.storage.objects.send", refuse)
            record(one, "a")
            end = time.monotonic() + 60
            while True:
                assert time.monotonic() < end
                record(one, "b")
    assert ".work/lock.json" not in bucket.there("out/")
