import json
import os
import subprocess
import sys

import pytest

from archive_colorizer.errors import OutputBusy
from archive_colorizer.output import lease as module
from archive_colorizer.output.lease import Lease
from archive_colorizer.output.ownership import describe_holder

LOCK = "out/.work/lock.json"


@pytest.fixture
def output(bucket):
    return bucket.address / "out"


def elsewhere(bucket):
    """The lock is that of another machine now."""
    holder = {"pid": os.getpid(), "host": "far-away", "since": "then", "system": "another"}
    bucket.put(LOCK, json.dumps(holder).encode())


def test_one_run_holds_an_output_and_the_next_comes_after_it(bucket, output):
    first = Lease.acquire(output)
    assert first.is_exclusive
    assert f"pid {os.getpid()} " in describe_holder(output)
    with pytest.raises(OutputBusy, match=f"pid {os.getpid()} .*last heard of"):
        Lease.acquire(output)
    first.renew()
    assert not first.is_lost
    first.release()
    assert bucket.there() == set()
    assert describe_holder(output) is None
    Lease.acquire(output).release()


def test_a_run_of_this_machine_that_died_is_followed_at_once(bucket, output):
    said = "from archive_colorizer.location import ObjectLocation as A; from sys import argv; "
    said += (
        "from archive_colorizer.output.lease import Lease; Lease.acquire(A('s3', argv[1], 'out'))"
    )
    subprocess.run([sys.executable, "-c", said, bucket.name], check=True)
    assert bucket.there() == {LOCK}
    Lease.acquire(output).release()


def test_a_run_elsewhere_is_followed_when_it_was_silent_for_long(bucket, output, monkeypatch):
    elsewhere(bucket)
    with pytest.raises(OutputBusy, match=r"far-away.*run again in \d+ s"):
        Lease.acquire(output)
    monkeypatch.setattr(module, "LEASE_SECONDS", 0)
    taken = Lease.acquire(output)
    monkeypatch.undo()
    assert "far-away" not in describe_holder(output)
    assert bucket.there() == {LOCK}
    taken.release()


def test_of_those_who_would_follow_one_does(bucket, output, monkeypatch):
    elsewhere(bucket)
    monkeypatch.setattr(module, "LEASE_SECONDS", 0)
    seen = module.ObjectStorage(output / ".work/lock.json").read_info().stamp
    bucket.put(f"out/.work/takeover-{seen.inode:x}", b"")
    with pytest.raises(OutputBusy, match="is being taken over"):
        Lease.acquire(output)
    bucket.remove(f"out/.work/takeover-{seen.inode:x}")
    # Somebody was quicker between two looks.
    late = Lease(output, "late", "now", 0.0)
    elsewhere(bucket)
    bucket.put(LOCK, b"{}")
    with pytest.raises(OutputBusy):
        late._take_over(seen)
    assert bucket.get(LOCK) == b"{}"
    assert bucket.there() == {LOCK}


@pytest.mark.parametrize("went", [elsewhere, lambda bucket: bucket.remove(LOCK)])
def test_who_has_lost_it_notices_and_takes_nothing_away(bucket, output, went):
    lost = Lease.acquire(output)
    went(bucket)
    before = bucket.versions()
    lost.renew()
    assert lost.is_lost
    lost.release()
    assert bucket.versions() == before


def test_what_could_not_be_renewed_in_time_is_lost(bucket, output, monkeypatch):
    lease = Lease.acquire(output)
    lease.renewed -= module.LEASE_SECONDS + 1
    lease.renew()
    assert lease.is_lost


def test_a_store_without_conditions_is_found_out(bucket, output, monkeypatch):
    put = module.ObjectStorage.put
    careless = lambda place, data, note="", new=False: put(place, data, note)  # noqa: E731
    monkeypatch.setattr(module.ObjectStorage, "put", careless)
    lease = Lease.acquire(output)
    assert not lease.is_exclusive
    with pytest.raises(OutputBusy):
        Lease.acquire(output)
