"""Whoever asked is told how a run ended: no shell obeys a name, no failure to tell ends a run."""

import json
import socket
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import OutputBusy, UsageError
from archive_colorizer.records.outcomes import State
from archive_colorizer.run.metrics import write_metrics
from archive_colorizer.run.notify import check_target, notify
from archive_colorizer.run.result import RunResult
from archive_colorizer.run.summary import FailedSource, Summary

HOSTILE = "$(touch owned); `id` {json} \"'\n\x1b[31m \udcff"
SUMMARY = Summary(
    done=3,
    skipped=1,
    failed=2,
    unchanged={State.DONE: 5, State.SKIPPED: 0, State.FAILED: 1},
    adopted=0,
    failures={"damaged": 3},
    first_failures=(FailedSource(HOSTILE, "damaged", HOSTILE),),
    seconds=1.5,
)
WRITES = (
    "import json, os, sys; "
    "json.dump([[os.fsencode(a).decode('latin-1') for a in sys.argv[1:]], json.load(sys.stdin)], "
    "open('told.json', 'w'))"
)


@pytest.fixture
def ending():
    return RunResult.from_end(f"/archive/{HOSTILE}", SUMMARY, 1e9)


def told(folder):
    return json.loads((folder / "told.json").read_text())


def test_what_ended_how():
    assert RunResult.from_end("", SUMMARY, 0).code == 7
    assert RunResult.from_end("", replace(SUMMARY, failures={}), 0).code == 0
    assert RunResult.from_end("", replace(SUMMARY, interrupted=15), 0).code == 143
    assert RunResult.from_end("", OutputBusy("held"), 0).code == 8
    assert RunResult.from_end("", KeyboardInterrupt(), 0).code == 130
    bug = RunResult.from_end("", ZeroDivisionError("secret"), 0)
    assert (bug.code, bug.message) == (1, "a bug: ZeroDivisionError")


def test_the_sentence_says_what_counts_on_one_plain_line(ending):
    said = ending.describe()
    assert "ended with 7: 3 restored, 2 failed, 1 skipped, failures in all: 3" in said
    assert said.isprintable()


def test_a_command_gets_each_value_as_one_word_and_no_shell(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    command = f'"{sys.executable}" -c "{WRITES}" "{{summary}}" pre-{{code}} {{output}} ";" {{else}}'
    assert notify(command, ending) is None
    words, said = told(tmp_path)
    assert words[0] == ending.describe()
    assert words[1] == "pre-7"
    assert words[2] == f"/archive/{HOSTILE[:-1]}\xff"
    assert words[3:] == [";", "{else}"]
    assert said["exit_code"] == 7
    assert said["summary"]["first_failures"][0]["name"].endswith("\\udcff")
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/no/such/program {summary}", "No such file"),
        (f"{sys.executable} -c 'import sys; sys.exit(\"away\")'", "ended with 1"),
        ("http://127.0.0.1:9/closed", "refused"),
        ("https://", "no host"),
    ],
)
def test_what_cannot_be_told_is_a_warning(ending, command, why):
    assert why in (notify(command, ending) or "")


ANSWERS = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "nothing": b"",
    "no line end": b"\x00" * 70_000,
    "an odd status": b"HTTP/1.1 999 no\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 ok fine\r\n\r\n",
    "too many headers": b"HTTP/1.1 200 ok\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    "a long header": b"HTTP/1.1 200 ok\r\na: " + b"b" * 70_000 + b"\r\n\r\n",
    "a redirection to a file": b"HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\n\r\n",
    "a redirection to nowhere": b"HTTP/1.1 302 x\r\nLocation: http://[::1\r\n\r\n",
    "an invalid redirection": b"HTTP/1.1 302 x\r\nLocation: http://a:b/\r\n\r\n",
    "bytes that are no text": b"HTTP/1.1 500 \xff\xfe\r\n\r\n",
}


@pytest.fixture
def serve():
    """Answer one request with these bytes, or byte by byte with a pause after each."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(data, pause):
        with listener, listener.accept()[0] as connection:
            connection.recv(65536)
            for piece in (data,) if not pause else (data[i : i + 1] for i in range(len(data))):
                try:
                    connection.sendall(piece)
                except OSError:
                    return
                time.sleep(pause)

    def start(data, pause=0.0):
        threading.Thread(target=answer, args=(data, pause), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/services/secret"

    return start


@pytest.mark.parametrize("answer", ANSWERS)
def test_any_answer_is_a_warning_without_the_address(serve, ending, answer):
    warning = notify(serve(ANSWERS[answer]), ending)
    assert warning
    assert "secret" not in warning


@pytest.mark.parametrize("address", ["http://127.0.0.1/secret key", "http://user:secret@[::1/"])
def test_an_invalid_address_is_a_warning_that_does_not_repeat_it(ending, address):
    warning = notify(address, ending)
    assert warning
    assert "secret" not in warning


def test_an_answer_that_never_ends_is_given_up(serve, ending, monkeypatch):
    monkeypatch.setattr("archive_colorizer.run.notify._TIMEOUT", 1.0)
    began = time.monotonic()
    assert "within 1 seconds" in notify(serve(b"HTTP/1.1 200" + b" " * 1000, 0.1), ending)
    assert time.monotonic() - began < 10


def test_a_command_that_does_not_end_is_a_warning_without_its_words(ending, monkeypatch):
    monkeypatch.setattr("archive_colorizer.run.notify._TIMEOUT", 1.0)
    warning = notify(f"{sys.executable} -c 'import time; time.sleep(60)' secret", ending)
    assert "within 1 seconds" in warning
    assert "secret" not in warning


@pytest.mark.parametrize("target", ["", "   ", "mail 'unclosed"])
def test_no_command_is_refused_before_the_run(target):
    with pytest.raises(UsageError, match="--on-finish"):
        check_target(target)


def test_an_address_gets_the_json_by_post(ending):
    got = []

    class Hear(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.headers["Content-Type"], self.rfile.read(int(self.headers[LENGTH]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hear)
    threading.Thread(target=server.handle_request, daemon=True).start()
    assert notify(f"http://127.0.0.1:{server.server_port}/hook", ending) is None
    server.server_close()
    assert got[0][0] == "application/json"
    assert json.loads(got[0][1]) == json.loads(json.dumps(ending.to_dict()))


LENGTH = "Content-Length"


# ---- figures


def figures_of(path, result):
    assert write_metrics(path, result) is None
    text = path.read_bytes().decode()
    judge = pytest.importorskip("prometheus_client.parser", reason="the judge of the format")
    families = judge.text_string_to_metric_families(text)
    return {
        (sample.name, sample.labels.get("state") or sample.labels.get("reason")): sample
        for family in families
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_run(tmp_path, ending):
    found = figures_of(tmp_path / "x.prom", ending)
    said = {key: one.value for key, one in found.items()}
    assert said["archive_colorizer_last_run_exit_code", None] == 7
    assert said["archive_colorizer_last_run_timestamp_seconds", None] == 1e9
    assert said["archive_colorizer_last_run_files", "restored"] == 3
    assert said["archive_colorizer_last_run_files", "unchanged"] == 6
    assert said["archive_colorizer_failures", "damaged"] == 3


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_stays_in_its_label(tmp_path_factory, name):
    path = tmp_path_factory.getbasetemp() / "label.prom"
    found = figures_of(path, RunResult.from_end(name, SUMMARY, 0))
    assert {one.labels["output"] for one in found.values()} == {name}


def test_a_run_that_ended_by_an_error_has_when_and_how_only(tmp_path):
    found = figures_of(tmp_path / "x.prom", RunResult.from_end("out", OutputBusy("held"), 5))
    assert {name.removeprefix("archive_colorizer_") for name, _ in found} == {
        "last_run_timestamp_seconds",
        "last_run_exit_code",
    }


def test_the_file_is_replaced_whole(tmp_path, ending):
    path = tmp_path / "colorizer.prom"
    path.write_text("old")
    assert figures_of(path, ending)
    assert b"old" not in path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]
    assert "cannot write" in (write_metrics(tmp_path / "none" / "x.prom", ending) or "")
