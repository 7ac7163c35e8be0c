"""One source breaks: it fails alone, with its reason, and the next run tries it again."""

from dataclasses import replace
from typing import Any

import pytest

from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.records.jobs import JobContext
from archive_colorizer.records.outcomes import State
from archive_colorizer.restore import photo
from tests.faults.archive import Archive


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize(
    ("fault", "reason", "said"),
    [
        ("eio", "unreadable", "Input/output error"),
        ("vanishes", "unreadable", "No such file"),
        ("grows", "source-changed", "written to during its restoration"),
    ],
)
def test_it_fails_alone(archive: Archive, fault: str, reason: str, said: str) -> None:
    archive.put("a", fault, "z")
    before = archive.originals()
    summary = archive.run()
    assert (summary.done, summary.failures) == (2, {reason: 1})
    assert said in (archive.outcome(fault).message or "")
    assert set(archive.results()) == {"a", "z"}
    archive.assert_clean()
    after = archive.originals()
    assert (before["a"], before["z"]) == (after["a"], after["z"])


def test_it_is_tried_again_when_the_fault_has_gone(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.faults.injected import restore_with_faults

    archive.put("a", "eio")
    with monkeypatch.context() as patch:
        patch.setattr("archive_colorizer.pipeline.photos.restore_photos", restore_with_faults)
        archive.run()
    made = archive.results()
    summary = archive.run()
    assert (summary.done, summary.failed, summary.unchanged[State.DONE]) == (1, 0, 1)
    assert archive.results()["a"] == made["a"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("std::bad_alloc"),
        RuntimeError("Failed to allocate memory for requested buffer of size 1073741824"),
        RuntimeError("CUDA failure 2: out of memory ; GPU=0 ; hostname=archive"),
    ],
    ids=["processor", "arena", "cuda"],
)
def test_a_network_without_memory_never_ends_in_a_grey_picture(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Full:
        def run(self, *_: object) -> Any:
            raise error

    archive.put("a", "b")
    real = photo.load_ensemble
    with monkeypatch.context() as patch:

        def full(place: JobContext) -> Ensemble:
            (opened,) = real(place).colorizers
            return Ensemble((replace(opened, session=Full()),))

        patch.setattr(photo, "load_ensemble", full)
        summary = archive.run()
    assert summary.failures == {"memory": 2}
    assert not archive.results()
    archive.assert_clean()
    assert archive.run().done == 2
    archive.assert_clean()
