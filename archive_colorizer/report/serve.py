"""Serve a report on 127.0.0.1, so that its marks can be saved.

A token in the path, new each time, authorizes a client.  The Host of every request is checked
against DNS rebinding, and a write must come from the page itself (Origin).  Only the page, its
pictures and its marks can be read, and only the marks written, after they were parsed as
strictly as by `run --retry`.
"""

import hmac
import re
import secrets
import shutil
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import OutputError
from archive_colorizer.report.marks import MARKS, MAX_BYTES, parse_marks
from archive_colorizer.report.page import NO_CONNECTIONS, PAGE
from archive_colorizer.storage.atomic import write_atomically

_HOST: Final = "127.0.0.1"
_PICTURE: Final = re.compile(r"thumbs/[0-9a-f]{64}(-[0-9]{1,9})?\.jpg\Z")
_POLICY_BYTES: Final = 4096
"""The policy is within these first bytes of the page."""
_MAX_STRANGERS: Final = 32
"""Connections that have not shown the token; a further one ends the oldest of them."""
_TIMEOUT: Final = 30.0
"""Seconds to wait for a client."""


class ReportServer(ThreadingHTTPServer):
    """Serve the report in `folder` at `address` until it is shut down."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._strangers: dict[socket.socket, None] = {}
        self._lock = threading.Lock()
        try:
            super().__init__((_HOST, port), _RequestHandler)
        except (OSError, OverflowError) as error:
            raise OutputError(
                f"cannot listen on {_HOST}:{port}: {error}; choose another --port"
            ) from None
        self.folder = folder
        self.token = secrets.token_urlsafe(24)
        self.origin = f"http://{_HOST}:{self.server_port}"
        self.address = f"{self.origin}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._strangers[request] = None
            if len(self._strangers) > _MAX_STRANGERS:
                oldest = next(iter(self._strangers))
                del self._strangers[oldest]
                # Its thread reads the end of the connection, and closes it.
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def admit(self, request: Any) -> None:
        """Keep a connection that has shown the token for as long as it takes."""
        with self._lock:
            self._strangers.pop(request, None)

    def shutdown_request(self, request: Any) -> None:
        self.admit(request)
        super().shutdown_request(request)


class _RequestHandler(BaseHTTPRequestHandler):
    server: ReportServer
    server_version = "archive-colorizer"
    sys_version = ""
    timeout = _TIMEOUT

    def do_GET(self) -> None:
        self._handle(self._serve)

    def do_PUT(self) -> None:
        self._handle(self._save)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing, since the token is in every path."""

    def _handle(self, handler: Callable[[str], None]) -> None:
        name = self._get_requested_name()
        if name is None:
            self._refuse(HTTPStatus.NOT_FOUND)
        else:
            self.server.admit(self.connection)
            handler(name)

    def _get_requested_name(self) -> str | None:
        """Get the requested name below the token; None without the right token."""
        host = self.headers.get_all("Host") or []
        if host != [f"{_HOST}:{self.server.server_port}"]:
            return None
        _, _, path = self.path.partition("/")
        token, _, name = path.partition("/")
        is_authorized = hmac.compare_digest(token.encode(), self.server.token.encode())
        return name if is_authorized else None

    def _serve(self, name: str) -> None:
        if name in ("", PAGE):
            self._send_file(PAGE, "text/html; charset=utf-8")
        elif name == MARKS:
            self._send_file(MARKS, "application/json")
        elif _PICTURE.match(name):
            self._send_file(name, "image/jpeg")
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _send_file(self, name: str, kind: str) -> None:
        try:
            with (self.server.folder / name).open("rb") as stream:
                head = stream.read(_POLICY_BYTES)
                if name == PAGE:
                    head = head.replace(NO_CONNECTIONS, b"connect-src 'self'", 1)
                self._send_headers(HTTPStatus.OK, kind)
                self.wfile.write(head)
                shutil.copyfileobj(stream, self.wfile)
        except FileNotFoundError:
            self._refuse(HTTPStatus.NOT_FOUND)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _save(self, name: str) -> None:
        if name != MARKS or self.headers.get_all("Origin") != [self.server.origin]:
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > MAX_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        data = self.rfile.read(int(length))
        try:
            parse_marks(data)
            write_atomically(self.server.folder / MARKS, lambda stream: stream.write(data))
        except ValueError:
            self._refuse(HTTPStatus.BAD_REQUEST)
        except OutputError:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE)
        else:
            self._send_headers(HTTPStatus.NO_CONTENT, "text/plain")

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        self._send_headers(status, "text/plain")

    def _send_headers(self, status: HTTPStatus, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
