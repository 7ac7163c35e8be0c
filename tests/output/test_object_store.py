import hashlib

import pytest

from archive_colorizer.errors import (
    OutputError,
    ResultUnsent,
    ResultUnsound,
    TargetExists,
    TargetName,
)
from archive_colorizer.output.deliver import deliver
from archive_colorizer.output.recovery import find_unrecorded, open_work, read_outcome_at
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext, Source, Stamp
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.storage.object_storage import ObjectStorage

STAMP = Stamp(1, 2, 0, 3)


def a_job(name="box/a.jpg", key="k", replaces=False, beside=None):
    return Job(key, Source("s3://x/scans", name, STAMP), name, replaces, beside)


def bring(bucket, data, job, sidecar=None, check=None):
    place = JobContext(str(bucket.address / "out"), "", Recipe(), "m", "s")
    known = Outcome(
        key=job.key, name=job.name, state=State.DONE, source_stamp=STAMP, source_sha256="c"
    )
    return deliver(data, job, place, known, sidecar, check)


def test_a_result_and_the_note_of_it_appear_together(bucket):
    output = bucket.address / "out"
    outcome = bring(bucket, b"result", a_job())
    assert bucket.get("out/box/a.jpg") == b"result"
    assert outcome.target_sha256 == hashlib.sha256(b"result").hexdigest()
    assert read_outcome_at(output, "box/a.jpg") == outcome
    assert find_unrecorded(output, "box/a.jpg", None) == outcome
    assert find_unrecorded(output, "box/a.jpg", outcome) is None
    work, _ = open_work(output, "run")
    assert work.find_finished([a_job(), a_job(key="other")]) == {"k": outcome}
    answer = bucket.client.head_object(Bucket=bucket.name, Key="out/box/a.jpg")
    assert answer["ContentType"] == "image/jpeg"


def test_a_copy_of_a_result_is_not_taken_for_one(bucket):
    bring(bucket, b"result", a_job())
    source = {"Bucket": bucket.name, "Key": "out/box/a.jpg"}
    bucket.client.copy_object(Bucket=bucket.name, Key="out/b.jpg", CopySource=source)
    assert read_outcome_at(bucket.address / "out", "b.jpg") is None
    with pytest.raises(TargetExists):
        bring(bucket, b"mine", a_job("b.jpg"))
    assert bucket.get("out/b.jpg") == b"result"


def test_what_a_lost_worker_has_made_stays_and_what_was_edited_is_kept(bucket):
    first = bring(bucket, b"made by a lost worker", a_job())
    second = bring(bucket, b"made again", a_job())
    assert (second.target_sha256, second.target_stamp) == (first.target_sha256, first.target_stamp)
    assert bucket.get("out/box/a.jpg") == b"made by a lost worker"
    bring(bucket, b"other settings", a_job(key="other"))
    assert bucket.get("out/box/a.jpg") == b"other settings"
    bucket.put("out/box/a.jpg", b"edited")
    with pytest.raises(TargetExists, match="was kept"):
        bring(bucket, b"mine", a_job())
    bring(bucket, b"mine", a_job(replaces=True))
    assert bucket.get("out/box/a.jpg") == b"mine"


def test_names_that_no_store_takes(bucket):
    for name in ("x" * 1020 + ".jpg", "\udcff.jpg"):
        with pytest.raises(TargetName, match="rename the scan"):
            bring(bucket, b"x", a_job(name))
    with pytest.raises(TargetName):  # with its folder and ".xmp" it is too long
        bring(bucket, b"x", a_job("x" * 1014 + ".jpg"), sidecar=b"<x/>")
    assert bucket.there() == set()


def test_a_name_that_azure_would_make_another(bucket):
    tab = a_job("a\tb.jpg")
    bring(bucket, b"x", tab)
    in_azure = JobContext("az://scans/out", "", Recipe(), "m", "s")
    known = Outcome(key="k", name="a", state=State.DONE, source_stamp=STAMP, source_sha256="c")
    with pytest.raises(TargetName, match="control character"):
        deliver(b"x", tab, in_azure, known, None)


def test_a_result_is_looked_at_before_and_after(bucket, monkeypatch):
    seen = []
    bring(bucket, b"result", a_job(), check=seen.append)
    assert seen == [b"result"]

    def refuse(data):
        raise ResultUnsound("not what was meant")

    with pytest.raises(ResultUnsound, match="not what"):
        bring(bucket, b"x", a_job("b.jpg"), check=refuse)
    monkeypatch.setattr(ObjectStorage, "read_content", lambda place: b"rotten")
    with pytest.raises(ResultUnsound, match="gave back other bytes"):
        bring(bucket, b"x", a_job("b.jpg"), check=seen.append)
    assert bucket.there("out/") == {"box/a.jpg"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionError(103, "Could not connect"), ResultUnsent),
        (PermissionError(13, "Access Denied"), OutputError),
        (FileNotFoundError(2, "The specified bucket does not exist"), OutputError),
    ],
)
def test_only_what_the_next_file_would_suffer_too_stops_the_run(bucket, monkeypatch, error, kind):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(ObjectStorage, "put", fail)
    with pytest.raises(kind, match=error.strerror) as told:
        bring(bucket, b"x", a_job())
    assert type(told.value) is kind
