"""Object stores by scheme.  The only module that imports fsspec.

fsspec unifies reading, listing and deleting, but not user metadata, conditional writes and the
fields of listings.
"""

import hashlib
import mimetypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from archive_colorizer.errors import DependencyError
from archive_colorizer.records.jobs import Stamp

NOTE: Final = "archivecolorizer"
"""Key of our user metadata; Azure allows letters only."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Path (bucket and key), stamp and note of an object.

    A folder has no stamp.  Listings lack notes.
    """

    path: str
    stamp: Stamp | None
    note: str | None = None


class ObjectFilesystem:
    """Access to one store; raises `errors` and OSError."""

    def __init__(self, files: Any, errors: tuple[type[Exception], ...]) -> None:
        self.files = files
        self.errors = errors

    def read(self, path: str) -> bytes:
        return bytes(self.files.cat_file(path))

    def read_part(self, path: str, begin: int, end: int) -> bytes:
        return bytes(self.files.cat_file(path, start=begin, end=end))

    def read_info(self, path: str) -> ObjectInfo:
        info = _parse_info(self.files.info(path, refresh=True))
        if info.stamp is None:
            raise FileNotFoundError(path)
        return info

    def list_folder(self, path: str) -> Iterator[ObjectInfo]:
        try:
            infos = self.files.ls(path, detail=True, refresh=True)
        except FileNotFoundError:
            return
        yield from (_parse_info(info) for info in infos if info["name"].rstrip("/") != path)

    def put(self, path: str, data: bytes, note: str, new: bool) -> None:
        mode = "create" if new else "overwrite"
        self.files.pipe_file(path, data, mode=mode, **self._build_options(path, note))

    def _build_options(self, path: str, note: str) -> dict[str, Any]:
        return {"metadata": {NOTE: note} if note else None, "content_type": _guess_type(path)}

    def remove(self, path: str) -> None:
        self.files.rm_file(path)

    def download(self, path: str, file: str) -> None:
        self.files.get_file(path, file)

    def upload(self, file: str, path: str) -> None:
        self.files.put_file(file, path)


class _S3Filesystem(ObjectFilesystem):
    """S3, listed with the keys as they are: `a//b` and `a/` are valid keys."""

    def read(self, path: str) -> bytes:
        # More than one connection would cost a request for the size.
        return bytes(self.files.cat_file(path, max_concurrency=1))

    def read_info(self, path: str) -> ObjectInfo:
        bucket, _, key = path.partition("/")
        answer = self.files.call_s3("head_object", Bucket=bucket, Key=key)
        stamp = _build_stamp(answer["ContentLength"], answer["LastModified"], answer.get("ETag"))
        return ObjectInfo(path, stamp, answer.get("Metadata", {}).get(NOTE))

    def list_folder(self, path: str) -> Iterator[ObjectInfo]:
        bucket, slash, key = path.partition("/")
        prefix = f"{key}/" if slash else ""
        further: dict[str, str] = {}
        while True:
            page = self.files.call_s3(
                "list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter="/", **further
            )
            for folder in page.get("CommonPrefixes", ()):
                yield ObjectInfo(f"{bucket}/{folder['Prefix'].removesuffix('/')}", None)
            for entry in page.get("Contents", ()):
                stamp = _build_stamp(entry["Size"], entry["LastModified"], entry.get("ETag"))
                if entry["Key"] != prefix or stamp.size:
                    yield ObjectInfo(f"{bucket}/{entry['Key']}", stamp)
            if not page.get("IsTruncated"):
                return
            further = {"ContinuationToken": page["NextContinuationToken"]}

    def _build_options(self, path: str, note: str) -> dict[str, Any]:
        return {"Metadata": {NOTE: note} if note else {}, "ContentType": _guess_type(path)}


class _AzureFilesystem(ObjectFilesystem):
    def put(self, path: str, data: bytes, note: str, new: bool) -> None:
        # Blocks are uploaded first and appear together.
        options = {
            "metadata": {"is_directory": "false", **({NOTE: note} if note else {})},
            "content_settings": {"content_type": _guess_type(path)},
        }
        with _raise_causes(), self.files.open(path, "xb" if new else "wb", **options) as stream:
            stream.write(data)

    def remove(self, path: str) -> None:
        with _raise_causes():
            super().remove(path)


@contextmanager
def _raise_causes() -> Iterator[None]:
    """Raise the causes of the RuntimeErrors in which adlfs wraps failed writes and deletions."""
    try:
        yield
    except RuntimeError as error:
        raise (error.__cause__ or error) from None


def _guess_type(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _parse_info(info: dict[str, Any]) -> ObjectInfo:
    if info["type"] == "directory":
        return ObjectInfo(info["name"].rstrip("/"), None)
    version = info.get("etag") or info.get("generation")
    modified = info.get("updated") or info.get("last_modified")
    metadata = info.get("metadata") or {}
    return ObjectInfo(
        info["name"], _build_stamp(info["size"], modified, version), metadata.get(NOTE)
    )


def _build_stamp(size: int, modified: datetime | str | None, version: str | None) -> Stamp:
    """Build a stamp with whole seconds, and with a hash of the version in the inode's place.

    Listings have fractions of a second and quotes around an ETag where HEAD has none.
    """
    if isinstance(modified, str):
        modified = datetime.fromisoformat(modified)
    seconds = 0 if modified is None else int(modified.timestamp())
    digest = hashlib.blake2b((version or "").strip('"').encode(), digest_size=8).digest()
    return Stamp(size, seconds * 10**9, 0, int.from_bytes(digest) >> 1)


def _open_s3() -> ObjectFilesystem:
    import aiohttp
    import fsspec
    from botocore.exceptions import BotoCoreError, ClientError

    # s3fs itself retries five times, which multiplies with this.
    config = {"retries": {"mode": "standard", "max_attempts": 3}}
    files = fsspec.filesystem("s3", use_listings_cache=False, config_kwargs=config)
    return _S3Filesystem(files, (BotoCoreError, ClientError, aiohttp.ClientError))


def _open_gs() -> ObjectFilesystem:
    import aiohttp
    import fsspec
    from gcsfs.retry import ChecksumError, HttpError, NonRetryableError
    from google.auth.exceptions import GoogleAuthError

    errors = HttpError, ChecksumError, NonRetryableError, GoogleAuthError, aiohttp.ClientError
    return ObjectFilesystem(fsspec.filesystem("gs", use_listings_cache=False), errors)


def _open_az() -> ObjectFilesystem:
    import aiohttp
    import fsspec
    from azure.core.exceptions import AzureError

    # Raises ValueError without an account.
    files = fsspec.filesystem("az", use_listings_cache=False, anon=False)
    return _AzureFilesystem(files, (AzureError, aiohttp.ClientError))


_STORES: Final[dict[str, tuple[str, Callable[[], ObjectFilesystem]]]] = {
    "s3": ("s3fs", _open_s3),
    "gs": ("gcsfs", _open_gs),
    "az": ("adlfs", _open_az),
}


@cache
def get_filesystem(scheme: str) -> ObjectFilesystem:
    """Open the store of a scheme, once per process; it is safe to use from several threads.

    Raises DependencyError, which names the extra, and what the library raises.
    """
    library, open_store = _STORES[scheme]
    if find_spec(library) is None:
        raise DependencyError(
            f"{scheme}:// needs {library}; run: pip install 'archive-colorizer[{scheme}]'"
        )
    return open_store()
