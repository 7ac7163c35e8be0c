"""`archive-colorize watch` through the installed command: whole files are restored."""

import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from archive_colorizer.output.lock import lock_output
from tests.cli.commands.test_run import outcomes_of, pictures_below

AT_MOST = 120.0


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def output(inbox):
    return inbox.with_name("inbox-colorized")


@contextmanager
def watching(installed, inbox, model, *options, executor="serial"):
    log = inbox.with_name("log").open("w+")
    said = [installed.path, "watch", inbox, "--model", model, "--executor", executor, *options]
    watch = subprocess.Popen(list(map(str, said)), stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        awaited(lambda: log_of(inbox))  # the model is open
        yield watch
        assert watch.poll() is None, log_of(inbox)
    finally:
        watch.terminate()
        watch.wait(60)
        log.close()


def log_of(inbox):
    return inbox.with_name("log").read_text()


def awaited(what):
    end = time.monotonic() + AT_MOST
    while not (found := what()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)
    return found


def done_in(output):
    def found():
        if not (output / "manifest.jsonl").exists():
            return {}
        return {name for name, one in outcomes_of(output).items() if one["state"] == "done"}

    return found


@pytest.mark.parametrize("listening", [[], ["--poll", "0.5"]], ids=["told", "polling"])
def test_what_is_there_and_what_comes_is_restored(
    installed, scans, inbox, output, model, listening
):
    shutil.copy(scans / "a.png", inbox)
    with watching(installed, inbox, model, "--settle", "0.5", *listening):
        awaited(lambda: done_in(output)() == {"a.png"})
        (inbox / "bad.jpg").write_bytes((scans / "b.jpg").read_bytes()[:3000])
        shutil.copytree(scans / "box", inbox / "box")
        awaited(lambda: done_in(output)() == {"a.png", "box/c.tif"})
        awaited(lambda: "bad.jpg" in outcomes_of(output))
        # A bad file stops nothing.
        shutil.copy(scans / "b.jpg", inbox / "bad.jpg")
        awaited(lambda: "bad.jpg" in done_in(output)())
    assert pictures_below(output).keys() == {"a.png", "bad.jpg", "box/c.tif"}


def test_a_file_that_is_still_being_copied_waits(installed, scans, inbox, output, model):
    data = (scans / "b.jpg").read_bytes()
    with watching(installed, inbox, model, "--settle", "3"):
        shutil.copy(scans / "a.png", inbox)
        with (inbox / "slow.jpg").open("wb", buffering=0) as stream:
            while "a.png" not in done_in(output)():
                stream.write(data[:1] if not stream.tell() else b"")
                stream.write(data[stream.tell() :][:100])
                time.sleep(0.3)
            stream.write(data[stream.tell() :])
        (inbox / "other.jpg.part").write_bytes(data[:5000])
        awaited(lambda: "slow.jpg" in done_in(output)())
    states = [json.loads(line).get("state") for line in (output / "manifest.jsonl").open("rb")]
    assert states.count("done") == 2
    assert "failed" not in states


def test_a_folder_that_goes_is_awaited(installed, scans, inbox, output, model):
    with watching(installed, inbox, model, "--settle", "0.5"):
        inbox.rmdir()
        awaited(lambda: "waiting for it" in log_of(inbox))
        inbox.mkdir()
        shutil.copy(scans / "a.png", inbox)
        awaited(lambda: done_in(output)() == {"a.png"})
        assert "is back" in log_of(inbox)


def test_a_run_that_holds_the_output_is_awaited(installed, scans, inbox, output, model):
    told = inbox.with_name("told")
    tell = f"{sys.executable} -c \"open('{told}', 'a').write('{{code}} ')\""
    with watching(installed, inbox, model, "--settle", "0.5", "--on-finish", tell):
        with lock_output(output):
            shutil.copy(scans / "a.png", inbox)
            awaited(lambda: "another run" in log_of(inbox))
        assert "trying again in 60 s" in log_of(inbox)
        awaited(lambda: told.exists() and told.read_text() == "8 ")
    assert installed("run", inbox, "--model", model, "--executor", "serial").returncode == 0


def test_processes_are_kept_for_what_comes_next_and_sent_home_at_the_end(
    installed, scans, inbox, output, model
):
    psutil = pytest.importorskip("psutil")
    options = ("--settle", "0.5", "--workers", "1")
    with watching(installed, inbox, model, *options, executor="dask") as watch:
        parent = psutil.Process(watch.pid)
        shutil.copy(scans / "a.png", inbox)
        awaited(lambda: done_in(output)() == {"a.png"})
        before = {one.pid for one in parent.children(recursive=True)}
        shutil.copy(scans / "b.jpg", inbox)
        awaited(lambda: done_in(output)() == {"a.png", "b.jpg"})
        assert before
        assert {one.pid for one in parent.children(recursive=True)} == before

    def is_at_work(pid):
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    awaited(lambda: not any(map(is_at_work, before)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(installed, inbox, output, model, number):
    with watching(installed, inbox, model) as watch:
        watch.send_signal(number)
        watch.wait(60)
        assert watch.returncode == 128 + number
        watch.poll = lambda: None
    assert "Traceback" not in log_of(inbox)
    assert not (output / "manifest.jsonl").exists()


def test_its_time_ends_it_cleanly(command, inbox, model):
    watch = command("watch", inbox, "--model", model, "--executor", "serial", "--time-budget", "1s")
    assert watch.returncode == 9, watch.stderr
    assert "Traceback" not in watch.stderr


def test_json_is_a_line_for_each_run(installed, scans, inbox, output, model):
    with watching_json(installed, inbox, model) as watch:
        shutil.copy(scans / "a.png", inbox)
        said = json.loads(watch.stdout.readline())
    assert (said["done"], said["failed"]) == (1, 0)


@contextmanager
def watching_json(installed, inbox, model):
    said = [installed.path, "watch", inbox, "--model", model, "--executor", "serial"]
    options = ["--settle", "0.5", "--json"]
    watch = subprocess.Popen(
        list(map(str, said + options)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield watch
    finally:
        watch.terminate()
        _, left = watch.communicate(timeout=60)
    assert left == ""


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [("inside", 2, "lies in the scans"), ("../file/out", 6, "cannot write")],
)
def test_what_cannot_work_ends_at_once(command, inbox, model, place, code, said):
    inbox.with_name("file").touch()
    run = command("watch", inbox, "--model", model, "--output", inbox / place)
    assert (run.returncode, said in run.stderr) == (code, True), run.stderr


def test_a_file_or_nothing_cannot_be_watched(command, scans, inbox, model):
    assert command("watch", scans / "a.png", "--model", model).returncode == 2
    assert command("watch", inbox / "none", "--model", model).returncode == 5
    assert command("watch", inbox, "--model", "none").returncode == 4
    assert command("watch", inbox, "--settle", "0").returncode == 2
