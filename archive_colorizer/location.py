"""Name objects in a store, such as `s3://bucket/scans`, without access to the store."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from archive_colorizer.errors import UsageError

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SCHEMES: Final = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "az"),
}
"""Canonical schemes by the spellings that users write."""


@dataclass(frozen=True, slots=True)
class ObjectLocation:
    """A bucket (or container) of a store, and a key in it with forward slashes.

    The key is empty for the bucket itself, and neither begins nor ends with a slash.
    """

    scheme: str
    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    def __truediv__(self, relative: str) -> "ObjectLocation":
        return replace(self, key=f"{self.key}/{relative}" if self.key else relative)

    @property
    def path(self) -> str:
        """Bucket and key, as in fsspec."""
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    @property
    def name(self) -> str:
        """The last part of the key, or the bucket."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return Path(self.name).stem

    @property
    def parent(self) -> "ObjectLocation":
        """The folder above; a bucket is its own parent."""
        return replace(self, key=self.key.rpartition("/")[0])

    def contains(self, other: "ObjectLocation") -> bool:
        """Return whether `other` is this location or below it."""
        if (self.scheme, self.bucket) != (other.scheme, other.bucket):
            return False
        return self.key in ("", other.key) or other.key.startswith(f"{self.key}/")


Location: TypeAlias = Path | ObjectLocation


def has_scheme(text: str) -> bool:
    """Return whether the text begins with a scheme, which no absolute path does."""
    return _SCHEME.match(text) is not None


def to_location(text: str) -> Location:
    """Convert text of a record, which was checked when the user wrote it."""
    match = _SCHEME.match(text)
    if match is None or match[1] not in _SCHEMES.values():
        return Path(text)
    bucket, _, key = text[match.end() :].partition("/")
    return ObjectLocation(match[1], bucket, key)


def require_path(location: Location) -> Path:
    """Return the path; raises UsageError for a location in a store."""
    if isinstance(location, ObjectLocation):
        raise UsageError(f"{location} is in a store, where this does not work; copy it to a disk")
    return location


def parse_location(text: str) -> Location:
    """Parse a path or a URL that a user wrote.

    Raises UsageError for an unknown store, and for a URL that holds more than bucket and key,
    with a message that never repeats what may be a password.
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
    return ObjectLocation(scheme, bucket, key)
