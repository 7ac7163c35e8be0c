"""Address: a place in an object store, as `s3://bucket/scans`; what a Path is among files.

Only names: nothing here talks to a store, nor imports a library that does.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from archive_colorizer.errors import UsageError

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SCHEMES: Final = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "abfs": "az",
    "abfss": "az",
}
"""By what people write; two spellings of one place are one address."""


@dataclass(frozen=True, slots=True)
class Address:
    """A place in a store: a bucket (or container), and a key in it with forward slashes.

    The key is empty for the bucket itself, and neither begins nor ends with a slash.
    """

    scheme: str
    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    def __truediv__(self, below: str) -> "Address":
        return replace(self, key=f"{self.key}/{below}" if self.key else below)

    @property
    def path(self) -> str:
        """Bucket and key, as fsspec takes them."""
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    @property
    def name(self) -> str:
        """The last part of the key, or the bucket."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return Path(self.name).stem

    @property
    def parent(self) -> "Address":
        """The folder above; that of a bucket is the bucket."""
        return replace(self, key=self.key.rpartition("/")[0])

    def holds(self, other: "Address") -> bool:
        """Whether `other` is this address or lies below it."""
        if (self.scheme, self.bucket) != (other.scheme, other.bucket):
            return False
        return self.key in ("", other.key) or other.key.startswith(f"{self.key}/")


Place: TypeAlias = Path | Address
"""Where something lies: among files or in a store."""


def is_address(text: str) -> bool:
    """Whether this has a scheme in front, as no absolute path has."""
    return _SCHEME.match(text) is not None


def place_of(text: str) -> Place:
    """The place that a record names; an address in it has been checked when it was given."""
    match = _SCHEME.match(text)
    if match is None or match[1] not in _SCHEMES.values():
        return Path(text)
    bucket, _, key = text[match.end() :].partition("/")
    return Address(match[1], bucket, key)


def on_disk(place: Place) -> Path:
    """The path, for what works with files only; raises UsageError for an address."""
    if isinstance(place, Address):
        raise UsageError(f"{place} is in a store, where this does not work; copy it to a disk")
    return place


def given_place(text: str) -> Place:
    """The place that a person has written.

    Raises UsageError for a store that is not known and for an address that holds anything
    but a bucket and a key.  The message never repeats what may be a password.
    """
    match = _SCHEME.match(text)
    if match is None:
        return Path(text)
    scheme = _SCHEMES.get(match[1].lower())
    if scheme is None:
        raise UsageError(f"{match[0]} is no store that is known; known are s3://, gs:// and az://")
    bucket, _, key = text[match.end() :].partition("/")
    if "@" in bucket or ":" in bucket:
        raise UsageError(
            f"an address {scheme}://... must not hold a user, a password or a port; "
            "give them as the store's library expects them (docs/remote.md)"
        )
    if "?" in text or "#" in text:
        raise UsageError(
            f"an address {scheme}://{bucket}/... must not hold '?' or '#': tokens are given as "
            "the store's library expects them (docs/remote.md)"
        )
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{scheme}://... needs the name of a bucket, as {scheme}://bucket/scans")
    key = key.rstrip("/")
    if key and any(part in ("", ".", "..") for part in key.split("/")):
        raise UsageError(f"{scheme}://{bucket}/{key} has an empty part, '.' or '..'; write it out")
    return Address(scheme, bucket, key)
