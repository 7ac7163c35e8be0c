"""A numbered sequence of pictures as a film."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, SourceError
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.registry import decode, kind_of
from archive_colorizer.storage.reading import read_source
from archive_colorizer.video.film import Codes, FilmFacts, Frame, OpenedToRead
from archive_colorizer.video.sequence.dpx import dpx_size, is_dpx, read_dpx
from archive_colorizer.video.sequence.numbering import NumberedFile, gaps_in, numbered_files

RATE: Final = Fraction(24)
"""Frames a second where nobody says: that of sound film."""

_MAX_PIXELS: Final = 400_000_000
_HEADER: Final = 2048
_COLOR: Final = 14
_FEW: Final = 0.01


class SequenceFilm(OpenedToRead):
    """A folder of numbered pictures, or a pattern for them; see media.film.Film."""

    __slots__ = ("_files", "facts")

    def __init__(self, files: tuple[NumberedFile, ...], facts: FilmFacts) -> None:
        self.facts = facts
        self._files = files

    @property
    def paths(self) -> tuple[Path, ...]:
        """The file of each frame."""
        return tuple(one.path for one in self._files)

    def frames(self, first: int = 0, last: int | None = None) -> Iterator[Frame]:
        """See media.film.Film."""
        for at in range(self.facts.frames)[first:last]:
            yield self._frame(at)

    def salvage(self, first: int = 0, last: int | None = None) -> Iterator[Frame | None]:
        """See media.film.Film."""
        for at in range(self.facts.frames)[first:last]:
            try:
                yield self._frame(at)
            except SourceError:
                yield None

    def _frame(self, at: int) -> Frame:
        file, facts = self._files[at], self.facts
        name = f"{facts.name}: frame {file.number} ({file.path.name})"
        luma, depth, _ = _read(file.path, name)
        if (*luma.shape, depth) != (facts.height, facts.width, facts.codes.depth):
            raise DamagedPicture(f"{name} has another size or depth than the first frame")
        return Frame(at, at, luma)


def open_sequence(
    path: Path,
    rate: Fraction | None = None,
    known: FilmFacts | None = None,
    with_gaps: bool = False,
) -> SequenceFilm:
    """Open the numbered pictures in a folder, or those of a pattern such as shot.####.dpx.

    rate: frames a second; 24 when None.  With `known` facts, which this has told before, no
    header is read.  with_gaps: numbers may be missing, which is a warning then.  Raises
    SourceError for those and as `numbered_files` does, and DamagedPicture where a picture has
    another size or depth than the first one.
    """
    files = numbered_files(path)
    if known is not None:
        return SequenceFilm(files, known)
    gaps = gaps_in(files)
    if gaps and not with_gaps:
        raise SourceError(
            f"{path}: frames {gaps} are missing; find them, number the files anew, or leave the "
            "gaps with --allow-missing"
        )
    said = f"frames {gaps} are missing, in the film and in its result"
    facts = _facts(path, files, rate or RATE)
    return SequenceFilm(files, replace(facts, warnings=(said,)) if gaps else facts)


def _facts(path: Path, files: tuple[NumberedFile, ...], rate: Fraction) -> FilmFacts:
    first = files[0].path
    kind, *shape = _header(first)
    for file in files[1:]:
        if (found := _header(file.path)) != (kind, *shape):
            raise DamagedPicture(
                f"{path.name}: frame {file.number} ({file.path.name}) is {_words(found)}, the "
                f"first is {_words((kind, *shape))}; a film has one size, depth and format"
            )
    looked = [_read(files[at].path, files[at].path.name) for at in _spread(len(files))]
    luma, depth, _ = looked[0]
    height, width = luma.shape
    return FilmFacts(
        name=path.name,
        kind="sequence",
        frames=len(files),
        rate=rate,
        variable=False,
        width=width,
        height=height,
        codes=Codes(depth, True, "bt601"),
        chroma="rgb" if any(color for *_, color in looked) else "4:0:0",
        has_color=any(color for *_, color in looked),
        times=tuple(range(len(files))),
        time_base=1 / rate,
        end=len(files),
        kind_of_file=str(kind),
        codec=str(kind),
        keys=tuple(range(len(files))),
    )


def _spread(count: int) -> list[int]:
    """A few frames over the whole film, the first one first."""
    return sorted({0, (count - 1) // 2, count - 1})


def _header(path: Path) -> tuple[str, int, int, str]:
    """Format, width, height and type of samples, before anything is decoded."""
    try:
        with path.open("rb") as file:
            beginning = file.read(_HEADER)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    if is_dpx(beginning):
        width, height, bits = dpx_size(beginning, path.name)
        return "dpx", width, height, f"{bits} bit"
    library = vips.library()
    try:
        source = library.Source.new_from_file(str(path))
        image = library.Image.new_from_source(source, "", access="sequential")
    except library.Error:
        raise DamagedPicture(
            f"{path} is no picture, or cut within its header; look for a better copy"
        ) from None
    depth = {"uchar": "8 bit", "ushort": "16 bit"}.get(image.format, image.format)
    return kind_of(beginning) or "picture", image.width, image.height, depth


def _words(header: tuple[object, ...]) -> str:
    kind, width, height, depth = header
    return f"{str(kind).upper()} of {width} x {height} in {depth}"


def _read(path: Path, name: str) -> tuple[Plane, int, bool]:
    """Luma, its depth in bits, and whether the picture shows color."""
    data, _ = read_source(path)
    if is_dpx(data):
        picture = read_dpx(data, name)
        return picture.luma, picture.depth, picture.shows_color
    raster = decode(data, name, _MAX_PIXELS, profile="keep")
    colored = False
    if raster.preview is not None:
        small = raster.preview.astype(np.int16)
        spread = small.max(axis=2) - small.min(axis=2)
        colored = bool(np.mean(spread > _COLOR) > _FEW)
    return raster.luma, raster.luma.itemsize * 8, colored
