"""A watcher reports what others do to files, and stops waiting on a signal."""

import errno
import os
import signal
import sys
import threading
import time

import pytest

from archive_colorizer.pipeline.watch import FolderWatcher
from archive_colorizer.run.signals import Stop

AT_MOST = 30.0


@pytest.fixture
def watcher(tmp_path):
    watcher = FolderWatcher(Stop())
    assert watcher.start(tmp_path) is None
    yield watcher
    watcher.stop()


def drain(watcher):
    """Consume the changes so far."""
    while watcher.wait(1.0):
        pass


def test_files_that_come_change_and_go_are_reported_at_any_depth(watcher, tmp_path):
    place = tmp_path / "box" / "inner"
    place.mkdir(parents=True)
    assert watcher.wait(AT_MOST)
    drain(watcher)
    for act in (
        lambda: (place / "a.jpg").write_bytes(b"a"),
        lambda: (place / "a.jpg").rename(tmp_path / "b.jpg"),
        lambda: (tmp_path / "b.jpg").write_bytes(b"more"),
    ):
        act()
        assert watcher.wait(AT_MOST)
        drain(watcher)


@pytest.mark.skipif(sys.platform != "linux", reason="only inotify reports reading")
def test_reading_is_not_reported(watcher, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a")
    watcher.wait(AT_MOST)
    drain(watcher)
    (tmp_path / "a.jpg").read_bytes()
    assert not watcher.wait(1.0)


def test_a_folder_that_is_not_there_is_a_reason_not_an_error(tmp_path):
    assert FolderWatcher(Stop()).start(tmp_path / "none")


def test_a_system_that_reports_nothing_is_a_reason_not_an_error(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("watchfiles.main.RustNotify", refuse)
    watcher = FolderWatcher(Stop())
    assert watcher.start(tmp_path) == os.strerror(errno.ENOSPC)
    assert not watcher.wait(0.1)


def test_a_change_between_start_and_wait_is_reported(watcher, tmp_path):
    drain(watcher)
    (tmp_path / "a.jpg").write_bytes(b"a")
    time.sleep(1.0)
    assert watcher.wait(AT_MOST)


def test_a_wait_ends_when_the_run_is_asked_to_stop(tmp_path):
    stop = Stop()
    watcher = FolderWatcher(stop)
    assert watcher.start(tmp_path) is None
    threading.Timer(0.3, stop.request, (signal.SIGTERM,)).start()
    start = time.monotonic()
    assert not watcher.wait(600)
    assert time.monotonic() - start < 300
    watcher.stop()
