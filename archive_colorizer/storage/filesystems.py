"""The stores by scheme, each with what only its own library knows.  The only door of fsspec.

fsspec makes reading, listing and deleting alike; user metadata, conditions and what a listing
tells of an object are not.
"""

import hashlib
import mimetypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from typing import Any, Final, Protocol

from archive_colorizer.errors import DependencyError
from archive_colorizer.records.jobs import Stamp

NOTE: Final = "archivecolorizer"
"""The key of our user metadata; Azure takes letters only."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a store tells of one object: its path (bucket and key), stamp and our note on it.

    A folder has no stamp.  Listings do not tell notes.
    """

    path: str
    stamp: Stamp | None
    note: str | None = None


class Store(Protocol):
    """What this program needs of a store; raises what `troubles` names, and OSError."""

    troubles: tuple[type[Exception], ...]

    def read(self, path: str) -> bytes: ...
    def read_part(self, path: str, begin: int, end: int) -> bytes: ...
    def look(self, path: str) -> Found: ...
    def list_folder(self, path: str) -> Iterator[Found]: ...
    def put(self, path: str, data: bytes, note: str, new: bool) -> None: ...
    def remove(self, path: str) -> None: ...
    def fetch(self, path: str, file: str) -> None: ...
    def send(self, file: str, path: str) -> None: ...


class _Files:
    """What is alike in all filesystems of fsspec."""

    troubles: tuple[type[Exception], ...] = ()

    def __init__(self, files: Any) -> None:
        self.files = files

    def read(self, path: str) -> bytes:
        return bytes(self.files.cat_file(path))

    def read_part(self, path: str, begin: int, end: int) -> bytes:
        return bytes(self.files.cat_file(path, start=begin, end=end))

    def look(self, path: str) -> Found:
        found = _found(self.files.info(path, refresh=True))
        if found.stamp is None:
            raise FileNotFoundError(path)
        return found

    def list_folder(self, path: str) -> Iterator[Found]:
        try:
            listed = self.files.ls(path, detail=True, refresh=True)
        except FileNotFoundError:
            return
        yield from (_found(one) for one in listed if one["name"].rstrip("/") != path)

    def remove(self, path: str) -> None:
        self.files.rm_file(path)

    def fetch(self, path: str, file: str) -> None:
        self.files.get_file(path, file)

    def send(self, file: str, path: str) -> None:
        self.files.put_file(file, path)


class _S3(_Files):
    """Listings page by page, with the keys as they are: `a//b` and `a/` are keys, too."""

    def read(self, path: str) -> bytes:
        # With more than one connection the size is asked for first, which is a request.
        return bytes(self.files.cat_file(path, max_concurrency=1))

    def look(self, path: str) -> Found:
        bucket, _, key = path.partition("/")
        answer = self.files.call_s3("head_object", Bucket=bucket, Key=key)
        stamp = _stamp(answer["ContentLength"], answer["LastModified"], answer.get("ETag"))
        return Found(path, stamp, answer.get("Metadata", {}).get(NOTE))

    def list_folder(self, path: str) -> Iterator[Found]:
        bucket, slash, key = path.partition("/")
        prefix = f"{key}/" if slash else ""
        further: dict[str, str] = {}
        while True:
            page = self.files.call_s3(
                "list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter="/", **further
            )
            for one in page.get("CommonPrefixes", ()):
                yield Found(f"{bucket}/{one['Prefix'].removesuffix('/')}", None)
            for one in page.get("Contents", ()):
                stamp = _stamp(one["Size"], one["LastModified"], one.get("ETag"))
                if one["Key"] != prefix or stamp.size:
                    yield Found(f"{bucket}/{one['Key']}", stamp)
            if not page.get("IsTruncated"):
                return
            further = {"ContinuationToken": page["NextContinuationToken"]}

    def put(self, path: str, data: bytes, note: str, new: bool) -> None:
        mode = "create" if new else "overwrite"
        told = {"Metadata": {NOTE: note} if note else {}, "ContentType": _type(path)}
        self.files.pipe_file(path, data, mode=mode, **told)


class _Gs(_Files):
    def put(self, path: str, data: bytes, note: str, new: bool) -> None:
        mode = "create" if new else "overwrite"
        told = {"metadata": {NOTE: note} if note else None, "content_type": _type(path)}
        self.files.pipe_file(path, data, mode=mode, **told)


class _Az(_Files):
    def put(self, path: str, data: bytes, note: str, new: bool) -> None:
        # Blocks are staged first and appear together.
        told = {
            "metadata": {"is_directory": "false", **({NOTE: note} if note else {})},
            "content_settings": {"content_type": _type(path)},
        }
        with _causes(), self.files.open(path, "xb" if new else "wb", **told) as stream:
            stream.write(data)

    def remove(self, path: str) -> None:
        with _causes():
            super().remove(path)


@contextmanager
def _causes() -> Iterator[None]:
    """adlfs makes a RuntimeError of what goes wrong while it writes or deletes."""
    try:
        yield
    except RuntimeError as error:
        raise (error.__cause__ or error) from None


def _type(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _found(info: dict[str, Any]) -> Found:
    if info["type"] == "directory":
        return Found(info["name"].rstrip("/"), None)
    version = info.get("etag") or info.get("generation")
    modified = info.get("updated") or info.get("last_modified")
    metadata = info.get("metadata") or {}
    return Found(info["name"], _stamp(info["size"], modified, version), metadata.get(NOTE))


def _stamp(size: int, modified: datetime | str | None, version: str | None) -> Stamp:
    """Size, time and version of an object, as a stamp.

    Listings tell fractions of a second and HEAD does not; quotes around an ETag differ, too.
    The version takes the inode's place.
    """
    if isinstance(modified, str):
        modified = datetime.fromisoformat(modified)
    seconds = 0 if modified is None else int(modified.timestamp())
    digest = hashlib.blake2b((version or "").strip('"').encode(), digest_size=8).digest()
    return Stamp(size, seconds * 10**9, 0, int.from_bytes(digest) >> 1)


def _open_s3() -> Store:
    import aiohttp
    import fsspec
    from botocore.exceptions import BotoCoreError, ClientError

    # s3fs itself tries five times, which multiplies with this.
    how = {"retries": {"mode": "standard", "max_attempts": 3}}
    store = _S3(fsspec.filesystem("s3", use_listings_cache=False, config_kwargs=how))
    store.troubles = (BotoCoreError, ClientError, aiohttp.ClientError)
    return store


def _open_gs() -> Store:
    import aiohttp
    import fsspec
    from gcsfs.retry import ChecksumError, HttpError, NonRetryableError
    from google.auth.exceptions import GoogleAuthError

    store = _Gs(fsspec.filesystem("gs", use_listings_cache=False))
    store.troubles = (
        HttpError, ChecksumError, NonRetryableError, GoogleAuthError, aiohttp.ClientError,
    )  # fmt: skip
    return store


def _open_az() -> Store:
    import aiohttp
    import fsspec
    from azure.core.exceptions import AzureError

    # Without an account there is a ValueError.
    store = _Az(fsspec.filesystem("az", use_listings_cache=False, anon=False))
    store.troubles = (AzureError, aiohttp.ClientError)
    return store


_LIBRARIES: Final = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
_OPEN: Final[dict[str, Callable[[], Store]]] = {"s3": _open_s3, "gs": _open_gs, "az": _open_az}


@cache
def store_of(scheme: str) -> Store:
    """The store of a scheme, opened once in this process; it may be used by several threads.

    Raises DependencyError, which names the extra, and what the store's library raises.
    """
    library = _LIBRARIES[scheme]
    if find_spec(library) is None:
        raise DependencyError(
            f"{scheme}:// needs {library}; run: pip install 'archive-colorizer[{scheme}]'"
        )
    return _OPEN[scheme]()
