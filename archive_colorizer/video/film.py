"""Define what a film is: facts, frames in order of time, and the planes of its result.

A film is a video file or a folder of numbered pictures; `open_film` in video/reader.py opens both.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, Self, TypeAlias

import numpy as np

from archive_colorizer.color.space import FloatArray, Plane
from archive_colorizer.errors import SourceError

Matrix: TypeAlias = Literal["bt601", "bt709", "bt2020"]
"""The matrix between R'G'B' and Y'CbCr; bt2020 with non-constant luminance."""

Chroma: TypeAlias = Literal["4:0:0", "4:2:0", "4:2:2", "4:4:4", "4:1:1", "4:4:0", "4:1:0", "rgb"]
"""The chroma subsampling; 4:0:0 is grey, rgb has neither luma nor chroma."""

Codec: TypeAlias = Literal["ffv1", "h264", "h265", "prores"]

_WEIGHTS: Final[dict[Matrix, tuple[float, float]]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
"""KR and KB of each matrix (ITU-R BT.601, BT.709, BT.2020)."""

STEPS: Final[dict[Chroma, tuple[int, int]]] = {
    "4:2:0": (2, 2),
    "4:2:2": (1, 2),
    "4:4:4": (1, 1),
    "4:1:1": (1, 4),
    "4:4:0": (2, 1),
    "4:1:0": (4, 4),
}
"""Rows and columns of luma per chroma sample."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The meaning of code values: their depth in bits, their range and their matrix.

    Full range: black 0, white 2^depth - 1.  Limited range (ITU-R BT.601): black 16, white 235,
    chroma 16 to 240, all times 2^(depth - 8).  Neutral chroma is 2^(depth - 1) in both.
    """

    depth: int
    full_range: bool
    matrix: Matrix

    @property
    def black(self) -> int:
        return 0 if self.full_range else 16 << (self.depth - 8)

    @property
    def white(self) -> int:
        return (1 << self.depth) - 1 if self.full_range else 235 << (self.depth - 8)

    @property
    def neutral(self) -> int:
        return 1 << (self.depth - 1)

    @property
    def weights(self) -> tuple[float, float]:
        """KR and KB of the luma."""
        return _WEIGHTS[self.matrix]

    @property
    def chroma_span(self) -> int:
        """Codes from the chroma -0.5 to 0.5."""
        return (1 << self.depth) - 1 if self.full_range else 224 << (self.depth - 8)

    def normalize_luma(self, luma: Plane) -> FloatArray:
        """Convert luma codes to float32, black 0 and white 1, without clipping."""
        span = np.float32(self.white - self.black)
        return (luma.astype(np.float32) - np.float32(self.black)) / span

    def encode_luma(self, unit: FloatArray) -> Plane:
        """Convert luma of 0..1 to the nearest codes, clipped to the depth."""
        return self._round(unit * np.float32(self.white - self.black) + np.float32(self.black))

    def normalize_chroma(self, plane: Plane) -> FloatArray:
        """Convert codes of Cb or Cr to float32, -0.5..0.5, neutral 0."""
        return (plane.astype(np.float32) - np.float32(self.neutral)) / np.float32(self.chroma_span)

    def encode_chroma(self, unit: FloatArray) -> Plane:
        """Convert Cb or Cr of -0.5..0.5 to the nearest codes, clipped to the depth."""
        return self._round(unit * np.float32(self.chroma_span) + np.float32(self.neutral))

    def _round(self, exact: FloatArray) -> Plane:
        codes = np.clip(np.rint(exact), 0, (1 << self.depth) - 1)
        return codes.astype(np.uint8) if self.depth <= 8 else codes.astype(np.uint16)


@dataclass(frozen=True, slots=True)
class ColorTags:
    """The source's codes of ITU-T H.273, where 2 means unspecified.

    range: FFmpeg's numbers: 0 unspecified, 1 limited, 2 full.
    """

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    range: int = 0


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """The properties of a film.

    name: for messages.  frames: counted, not the header's claim.
    rate: frames a second, exact; the mean of a variable rate.
    width, height: of the stored picture, before `rotation` (degrees clockwise: 0, 90, 180 or
        270) and `pixel_aspect` (width of a pixel to its height) are applied.
    codes: the meaning of the luma in `LumaFrame`.  chroma: the source's own subsampling.
    has_color: a sampled frame has chroma that is not neutral.
    times: of each frame, in units of `time_base` seconds; `end` is when the last one ends.
    keys: frames at which decoding may begin, in order; empty if only at the film's start.
    other_streams: descriptions of other streams and of chapters.
    file_format, codec: FFmpeg's names, or the still format ("matroska", "png").
    """

    name: str
    kind: Literal["video", "sequence"]
    frames: int
    rate: Fraction
    variable: bool
    width: int
    height: int
    codes: Codes
    chroma: Chroma
    has_color: bool
    times: tuple[int, ...]
    time_base: Fraction
    end: int
    file_format: str
    codec: str
    pixel_aspect: Fraction = Fraction(1)
    rotation: int = 0
    interlaced: bool = False
    tags: ColorTags = ColorTags()
    keys: tuple[int, ...] = ()
    other_streams: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def duration(self) -> Fraction:
        """Seconds from the beginning of the first frame to the end of the last, exact."""
        return (self.end - self.times[0]) * self.time_base

    def get_seconds(self, index: int) -> Fraction:
        """Get the time of frame `index` after the first frame, exact."""
        return (self.times[index] - self.times[0]) * self.time_base


@dataclass(frozen=True, slots=True)
class Layout:
    """The planes of a result: the meaning of its codes, and its chroma subsampling."""

    codes: Codes
    chroma: Chroma

    @property
    def steps(self) -> tuple[int, int]:
        """Rows and columns of luma per chroma sample."""
        return STEPS[self.chroma]

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of the planes."""
        name = f"yuv{self.chroma.replace(':', '')}p"
        return name if self.codes.depth == 8 else f"{name}{self.codes.depth}le"

    def get_chroma_shape(self, height: int, width: int) -> tuple[int, int]:
        """Get rows and columns of Cb, and of Cr, for luma of this size."""
        rows, columns = self.steps
        return -(-height // rows), -(-width // columns)

    def convert_luma(self, luma: Plane, codes: Codes) -> Plane:
        """Convert a source's luma to this layout's codes, which is exact unless bits are cut."""
        if (codes.depth, codes.full_range) == (self.codes.depth, self.codes.full_range):
            return luma
        return self.codes.encode_luma(codes.normalize_luma(luma))


@dataclass(frozen=True, slots=True, eq=False)
class LumaFrame:
    """A frame of a source: luma H x W holds the stored Y' codes (uint8 or uint16).

    index counts from 0; pts is the frame's time in units of the film's time base.
    """

    index: int
    pts: int
    luma: Plane


@dataclass(frozen=True, slots=True, eq=False)
class ColorFrame:
    """A frame of a result: luma H x W, cb and cr of the chroma shape, in its Layout's codes."""

    index: int
    pts: int
    luma: Plane
    cb: Plane
    cr: Plane


class Film(ABC):
    """An open film; files are open only while frames are read, so that closing does nothing."""

    facts: FilmFacts

    def read_frames(self, first: int = 0, last: int | None = None) -> Iterator[LumaFrame]:
        """Yield frames `first` (from 0) to before `last` in order, holding a few in memory.

        Raises SourceError for a frame that cannot be decoded.
        """
        for frame in self._decode_frames(first, last):
            if isinstance(frame, SourceError):
                raise frame
            yield frame

    def rescue_frames(self, first: int = 0, last: int | None = None) -> Iterator[LumaFrame | None]:
        """Yield frames in the same way, with None for each one that cannot be decoded."""
        for frame in self._decode_frames(first, last):
            yield None if isinstance(frame, SourceError) else frame

    @abstractmethod
    def _decode_frames(self, first: int, last: int | None) -> Iterator[LumaFrame | SourceError]:
        """Yield an error instead of each frame that cannot be decoded."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return
