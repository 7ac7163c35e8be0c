"""Open a numbered sequence of pictures as a film."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Final

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, SourceError
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.registry import decode, detect_format
from archive_colorizer.storage.reading import read_source
from archive_colorizer.video.film import Codes, Film, FilmFacts, LumaFrame
from archive_colorizer.video.planes import is_colored
from archive_colorizer.video.sequence.dpx import is_dpx, read_dpx, read_dpx_size
from archive_colorizer.video.sequence.numbering import NumberedFile, list_numbered_files

_RATE: Final = Fraction(24)
"""The default frames a second: that of sound film."""

_MAX_PIXELS: Final = 400_000_000
_MAX_NAMED: Final = 5
_HEADER: Final = 2048


class _SequenceFilm(Film):
    """A folder of numbered pictures, or a pattern for them."""

    def __init__(self, files: tuple[NumberedFile, ...], facts: FilmFacts) -> None:
        self.facts = facts
        self._files = files

    def _decode_frames(self, first: int, last: int | None) -> Iterator[LumaFrame | SourceError]:
        for at in range(self.facts.frames)[first:last]:
            try:
                frame: LumaFrame | SourceError = self._read_frame(at)
            except SourceError as error:
                frame = error
            yield frame

    def _read_frame(self, at: int) -> LumaFrame:
        file, facts = self._files[at], self.facts
        name = f"{facts.name}: frame {file.number} ({file.path.name})"
        luma, depth, _ = _read_picture(file.path, name)
        if (*luma.shape, depth) != (facts.height, facts.width, facts.codes.depth):
            raise DamagedPicture(f"{name} has another size or depth than the first frame")
        return LumaFrame(at, at, luma)


def open_sequence(
    path: Path,
    rate: Fraction | None = None,
    known_facts: FilmFacts | None = None,
    with_gaps: bool = False,
) -> Film:
    """Open the numbered pictures in a folder, or those of a pattern such as shot.####.dpx.

    rate: frames a second; 24 when None.  With `known` facts from an earlier call no header is
    read.  with_gaps: missing numbers give a warning, not an error.  Raises SourceError as
    `list_numbered_files` does, and DamagedPicture for a picture of another size or depth.
    """
    files = list_numbered_files(path)
    if known_facts is not None:
        return _SequenceFilm(files, known_facts)
    gaps = _describe_gaps(files)
    if gaps and not with_gaps:
        raise SourceError(
            f"{path}: frames {gaps} are missing; find them, renumber the files, or leave the "
            "gaps with --allow-missing"
        )
    warnings = (f"frames {gaps} are missing, in the film and in its result",) if gaps else ()
    return _SequenceFilm(files, _collect_facts(path, files, rate or _RATE, warnings))


def _describe_gaps(files: Sequence[NumberedFile]) -> str:
    """Describe the numbers that are missing in a sequence; "" if it is complete."""
    pairs = pairwise(file.number for file in files)
    gaps = [_format_range(first + 1, last - 1) for first, last in pairs if last > first + 1]
    more = f" and {len(gaps) - _MAX_NAMED} more gaps" if len(gaps) > _MAX_NAMED else ""
    return ", ".join(gaps[:_MAX_NAMED]) + more


def _format_range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _collect_facts(
    path: Path, files: tuple[NumberedFile, ...], rate: Fraction, warnings: tuple[str, ...]
) -> FilmFacts:
    first, last = _read_header(files[0].path), len(files) - 1
    for file in files[1:]:
        if (header := _read_header(file.path)) != first:
            raise DamagedPicture(
                f"{path.name}: frame {file.number} ({file.path.name}) is "
                f"{_describe_header(*header)}, the first is {_describe_header(*first)}; "
                "a film has one size, depth and format"
            )
    sampled = [files[at].path for at in sorted({0, last // 2, last})]
    samples = [_read_picture(file, file.name) for file in sampled]
    luma, depth, _ = samples[0]
    has_color = any(color for *_, color in samples)
    return FilmFacts(
        name=path.name,
        kind="sequence",
        frames=len(files),
        rate=rate,
        variable=False,
        width=luma.shape[1],
        height=luma.shape[0],
        codes=Codes(depth, True, "bt601"),
        chroma="rgb" if has_color else "4:0:0",
        has_color=has_color,
        times=tuple(range(len(files))),
        time_base=1 / rate,
        end=len(files),
        file_format=first[0],
        codec=first[0],
        keys=tuple(range(len(files))),
        warnings=warnings,
    )


def _read_header(path: Path) -> tuple[str, int, int, str]:
    """Read format, width, height and sample type, without decoding."""
    try:
        with path.open("rb") as file:
            beginning = file.read(_HEADER)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    if is_dpx(beginning):
        width, height, bits = read_dpx_size(beginning, path.name)
        return "dpx", width, height, f"{bits} bit"
    library = vips.load_library()
    try:
        source = library.Source.new_from_file(str(path))
        image = library.Image.new_from_source(source, "", access="sequential")
    except library.Error:
        raise DamagedPicture(
            f"{path} is no picture, or cut within its header; look for a better copy"
        ) from None
    depth = {"uchar": "8 bit", "ushort": "16 bit"}.get(image.format, image.format)
    return detect_format(beginning) or "picture", image.width, image.height, depth


def _describe_header(kind: str, width: int, height: int, depth: str) -> str:
    return f"{kind.upper()} of {width} x {height} in {depth}"


def _read_picture(path: Path, name: str) -> tuple[Plane, int, bool]:
    """Read luma, its depth in bits, and whether the picture shows color."""
    data, _ = read_source(path)
    if is_dpx(data):
        return read_dpx(data, name)
    raster = decode(data, name, _MAX_PIXELS, profile="keep")
    has_color = raster.preview is not None and is_colored(raster.preview)
    return raster.luma, raster.luma.itemsize * 8, has_color
