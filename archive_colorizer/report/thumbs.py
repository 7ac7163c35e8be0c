"""Make small pictures of sources and results, named by the hash of the file."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import get_white
from archive_colorizer.errors import ArchiveColorizerError, SourceError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.raster import Raster
from archive_colorizer.location import Location
from archive_colorizer.manifest.reader import ManifestEntry, Roots
from archive_colorizer.storage.atomic import write_atomically
from archive_colorizer.storage.reading import read_source
from archive_colorizer.verification.files import Finding
from archive_colorizer.verification.verify import find_photo

FOLDER: Final = "thumbs"
_MAX_PIXELS: Final = 300_000_000
"""Of the largest picture that is shown."""
_LONG_SIDE: Final = 512
_QUALITY: Final = 82
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class ThumbnailPair:
    """Names of the pictures below the report; `why`: the reason that one is missing."""

    before: str | None = None
    after: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class ThumbnailMaker:
    """Make the pictures of one output for the report in `report`, and keep earlier ones."""

    output: Location
    report: Path
    roots: Roots

    def make_pair(self, entry: ManifestEntry) -> ThumbnailPair:
        """Make the pictures of one file; raises OutputError when the report is unwritable."""
        outcome = entry.outcome
        if outcome.frames is not None or outcome.width is None:
            return ThumbnailPair()
        before, why_no_source = self._write_thumbnail(
            outcome.source_sha256, entry.page, lambda: self._read_source(entry)
        )
        if outcome.target is None:
            return ThumbnailPair(before, None, why_no_source)
        after, why_no_result = self._write_thumbnail(
            outcome.target_sha256, None, lambda: self._read_result(entry)
        )
        return ThumbnailPair(before, after, why_no_source or why_no_result)

    def _write_thumbnail(
        self, sha256: str | None, page: int | None, read: Callable[[], bytes]
    ) -> tuple[str | None, str | None]:
        """Write a picture and return its name, or the reason why there is none."""
        # Text from a manifest becomes part of a path only when it is a hash.
        if sha256 is None or not _SHA256.match(sha256):
            return None, "the manifest has no checksum of it"
        name = f"{FOLDER}/{sha256}{f'-{page}' if page else ''}.jpg"
        if (self.report / name).is_file():
            return name, None
        try:
            raster = stills.decode(read(), "picture", _MAX_PIXELS, "srgb", page)
        except ArchiveColorizerError as error:
            return None, str(error)
        content = _encode_jpeg(_shrink_picture(raster))
        write_atomically(self.report / name, lambda stream: stream.write(content))
        return name, None

    def _read_source(self, entry: ManifestEntry) -> bytes:
        content = find_photo(entry.outcome, self.roots)
        if isinstance(content, Finding):
            raise SourceError(f"no picture of the source: {content.message}")
        return content

    def _read_result(self, entry: ManifestEntry) -> bytes:
        data, _ = read_source(self.output / str(entry.outcome.target))
        if hashlib.sha256(data).hexdigest() != entry.outcome.target_sha256:
            raise SourceError("the result is no longer what was recorded")
        return data


def _shrink_picture(raster: Raster) -> npt.NDArray[np.uint8]:
    """Shrink to H x W x 3 uint8 RGB, upright, with a long side of at most 512 pixels."""
    if raster.preview is not None:
        return raster.preview
    height, width = raster.luma.shape
    factor = min(1.0, _LONG_SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(raster.luma, size, interpolation=cv2.INTER_AREA)
    grey = np.rint(small / (get_white(raster.luma) / 255)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _encode_jpeg(rgb: npt.NDArray[np.uint8]) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), options)[1])
