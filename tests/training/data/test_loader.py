"""Batches made ahead, by a thread or by processes: the same, in order, and nobody left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest

from archive_colorizer.errors import SourceError
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data import loader as stream_module
from archive_colorizer.training.data.crops import CropSampler, index_photos, read_photos
from archive_colorizer.training.data.loader import BatchLoader

ASKED = [(0, 3, 32), (3, 2, 64), (5, 3, 32), (100, 2, 32)]


def take_all(stream):
    for request in ASKED:
        stream.request(*request)
    return [stream.get() for _ in ASKED]


def same(batches, others):
    together = zip(batches, others, strict=True)
    pairs = [pair for batch in together for pair in zip(*batch, strict=True)]
    return all(np.array_equal(one, other) for one, other in pairs)


@pytest.fixture(scope="module")
def crops(tar):
    return CropSampler(index_photos([tar]), TrainingRecipe())


@pytest.fixture(scope="module")
def expected(tar):
    held = CropSampler(read_photos([tar]), TrainingRecipe())
    return [held.make_batch(*request) for request in ASKED]


def test_a_thread_and_processes_give_the_same_batches(crops, expected):
    with BatchLoader(crops, 0) as stream:
        assert same(take_all(stream), expected)
    with BatchLoader(crops, 2) as stream:
        assert same(take_all(stream), expected)
        readers = psutil.Process().children(recursive=True)
    assert not multiprocessing.active_children()
    assert readers


def test_no_more_is_made_than_asked_for(crops):
    with BatchLoader(crops, 0) as stream:
        asked = 0
        while not stream.is_full:
            stream.request(asked, 1, 32)
            asked += 1
    assert asked == 3


def test_a_reader_that_is_killed_is_replaced(crops, expected):
    with BatchLoader(crops, 1) as stream:
        for request in ASKED:
            stream.request(*request)
        first = stream.get()
        for reader in multiprocessing.active_children():
            reader.kill()
            reader.join()
        rest = [stream.get() for _ in ASKED[1:]]
        assert same([first, *rest], expected)
    assert not multiprocessing.active_children()


def test_a_reader_that_is_killed_while_it_sends_is_replaced(crops):
    large = (0, 64, 96)  # no pipe takes a batch of nine megabytes at once
    with BatchLoader(crops, 2) as stream:
        stream.request(*large)
        stream.request(64, 2, 32)
        first = stream._workers[0]
        assert first._pipe.poll(60)  # it has begun to send
        first._process.kill()
        assert same([stream.get()], [crops.make_batch(*large)])
        assert same([stream.get()], [crops.make_batch(64, 2, 32)])


def test_readers_that_die_again_and_again_end_the_run(crops, monkeypatch):
    monkeypatch.setattr(stream_module, "_serve_batches", sys.exit)  # what each of them does at once
    with BatchLoader(crops, 1) as stream:
        stream.request(0, 2, 32)
        with pytest.raises(SourceError, match="readers"):
            stream.get()


def test_an_error_in_a_reader_comes_here_and_leaves_nobody(tmp_path, tar):
    copy = tmp_path / "free.tar"
    copy.write_bytes(tar.read_bytes())
    gone = CropSampler(index_photos([copy]), TrainingRecipe())
    copy.unlink()
    with (
        pytest.raises(SourceError, match=r"free\.tar: cannot be read"),
        BatchLoader(gone, 1) as stream,
    ):
        stream.request(0, 2, 32)
        stream.get()
    assert not multiprocessing.active_children()


_KILLED = """
import sys, time
from pathlib import Path
from archive_colorizer.training.data.crops import CropSampler, index_photos
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data.loader import BatchLoader

if __name__ == "__main__":
    with BatchLoader(CropSampler(index_photos([Path(sys.argv[1])]), TrainingRecipe()), 2) as stream:
        stream.request(0, 2, 32)
        stream.get()
        print("torch" in sys.modules, flush=True)
        time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
def test_readers_end_when_their_parent_is_killed(tar, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    command = [sys.executable, str(script), str(tar)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "False\n"  # and reading needs no torch
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 2
        os.kill(process.pid, signal.SIGKILL)
    _, left = psutil.wait_procs(family, timeout=20)
    assert not left
