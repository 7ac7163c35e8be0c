"""Small pictures of sources and results, named by the hash of the file that they show."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import white_of
from archive_colorizer.errors import ArchiveColorizerError, SourceError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.raster import Raster
from archive_colorizer.location import Place
from archive_colorizer.manifest.reader import Entry
from archive_colorizer.storage.atomic import write_whole
from archive_colorizer.storage.reading import read_source
from archive_colorizer.verification.files import Finding
from archive_colorizer.verification.verify import Roots, find_source, page_of

FOLDER: Final = "thumbs"
_LONG_SIDE: Final = 512
_QUALITY: Final = 82
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Pair:
    """Pictures before and after, as names below the report; `why` one of them is missing."""

    before: str | None = None
    after: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Darkroom:
    """Makes the pictures of one output for the report in `report`; earlier ones are kept.

    max_pixels: what is larger is not shown.
    """

    output: Place
    report: Path
    roots: Roots
    max_pixels: int

    def pair(self, entry: Entry) -> Pair:
        """The pictures of one file; what cannot be shown is told.

        Raises OutputError when the report cannot be written.
        """
        outcome = entry.outcome
        if outcome.frames is not None or outcome.width is None:
            return Pair()
        page = page_of(entry.recipe)
        before, missing = self._made(outcome.source_sha256, page, lambda: self._source(entry))
        if outcome.target is None:
            return Pair(before, None, missing)
        after, wrong = self._made(outcome.target_sha256, None, lambda: self._result(entry))
        return Pair(before, after, missing or wrong)

    def _made(
        self, sha256: str | None, page: int | None, read: Callable[[], bytes]
    ) -> tuple[str | None, str | None]:
        """The name of a picture, or why there is none."""
        # What stands in a manifest becomes part of a path only when it is a hash.
        if sha256 is None or not _SHA256.match(sha256):
            return None, "the manifest has no checksum of it"
        name = f"{FOLDER}/{sha256}{f'-{page}' if page else ''}.jpg"
        if (self.report / name).is_file():
            return name, None
        try:
            raster = stills.decode(read(), "picture", self.max_pixels, "srgb", page)
        except ArchiveColorizerError as error:
            return None, str(error)
        content = _encoded(small_picture(raster))
        write_whole(self.report / name, lambda stream: stream.write(content))
        return name, None

    def _source(self, entry: Entry) -> bytes:
        found = find_source(entry.outcome, self.roots)
        if isinstance(found, Finding):
            raise SourceError(f"no picture of the source: {found.message}")
        return found

    def _result(self, entry: Entry) -> bytes:
        data, _ = read_source(self.output / str(entry.outcome.target))
        if hashlib.sha256(data).hexdigest() != entry.outcome.target_sha256:
            raise SourceError("the result is no longer what was recorded")
        return data


def small_picture(raster: Raster) -> npt.NDArray[np.uint8]:
    """H x W x 3 uint8 RGB, upright, long side at most 512 pixels."""
    if raster.preview is not None:
        return raster.preview
    height, width = raster.luma.shape
    share = min(1.0, _LONG_SIDE / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    small = cv2.resize(raster.luma, size, interpolation=cv2.INTER_AREA)
    grey = np.rint(small / (white_of(raster.luma) / 255)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _encoded(rgb: npt.NDArray[np.uint8]) -> bytes:
    how = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), how)[1])
