"""A report on 127.0.0.1, which can save its marks: for one person, one browser, one file.

Whoever may read or write is known by a token in the path that is new each time.  The Host of
every request is checked, so that no name on the web can be pointed here (DNS rebinding), and
a write must come from the page itself (Origin).  Nothing but the page, its pictures and its
marks is given out, and nothing but the marks is written, after they were read as strictly as
`run --retry` reads them.
"""

import hmac
import re
import secrets
import shutil
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from archive_colorizer.errors import OutputError
from archive_colorizer.report.files import MARKS, PAGE
from archive_colorizer.report.marks import LARGEST, marks_of
from archive_colorizer.report.page import ON_DISK
from archive_colorizer.storage.atomic import write_whole

_HOST: Final = "127.0.0.1"
_PICTURE: Final = re.compile(r"thumbs/[0-9a-f]{64}(-[0-9]{1,9})?\.jpg\Z")
_HEAD: Final = 4096
"""Bytes of the page in which the policy stands."""
_PATIENCE: Final = 30.0
"""Seconds that a client may let wait."""


class Server(ThreadingHTTPServer):
    """Serves the report in `folder` at `address` until it is shut down."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        try:
            super().__init__((_HOST, port), _Visit)
        except (OSError, OverflowError) as error:
            raise OutputError(
                f"cannot listen on {_HOST}:{port}: {error}; choose another --port"
            ) from None
        self.folder = folder
        self.token = secrets.token_urlsafe(24)
        self.origin = f"http://{_HOST}:{self.server_port}"
        self.address = f"{self.origin}/{self.token}/"


class _Visit(BaseHTTPRequestHandler):
    """One request; `server` is the Server."""

    server: Server
    server_version = "archive-colorizer"
    sys_version = ""
    timeout = _PATIENCE

    def do_GET(self) -> None:
        self._answer(self._give)

    def do_PUT(self) -> None:
        self._answer(self._save)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: the token stands in every path."""

    def _answer(self, answer: Callable[[str], None]) -> None:
        asked = self._asked()
        if asked is None:
            self._refuse(HTTPStatus.NOT_FOUND)
        else:
            answer(asked)

    def _asked(self) -> str | None:
        """What is asked for below the token; None for whoever does not know it."""
        host = self.headers.get_all("Host") or []
        if host != [f"{_HOST}:{self.server.server_port}"]:
            return None
        _, _, path = self.path.partition("/")
        token, _, asked = path.partition("/")
        known = hmac.compare_digest(token.encode(), self.server.token.encode())
        return asked if known else None

    def _give(self, asked: str) -> None:
        if asked in ("", PAGE):
            self._send(PAGE, "text/html; charset=utf-8")
        elif asked == MARKS:
            self._send(MARKS, "application/json")
        elif _PICTURE.match(asked):
            self._send(asked, "image/jpeg")
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _send(self, name: str, kind: str) -> None:
        try:
            with (self.server.folder / name).open("rb") as stream:
                head = stream.read(_HEAD)
                if name == PAGE:
                    head = head.replace(ON_DISK, b"connect-src 'self'", 1)
                self._begin(HTTPStatus.OK, kind)
                self.wfile.write(head)
                shutil.copyfileobj(stream, self.wfile)
        except FileNotFoundError:
            self._refuse(HTTPStatus.NOT_FOUND)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _save(self, asked: str) -> None:
        if asked != MARKS or self.headers.get_all("Origin") != [self.server.origin]:
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > LARGEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        data = self.rfile.read(int(length))
        try:
            marks_of(data)
            write_whole(self.server.folder / MARKS, lambda stream: stream.write(data))
        except ValueError:
            self._refuse(HTTPStatus.BAD_REQUEST)
        except OutputError:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE)
        else:
            self._begin(HTTPStatus.NO_CONTENT, "text/plain")

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        self._begin(status, "text/plain")

    def _begin(self, status: HTTPStatus, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
