"""`--on-finish` and `--metrics`: told however a run ends, and its exit code stays."""

import json
import shlex
import socket
import sys
import threading

import pytest

from archive_colorizer.cli.options import get_recorded_command


@pytest.fixture
def teller(tmp_path):
    """A command that appends its standard input to a file, and what it wrote there."""
    told = tmp_path / "told.jsonl"
    program = f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read() + chr(10))"

    def read():
        return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []

    return shlex.join([sys.executable, "-c", program, "{summary}"]), read


def test_the_end_of_a_run_is_told_with_its_code(command, scans, model, teller, tmp_path):
    tell, read = teller
    (scans / "broken.png").write_bytes((scans / "a.png").read_bytes()[:3000])
    figures = tmp_path / "run.prom"
    run = command(
        *("run", scans, "--model", model, "--executor", "serial", "--quiet"),
        *("--on-finish", tell, "--metrics", figures),
    )
    assert run.returncode == 7
    (said,) = read()
    assert said["exit_code"] == 7
    assert (said["summary"]["done"], said["summary"]["failed"]) == (3, 1)
    assert said["output"] == str(scans.with_name("scans-colorized"))
    assert 'failures{output="' in figures.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["run", "{scans}/none"], 5, "there is no such file"),
        (["run", "{scans}", "--model", "none"], 4, "is not among the models here"),
        (["run", "{scans}", "--strength", "7"], 2, "strength must be"),
        (["film", "{scans}/a.png"], None, "a.png"),
    ],
)
def test_a_run_that_cannot_begin_is_told_too(command, scans, teller, arguments, code, why):
    tell, read = teller
    run = command(*(one.format(scans=scans) for one in arguments), "--on-finish", tell)
    (said,) = read()
    assert said["exit_code"] == run.returncode == (run.returncode if code is None else code)
    assert why in json.dumps(said)


def test_a_teller_that_fails_is_a_warning(command, scans, model, tmp_path):
    run = command(
        *("run", scans / "a.png", "--model", model, "--executor", "serial"),
        *("--on-finish", "/no/such/program", "--metrics", tmp_path / "none" / "x.prom"),
    )
    assert run.returncode == 0
    assert run.stderr.count("warning: ") == 2


def test_no_command_is_a_usage_error_and_a_dry_run_tells_nobody(command, scans, model, teller):
    tell, read = teller
    assert command("run", scans, "--on-finish", "mail 'unclosed").returncode == 2
    command("run", scans, "--model", model, "--dry-run", "--on-finish", tell)
    assert read() == []


SECRETS = {
    "https://hooks.example.org/services/T0/secret": "https://hooks.example.org/...",
    "HTTPS://user:secret@hooks.example.org:8443/?token=secret": "https://hooks.example.org/...",
    "https://[secret": "...",
    "curl -d {json} https://hooks.example.org/secret": "curl ...",
    "/opt/notify --token=secret": "/opt/notify ...",
    "/opt/notify": "/opt/notify",
}


@pytest.mark.parametrize("target", SECRETS)
@pytest.mark.parametrize("form", [["--on-finish", "{}"], ["--on-finish={}"]])
def test_the_recorded_command_line_keeps_no_secret(monkeypatch, target, form):
    words = [word.replace("{}", target) for word in form]
    monkeypatch.setattr(sys, "argv", ["archive-colorize", "run", "scans", *words, "--nice", "3"])
    expected = [word.replace("{}", SECRETS[target]) for word in form]
    assert get_recorded_command() == ("run", "scans", *expected, "--nice", "3")


def test_nothing_in_an_output_holds_the_address(command, scans, model, monkeypatch):
    monkeypatch.setattr("archive_colorizer.run.notify.notify", lambda *_: None)
    target = "https://hooks.example.org/services/secret"
    run = ("run", scans, "--model", model, "--executor", "serial", "--on-finish", target)
    assert command(*run, "--sidecar").returncode == 0
    output = scans.with_name("scans-colorized")
    assert "hooks.example.org" in (output / "manifest.jsonl").read_text()
    written = [path.read_bytes() for path in output.rglob("*") if path.is_file()]
    assert not any(b"secret" in content for content in written)


def test_an_answer_that_is_no_http_leaves_the_code(command, scans, model):
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        with listener, listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"SSH-2.0-x\r\n")

    threading.Thread(target=answer, daemon=True).start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    options = ("--model", model, "--executor", "serial", "--on-finish", address)
    run = command("run", scans / "a.png", *options)
    assert run.returncode == 0
    assert run.stderr.count("warning: ") == 1
