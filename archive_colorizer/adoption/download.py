"""Fetching a model: downloaded where it broke off, held to its digest, adopted.

pooch decides whether there is something to do and checks the digest; its own download begins
anew each time, so it is given one that goes on.  The door to pooch.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from archive_colorizer.adoption.adopt import adopt
from archive_colorizer.adoption.catalog import Address
from archive_colorizer.errors import DependencyError, ModelError, OutputError
from archive_colorizer.model.colorizer import read_model
from archive_colorizer.model.contract import METADATA_KEY, ModelContract
from archive_colorizer.model.onnx_metadata import drafted, read_metadata
from archive_colorizer.model.registry import adopted_folder, place_on_shelf

Watch = Callable[[int, int], None]
"""Takes the bytes that are there, and those that there will be; 0 where that is not known."""

_CHUNK: Final = 2**14
"""Bytes; what has come of one when the connection breaks is lost."""
_TRIES: Final = 20
"""Connections that may break, each of them after it has brought something."""
_TIMEOUT: Final = 30
"""Seconds without a byte."""


def fetch(address: Address, watch: Watch) -> tuple[Path, bool]:
    """Fetch a model and put it on the shelf; its place, and whether it was there already.

    Raises ModelError when it cannot be had (saying where to put the file by hand), is not what
    the table says or does not fit its family; DependencyError without pooch; OutputError.
    """
    place = place_on_shelf(address.name)
    if place.is_file() and address.sha256 in _known_digests(place):
        return place, True
    file = adopted_folder() / "fetched" / f"{address.name}.onnx"
    _download(address, file, watch)
    if address.family:
        adopt(file, address.family, {"licence": address.licence}, place)
        return place, False
    if METADATA_KEY not in read_metadata(file):
        raise ModelError(f"model {file}: carries no contract, and the table names no family for it")
    with drafted(read_model(file), place):
        return place, False


def _known_digests(place: Path) -> tuple[str, ...]:
    """What a model on the shelf was made of, as far as it says."""
    text = read_metadata(place).get(METADATA_KEY)
    if text is None:
        return ()
    facts: Mapping[str, Any] = ModelContract.from_json(text, f"model {place}").training
    return (str(facts.get("adopted_sha256", "")),)


def _download(address: Address, file: Path, watch: Watch) -> None:
    try:
        import pooch
        from requests.exceptions import RequestException
    except ImportError:
        raise DependencyError(
            "fetching a model needs pooch; run: pip install 'archive-colorizer[models]'"
        ) from None
    pooch.get_logger().setLevel("WARNING")
    by_hand = f"put the file at {file} (sha256 {address.sha256}) and run the command again"
    try:
        pooch.retrieve(
            address.address,
            f"sha256:{address.sha256}",
            fname=file.name,
            path=file.parent,
            downloader=_Resuming(file.with_name(f"{address.sha256}.part"), watch),
        )
    except RequestException as error:
        raise ModelError(
            f"model {address.name}: cannot be fetched from {address.address} ({error}); the same "
            f"command goes on where this ended; without network, {by_hand}"
        ) from None
    except ValueError:
        raise ModelError(
            f"model {address.name}: what {address.address} gives has not the sha256 of the table; "
            f"it was thrown away; look for another address, or {by_hand}"
        ) from None
    except OSError as error:
        raise OutputError(f"{file}: cannot be written ({error.strerror})") from None


class _Resuming:
    """A download for pooch that goes on with what is in `part`, and leaves it when it breaks."""

    def __init__(self, part: Path, watch: Watch) -> None:
        self._part = part
        self._watch = watch

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        """Fill `output_file`; raises RequestException when a try brings nothing more."""
        from requests import exceptions

        for _ in range(_TRIES):
            have = self._size()
            try:
                self._go_on(url, have)
                break
            except (exceptions.ConnectionError, exceptions.ChunkedEncodingError):
                if self._size() <= have:
                    raise
        else:
            raise exceptions.ConnectionError(f"the connection broke {_TRIES} times")
        self._part.replace(output_file)

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _go_on(self, url: str, have: int) -> None:
        """Ask for what comes after the first `have` bytes, and take all that comes."""
        import requests

        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            span = answer.headers.get("Content-Range", "")
            if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                if span == f"bytes */{have}":
                    return
                self._part.unlink()
                raise requests.ConnectionError("the file there is another than before")
            answer.raise_for_status()
            goes_on = span.startswith(f"bytes {have}-")
            there = have if goes_on else 0
            total = there + int(answer.headers.get("Content-Length", 0))
            with self._part.open("ab" if goes_on else "wb") as stream:
                for chunk in answer.iter_content(_CHUNK):
                    stream.write(chunk)
                    there += len(chunk)
                    self._watch(there, total)
        if there < total:
            raise requests.exceptions.ChunkedEncodingError("the connection broke")
