"""Film: frames in order of time, their luma as stored, and what their file says of itself.

A film is a video file or a folder of numbered pictures.  The table of readers and `open_film`
stand in media/footage.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, Protocol, Self, TypeAlias

import numpy as np

from archive_colorizer.color.space import FloatArray, Plane

Matrix: TypeAlias = Literal["bt601", "bt709", "bt2020"]
"""Which R'G'B' luma and chroma belong to; bt2020 with non-constant luminance."""

Chroma: TypeAlias = Literal["4:0:0", "4:2:0", "4:2:2", "4:4:4", "4:1:1", "4:4:0", "4:1:0", "rgb"]
"""How many chroma samples are stored for those of luma; 4:0:0 is grey, rgb has neither."""

Codec: TypeAlias = Literal["ffv1", "h264", "h265", "prores"]

WEIGHTS: Final[dict[Matrix, tuple[float, float]]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
"""KR and KB of each matrix (ITU-R BT.601, BT.709, BT.2020)."""

_STEPS: Final[dict[Chroma, tuple[int, int]]] = {
    "4:2:0": (2, 2),
    "4:2:2": (1, 2),
    "4:4:4": (1, 1),
    "4:1:1": (1, 4),
    "4:4:0": (2, 1),
    "4:1:0": (4, 4),
}
"""Rows and columns of luma to one chroma sample."""


@dataclass(frozen=True, slots=True)
class Codes:
    """What code values mean: their depth in bits, their range and their matrix.

    Full range: black 0, white 2^depth - 1.  Limited range (ITU-R BT.601): black 16 and white
    235, chroma 16 to 240, all times 2^(depth - 8).  Neutral chroma is 2^(depth - 1) in both.
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
        return WEIGHTS[self.matrix]

    @property
    def chroma_span(self) -> int:
        """Codes from the chroma -0.5 to 0.5."""
        return (1 << self.depth) - 1 if self.full_range else 224 << (self.depth - 8)

    def unit_luma(self, luma: Plane) -> FloatArray:
        """Luma codes to float32, black 0 and white 1; codes beyond them stay beyond."""
        span = np.float32(self.white - self.black)
        return (luma.astype(np.float32) - np.float32(self.black)) / span

    def luma_codes(self, unit: FloatArray) -> Plane:
        """Luma of 0..1 to the nearest codes, clipped to what the depth holds."""
        return self._rounded(unit * np.float32(self.white - self.black) + np.float32(self.black))

    def unit_chroma(self, plane: Plane) -> FloatArray:
        """Codes of Cb or Cr to float32, -0.5..0.5, neutral 0."""
        return (plane.astype(np.float32) - np.float32(self.neutral)) / np.float32(self.chroma_span)

    def chroma_codes(self, unit: FloatArray) -> Plane:
        """Cb or Cr of -0.5..0.5 to the nearest codes, clipped to what the depth holds."""
        return self._rounded(unit * np.float32(self.chroma_span) + np.float32(self.neutral))

    def _rounded(self, exact: FloatArray) -> Plane:
        codes = np.clip(np.rint(exact), 0, (1 << self.depth) - 1)
        return codes.astype(np.uint8) if self.depth <= 8 else codes.astype(np.uint16)


@dataclass(frozen=True, slots=True)
class ColorTags:
    """The codes of ITU-T H.273 as the source's stream states them; 2 is "not said".

    range: 0 not said, 1 limited, 2 full, as FFmpeg numbers them.
    """

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    range: int = 0


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What a film is.

    name: for messages.  frames: counted, not believed.
    rate: frames a second, exact; of a film of variable rate the mean.
    width, height: of the stored picture, before `rotation` (degrees clockwise for showing: 0,
        90, 180 or 270) and `pixel_aspect` (width of a pixel to its height).
    codes: of the luma as `Frame` gives it.  chroma: how the source stores its own.
    has_color: chroma that is not neutral was met in the frames looked at.
    times: of each frame, in `time_base` seconds; `end` is when the last one ends.
    keys: frames from which decoding may begin, in order; empty when only from the film's start.
    besides: streams that are no picture, and chapters, in words.
    kind_of_file: container or still format as its library names it ("matroska", "png").
    codec: of the pictures, as its library names it.
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
    kind_of_file: str
    codec: str
    pixel_aspect: Fraction = Fraction(1)
    rotation: int = 0
    interlaced: bool = False
    tags: ColorTags = ColorTags()
    keys: tuple[int, ...] = ()
    besides: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def duration(self) -> Fraction:
        """Seconds from the first frame's beginning to the last one's end, exact."""
        return (self.end - self.times[0]) * self.time_base

    def seconds(self, index: int) -> Fraction:
        """When frame `index` is shown, counted from the first frame, exact."""
        return (self.times[index] - self.times[0]) * self.time_base


@dataclass(frozen=True, slots=True)
class Layout:
    """The planes of a result: what its codes mean, and how much chroma it holds."""

    codes: Codes
    chroma: Chroma

    @property
    def steps(self) -> tuple[int, int]:
        """Rows and columns of luma to one chroma sample."""
        return _STEPS[self.chroma]

    def chroma_shape(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of Cb and of Cr for luma of this size."""
        rows, columns = self.steps
        return -(-height // rows), -(-width // columns)

    def luma_from(self, luma: Plane, codes: Codes) -> Plane:
        """A source's luma in these codes, which is exact unless bits are taken away."""
        if (codes.depth, codes.full_range) == (self.codes.depth, self.codes.full_range):
            return luma
        return self.codes.luma_codes(codes.unit_luma(luma))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame of a source: luma H x W, the stored Y' codes (uint8 or uint16; see FilmFacts.codes).

    index counts from 0.  pts is its time in units of the film's time base.
    """

    index: int
    pts: int
    luma: Plane


@dataclass(frozen=True, slots=True, eq=False)
class ColorFrame:
    """A frame of a result: codes at the depth, range and matrix of the result's Layout.

    luma H x W; cb and cr of the layout's chroma shape.
    """

    index: int
    pts: int
    luma: Plane
    cb: Plane
    cr: Plane


class Film(Protocol):
    """An open film; use it in a `with`, or close it."""

    @property
    def facts(self) -> FilmFacts: ...

    def frames(self, first: int = 0, last: int | None = None) -> Iterator[Frame]:
        """Frames `first` (from 0) to before `last`, in order, each once, a few in memory.

        Raises DamagedPicture, which names the frame, where one cannot be decoded.
        """
        ...

    def salvage(self, first: int = 0, last: int | None = None) -> Iterator[Frame | None]:
        """Like `frames`, with None in the place of each frame that cannot be decoded."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class OpenedToRead:
    """For films whose files are open only while frames are read: closing does nothing."""

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
