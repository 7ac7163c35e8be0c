import errno
import pickle
from dataclasses import FrozenInstanceError
from functools import partial
from pathlib import Path

import pytest

from archive_colorizer.errors import SourceError
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext, RejectedEntry, Source, Stamp
from archive_colorizer.restore.photo import restore_photos

SOURCE = Source("/archive/scans", "box 17/" + "n" * 200 + ".tif", Stamp(1, 2, 3, 4))


def test_a_job_is_small_and_travels():
    job = Job("0" * 64, SOURCE, SOURCE.name)
    assert len(pickle.dumps(job)) < 2048
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301


def test_what_a_worker_is_told_is_small_and_travels():
    place = JobContext("/out", "/out/.work/x", Recipe(), "/models/default.onnx", "0" * 64)
    task = partial(restore_photos, context=place)
    assert len(pickle.dumps(task)) < 2048


def test_names_that_are_no_utf8_survive():
    source = Source("/scans", "caf\udce9.jpg", Stamp(1, 2, 3, 4))
    assert pickle.loads(pickle.dumps(source)) == source  # noqa: S301
    assert bytes(source.path).endswith(b"caf\xe9.jpg")


def test_a_prefix_stands_before_the_name():
    source = Source("/a/scans", "b.jpg", Stamp(1, 2, 3, 4), prefix="scans")
    assert source.name == "scans/b.jpg"
    assert source.path == Path("/a/scans/b.jpg")
    assert (
        RejectedEntry("/a/scans", "c.txt", "not-a-picture", "words", prefix="scans").name
        == "scans/c.txt"
    )


def test_records_do_not_change():
    with pytest.raises(FrozenInstanceError):
        SOURCE.relative = "other"


def wrapped(cause: OSError) -> SourceError:
    """An error as readers raise it: with the system's words, and without its cause."""
    try:
        try:
            raise cause
        except OSError:
            raise SourceError("cannot be read") from None
    except SourceError as error:
        return error


def test_the_errno_behind_an_error_is_found():
    assert SOURCE.find_errno(OSError(errno.EIO, "bad")) == errno.EIO
    assert SOURCE.find_errno(wrapped(OSError(errno.EACCES, "no"))) == errno.EACCES
    assert SOURCE.find_errno(SourceError("is no picture")) is None


def test_what_a_store_refuses_is_about_credentials_and_has_no_errno():
    source = Source("s3://bucket", "a.jpg", Stamp(1, 2, 3, 4))
    assert source.find_errno(wrapped(PermissionError(errno.EACCES, "no"))) is None
    assert source.find_errno(wrapped(OSError(errno.EIO, "bad"))) == errno.EIO
