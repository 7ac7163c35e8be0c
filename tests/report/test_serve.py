"""What the server of a report gives out, and to whom: raw requests, as an attacker sends them."""

import contextlib
import http.client
import json
import socket
import threading
import time

import pytest

from archive_colorizer.report.serve import ReportServer

MARKS = json.dumps(
    {
        "kind": "archive-colorizer marks",
        "version": 1,
        "marks": [{"name": "a.png", "mark": "redo", "note": ""}],
    }
).encode()


@pytest.fixture
def server(archive):
    (archive / "out-report" / "marked.json").unlink(missing_ok=True)
    with ReportServer(archive / "out-report") as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def ask(server, path, method="GET", body=None, **headers):
    """`path` below the token unless it begins with a slash; a header of None is left out."""
    whole = path if path.startswith("/") else f"/{server.token}/{path}"
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.putrequest(method, whole, skip_host=True, skip_accept_encoding=True)
    usual = {"Host": f"127.0.0.1:{server.server_port}"}
    if body is not None:
        usual |= {"Content-Length": str(len(body)), "Origin": server.origin}
    for name, value in (usual | {k.replace("_", "-"): v for k, v in headers.items()}).items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_it_listens_on_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"
    assert len(server.token) >= 32


def test_the_page_may_talk_to_its_server_and_to_nobody_else(server):
    answer, page = ask(server, "")
    assert answer.status == 200
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert b"connect-src 'self'" in page
    assert b"connect-src 'none'" not in page[:4096]
    assert b"default-src 'none'" in page


@pytest.mark.parametrize(
    "path",
    ["/", "/index.html", "/wrong/index.html", "/wrong/marked.json", "index.html/",
     "../index.html", "manifest.jsonl", "//etc/passwd",
     "thumbs/", "thumbs/../index.html", "thumbs/%2e%2e/index.html",
     "thumbs/" + "a" * 64 + ".jpg", "?x", "index.html?x"],
)  # fmt: skip
def test_nothing_else_is_given_out(server, path):
    answer, content = ask(server, path)
    assert (answer.status, content) == (404, b"")


@pytest.mark.parametrize(
    "host", [None, "evil.example", "localhost", "127.0.0.1", "127.0.0.1:1", "[::1]"]
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_another_host_is_refused_whatever_it_knows(server, archive, host, method):
    body = MARKS if method == "PUT" else None
    answer, _ = ask(server, "marked.json", method, body, Host=host)
    assert answer.status == 404
    assert not (archive / "out-report" / "marked.json").exists()


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1"])
def test_only_the_page_itself_may_write(server, archive, origin):
    answer, _ = ask(server, "marked.json", "PUT", MARKS, Origin=origin)
    assert answer.status == 403
    assert not (archive / "out-report" / "marked.json").exists()


@pytest.mark.parametrize("path", ["index.html", "other.json", "thumbs/x.jpg", "../marked.json", ""])
def test_only_the_marks_can_be_written(server, archive, path):
    before = sorted(archive.rglob("*"))
    answer, _ = ask(server, path, "PUT", MARKS)
    assert answer.status == 403
    assert sorted(archive.rglob("*")) == before


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", MARKS[:-1], b"[" * 100_000])
def test_what_are_no_marks_is_not_written(server, archive, body):
    answer, _ = ask(server, "marked.json", "PUT", body)
    assert answer.status == 400
    assert not (archive / "out-report" / "marked.json").exists()


@pytest.mark.parametrize("length", [None, "-1", "x", str(1 << 40)])
def test_a_length_that_cannot_be_is_refused_unread(server, length):
    answer, _ = ask(server, "marked.json", "PUT", MARKS, Content_Length=length)
    assert answer.status == 413


def test_marks_are_written_and_given_back(server, archive):
    assert ask(server, "marked.json")[0].status == 404
    assert ask(server, "marked.json", "PUT", MARKS)[0].status == 204
    assert (archive / "out-report" / "marked.json").read_bytes() == MARKS
    assert ask(server, "marked.json")[1] == MARKS
    assert not list((archive / "out-report").glob("*.tmp"))


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "CONNECT"])
def test_other_methods_do_nothing(server, method):
    assert ask(server, "marked.json", method)[0].status == 501


def test_silent_connections_are_few_and_keep_nobody_out(server):
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            address = ("127.0.0.1", server.server_port)
            stack.enter_context(socket.create_connection(address, timeout=30))
        answer, page = ask(server, "")
        assert answer.status == 200
        assert page
        deadline = time.monotonic() + 10
        while threading.active_count() > before + 40 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert threading.active_count() <= before + 40


def test_a_slow_reader_with_the_token_is_not_ended_by_others(server):
    with contextlib.ExitStack() as stack:
        address, body = ("127.0.0.1", server.server_port), MARKS
        slow = stack.enter_context(socket.create_connection(address, timeout=30))
        slow.sendall(
            f"PUT /{server.token}/marked.json HTTP/1.0\r\nHost: 127.0.0.1:{server.server_port}\r\n"
            f"Origin: {server.origin}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        time.sleep(0.5)
        for _ in range(100):
            stack.enter_context(socket.create_connection(address, timeout=30))
        slow.sendall(body)
        assert slow.recv(100).startswith(b"HTTP/1.0 204")
