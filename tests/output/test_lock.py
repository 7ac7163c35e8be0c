"""One run per output."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from archive_colorizer.errors import OutputBusy, OutputError
from archive_colorizer.output.lock import lock_output

HOLD = """
import sys, time
from pathlib import Path
from archive_colorizer.output.lock import lock_output
with lock_output(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(output: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(output)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_told_who_holds_the_output(tmp_path: Path) -> None:
    output = tmp_path / "new" / "out"
    process = holder(output)
    try:
        told = rf"another run \(pid {process.pid} on host"
        with pytest.raises(OutputBusy, match=told) as caught, lock_output(output):
            raise AssertionError
        assert str(output) in str(caught.value)
        assert "--output" in str(caught.value)
    finally:
        process.kill()
        process.wait()


def test_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / ".work" / "holder.json").exists()
    with lock_output(tmp_path):
        note = json.loads((tmp_path / ".work" / "holder.json").read_text())
        assert note["pid"] == os.getpid()
    assert [path.name for path in (tmp_path / ".work").iterdir()] == ["lock"]


def test_held_and_let_go_and_held_again(tmp_path: Path) -> None:
    for _ in range(2):
        with lock_output(tmp_path), pytest.raises(OutputBusy), lock_output(tmp_path):
            raise AssertionError
    with pytest.raises(ZeroDivisionError), lock_output(tmp_path):
        raise ZeroDivisionError
    with lock_output(tmp_path):
        pass


@pytest.mark.parametrize(
    "note", [b"", b"\xff\0", b"[" * 4000, b'{"pid": "x"}', b"[1]", b"A" * 9999]
)
def test_a_hostile_note_changes_no_more_than_the_words(tmp_path: Path, note: bytes) -> None:
    with lock_output(tmp_path):
        (tmp_path / ".work" / "holder.json").write_bytes(note)
        with pytest.raises(OutputBusy, match="another run holds"), lock_output(tmp_path):
            raise AssertionError


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(OutputError, match="--output"), lock_output(file):
        raise AssertionError
    with pytest.raises(OutputError, match="--output"), lock_output(Path("/proc/nowhere")):
        raise AssertionError


def test_a_work_folder_that_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".work").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="is a link"), lock_output(tmp_path / "out"):
        raise AssertionError
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_read_only_disk(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root to mount")
    try:
        with pytest.raises(OutputError, match="Read-only"), lock_output(tmp_path / "out"):
            raise AssertionError
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
