"""Download a model, resuming where it was interrupted, check its digest, and adopt it.

pooch decides whether to download and checks the digest; its own downloader always starts at the
beginning, so it gets one that resumes.  Only this module imports pooch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from archive_colorizer.adoption.adopt import adopt
from archive_colorizer.adoption.catalog import CatalogEntry, is_safe_address
from archive_colorizer.errors import DependencyError, ModelError, OutputError
from archive_colorizer.model.colorizer import read_model
from archive_colorizer.model.contract import METADATA_KEY
from archive_colorizer.model.onnx_metadata import read_contract, read_metadata, stage_file
from archive_colorizer.model.registry import get_adopted_folder, get_adopted_path

ReportProgress = Callable[[int, int], None]
"""Takes the number of bytes received and expected; 0 if unknown."""

_CHUNK: Final = 2**14
"""Bytes; an incomplete chunk is lost when the connection breaks."""
_MAX_BYTES: Final = 2 << 30
"""No ONNX file is longer, so that an address cannot fill the disk."""
_TRIES: Final = 20
"""Number of connections that may break, each after some progress."""
_TIMEOUT: Final = 30
"""Seconds without a byte."""


def fetch(entry: CatalogEntry, watch: ReportProgress) -> tuple[Path, bool]:
    """Download and adopt a model; return its path, and whether it was present already.

    Raises ModelError when it cannot be downloaded (with the path for a manual copy), has another
    digest or does not fit its family; DependencyError without pooch; OutputError.
    """
    target = get_adopted_path(entry.name)
    contract = read_contract(target) if target.is_file() else None
    if contract and entry.sha256 == contract.training.get("adopted_sha256"):
        return target, True
    file = get_adopted_folder() / "fetched" / f"{entry.name}.onnx"
    _download(entry, file, watch)
    if entry.family:
        adopt(file, entry.family, {"licence": entry.licence}, target)
        return target, False
    if METADATA_KEY not in read_metadata(file):
        raise ModelError(f"model {file}: carries no contract, and the table names no family for it")
    with stage_file(read_model(file), target):
        return target, False


def _download(entry: CatalogEntry, file: Path, watch: ReportProgress) -> None:
    try:
        import pooch
        from requests.exceptions import RequestException
    except ImportError:
        raise DependencyError(
            "fetching a model needs pooch; run: pip install 'archive-colorizer[models]'"
        ) from None
    pooch.get_logger().setLevel("WARNING")
    by_hand = f"put the file at {file} (sha256 {entry.sha256}) and run the command again"
    try:
        pooch.retrieve(
            entry.address,
            f"sha256:{entry.sha256}",
            fname=file.name,
            path=file.parent,
            downloader=_ResumingDownload(file.with_name(f"{entry.sha256}.part"), watch),
        )
    except RequestException as error:
        raise ModelError(
            f"model {entry.name}: cannot be fetched from {entry.address} ({error}); the same "
            f"command goes on where this ended; without network, {by_hand}"
        ) from None
    except ValueError:
        raise ModelError(
            f"model {entry.name}: what {entry.address} gives has not the sha256 of the table; "
            f"it was thrown away; look for another address, or {by_hand}"
        ) from None
    except OSError as error:
        raise OutputError(f"{file}: cannot be written ({error.strerror})") from None


@dataclass(frozen=True, slots=True)
class _ResumingDownload:
    """A downloader for pooch that resumes with the content of `part`, and keeps it on errors."""

    part: Path
    watch: ReportProgress

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        """Fill `output_file`; raises RequestException when a try makes no progress."""
        from requests import exceptions

        for _ in range(_TRIES):
            have = self._get_size()
            try:
                self._resume(url, have)
                break
            except (exceptions.ConnectionError, exceptions.ChunkedEncodingError):
                if self._get_size() <= have:
                    raise
        else:
            raise exceptions.ConnectionError(f"the connection broke {_TRIES} times")
        self.part.replace(output_file)

    def _get_size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _check_size(self, url: str, size: int) -> None:
        if size > _MAX_BYTES:
            self.part.unlink(missing_ok=True)
            raise ModelError(
                f"model {url}: the file has more than {_MAX_BYTES:,} bytes, which no model has; "
                "it was thrown away; look for another address"
            )

    def _resume(self, url: str, have: int) -> None:
        """Request everything after the first `have` bytes, and append it."""
        import requests

        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            span = answer.headers.get("Content-Range", "")
            if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                if span == f"bytes */{have}":
                    return
                self.part.unlink()
                raise requests.ConnectionError("the file there is another than before")
            answer.raise_for_status()
            for hop in (*answer.history, answer):
                if not is_safe_address(hop.url):
                    raise ModelError(
                        f"model {url}: the address leads to {hop.url}, which is not https://; "
                        "look for another address"
                    )
            is_continued = span.startswith(f"bytes {have}-")
            received = have if is_continued else 0
            total = received + int(answer.headers.get("Content-Length", 0))
            self._check_size(url, total)
            with self.part.open("ab" if is_continued else "wb") as stream:
                for chunk in answer.iter_content(_CHUNK):
                    received += len(chunk)
                    self._check_size(url, received)
                    stream.write(chunk)
                    self.watch(received, total)
        if received < total:
            raise requests.exceptions.ChunkedEncodingError("the connection broke")
