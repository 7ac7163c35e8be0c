"""The machine breaks: the run stops early, says what failures have in common, loses nothing."""

import pytest

from archive_colorizer.errors import SourceError
from archive_colorizer.run.circuit_breaker import MAX_FAILURES
from tests.faults.archive import Archive


def test_a_disk_that_is_lost_stops_the_run(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.faults.injected import restore_with_faults

    lost = [f"eio-{number:02}" for number in range(MAX_FAILURES + 5)]
    archive.put("a", *lost, "z")
    with monkeypatch.context() as patch:
        patch.setattr("archive_colorizer.pipeline.photos.restore_photos", restore_with_faults)
        match = f"{MAX_FAILURES} failures in a row.*Input/output error"
        with pytest.raises(SourceError, match=match):
            archive.run()
        words = archive.reasons()
        assert list(words.values()).count("unreadable") >= MAX_FAILURES
        assert words["a"] == "done"
        assert "z" not in words
        archive.assert_clean()
        # The second run passes the stretch that the first one knew to be lost.
        archive.run()
        assert archive.reasons()["z"] == "done"
    summary = archive.run()
    assert (summary.done, summary.failed) == (len(lost), 0)
    assert len(archive.results()) == len(lost) + 2
    archive.assert_clean()
