"""What is said never stops what is done: streams that are full, closed or without a reader."""

import json
import os
import shlex
import subprocess

import pytest

from archive_colorizer.cli.terminal import guard_streams

UNPRINTED = 10

STREAMS = {
    "stdout is full": ("> /dev/full", UNPRINTED),
    "stderr is full": ("2> /dev/full", 0),
    "both are full": ("> /dev/full 2>&1", UNPRINTED),
    "stdout is closed": (">&-", UNPRINTED),
    "stderr is closed": ("2>&-", 0),
    "all are closed": ("<&- >&- 2>&-", UNPRINTED),
    "stdout has no reader": ("| true", UNPRINTED),
    "both have no reader": ("2>&1 | true", UNPRINTED),
    "stdout has a reader that ends early": ("| head -c 1 > /dev/null", None),
}


@pytest.fixture
def shell(installed):
    """Run the installed command below a shell, which redirects its streams."""

    def run(words, redirection):
        line = shlex.join([installed.path, *map(str, words)])
        # The reader is gone before the command begins to write.
        start = f"(sleep 0.5; {line})" if redirection.endswith("true") else line
        script = f"{start} {redirection}; exit ${{PIPESTATUS[0]}}"
        return subprocess.run(["bash", "-c", script], capture_output=True, timeout=240)

    return run


@pytest.mark.parametrize(
    ("stream", "options"),
    [
        *((stream, ["--executor", "serial"]) for stream in STREAMS),
        *((stream, ["--executor", "serial", "--json"]) for stream in STREAMS if "out" in stream),
        *((stream, ["--workers", "1"]) for stream in STREAMS if "out" not in stream),
    ],
)
def test_a_run_does_its_work_whatever_becomes_of_its_words(shell, scans, model, stream, options):
    redirection, code = STREAMS[stream]
    words = ["run", scans, "--model", model, *options]
    result = shell(words, redirection)
    lines = (scans.with_name("scans-colorized") / "manifest.jsonl").read_text().splitlines()
    states = [json.loads(line).get("state") for line in lines]
    assert states.count("done") == 3
    assert result.returncode in ((0, UNPRINTED) if code is None else (code,))
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("stream", ["both are full", "all are closed", "both have no reader"])
def test_the_code_of_a_run_with_failures_stays(shell, scans, model, stream):
    (scans / "broken.png").write_bytes((scans / "a.png").read_bytes()[:3000])
    words = ["run", scans, "--model", model, "--executor", "serial"]
    assert shell(words, STREAMS[stream][0]).returncode == 7


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize(
    ("words", "code"),
    [(["recipe", "schema"], 0), (["run", "--no-such-option"], 2)],
)
def test_a_command_ends_with_the_code_of_its_work(shell, stream, words, code):
    redirection, lost = STREAMS[stream]
    expected = {code or lost} if lost is not None else {0, UNPRINTED, code}
    result = shell(words, redirection)
    assert result.returncode in expected
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("kind", ["json", "csv", "premis", "parquet", "text"])
def test_a_report_that_is_lost_does_not_end_with_0(shell, scans, model, command, kind):
    command("run", scans, "--model", model, "--executor", "serial", "--quiet")
    output = scans.with_name("scans-colorized")
    assert shell(["report", output, "--format", kind], "> /dev/full").returncode == UNPRINTED
    assert shell(["report", output, "--format", kind], "> /dev/null").returncode == 0


def test_closed_streams_are_not_given_to_files(installed, scans, model):
    """A file that is opened as descriptor 2 would hold what libraries write to stderr."""
    script = "import os; from archive_colorizer.cli.terminal import guard_streams; "
    script += "guard_streams(); print(os.open('/', os.O_RDONLY), file=open('/dev/fd/9', 'w'))"
    line = f"python -c {shlex.quote(script)} 9>&1 <&- >&- 2>&-"
    shown = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert int(shown.stdout) > 2


def test_a_name_that_a_stream_cannot_encode_is_escaped(installed, scans, model):
    (scans / "a.png").rename(scans / "фото.png")
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    result = installed("run", scans, "--model", model, "--dry-run", env=environment)
    assert result.returncode == 0
    assert r"\u0444\u043e\u0442\u043e.png" in result.stdout


def test_a_reader_that_is_slow_gets_every_word(monkeypatch):
    """A pipe that does not block, as some terminals and servers hand out."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb") as reader:
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setattr("sys.stderr", stream)
        has_lost_words = guard_streams()
        child = os.fork()
        if not child:
            import sys

            sys.stdout.write("word " * 100_000)
            sys.stdout.flush()
            os._exit(int(has_lost_words()))
        stream.close()
        assert len(reader.read()) == 500_000
        assert os.waitpid(child, 0)[1] == 0
