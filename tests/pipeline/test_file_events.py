"""The bell rings for what others do to files, and ends with a signal."""

import errno
import os
import signal
import sys
import threading
import time

import pytest

from archive_colorizer.pipeline.file_events import Bell
from archive_colorizer.run.signals import Stop

AT_MOST = 30.0


@pytest.fixture
def bell(tmp_path):
    with Bell(Stop()) as made:
        assert made.hang(tmp_path) is None
        yield made


def quiet(bell):
    """Whatever still rings from before is heard."""
    while bell.wait(1.0):
        pass


def test_it_rings_for_files_that_come_change_and_go_at_any_depth(bell, tmp_path):
    place = tmp_path / "box" / "inner"
    place.mkdir(parents=True)
    assert bell.wait(AT_MOST)
    quiet(bell)
    for act in (
        lambda: (place / "a.jpg").write_bytes(b"a"),
        lambda: (place / "a.jpg").rename(tmp_path / "b.jpg"),
        lambda: (tmp_path / "b.jpg").write_bytes(b"more"),
    ):
        act()
        assert bell.wait(AT_MOST)
        quiet(bell)


@pytest.mark.skipif(sys.platform != "linux", reason="only inotify tells of reading")
def test_it_does_not_ring_for_reading(bell, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a")
    bell.wait(AT_MOST)
    quiet(bell)
    (tmp_path / "a.jpg").read_bytes()
    assert not bell.wait(1.0)


def test_a_folder_that_is_not_there_is_a_reason_not_an_error(tmp_path):
    with Bell(Stop()) as bell:
        assert bell.hang(tmp_path / "none")


def test_a_system_that_cannot_tell_is_a_reason_not_an_error(tmp_path, monkeypatch):
    def refuse(_observer):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("watchdog.observers.Observer.start", refuse)
    with Bell(Stop()) as bell:
        assert bell.hang(tmp_path) == os.strerror(errno.ENOSPC)
        assert not bell.wait(0.1)


def test_a_wait_ends_when_the_run_is_asked_to_stop(tmp_path):
    stop = Stop()
    with Bell(stop) as bell:
        threading.Timer(0.3, stop.ask, (signal.SIGTERM,)).start()
        begun = time.monotonic()
        assert not bell.wait(600)
        assert time.monotonic() - begun < 300
