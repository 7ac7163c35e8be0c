"""Open a film of any kind, and read video files."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import DamagedPicture, SourceError, UsageError
from archive_colorizer.video.decoder import decode_span
from archive_colorizer.video.film import Codes, ColorTags, Film, FilmFacts, LumaFrame, Matrix
from archive_colorizer.video.packet_index import FrameIndex, scan_packets
from archive_colorizer.video.planes import extract_luma, get_luma_depth, has_color, identify_chroma
from archive_colorizer.video.pyav import find_picture_stream, open_container
from archive_colorizer.video.sequence.numbering import is_pattern
from archive_colorizer.video.sequence.reader import open_sequence

_MATRICES: Final[dict[int, Matrix]] = {
    1: "bt709",
    4: "bt601",
    5: "bt601",
    6: "bt601",
    7: "bt709",
    9: "bt2020",
    10: "bt2020",
}
"""By the code of ITU-T H.273."""

_UNSAID: Final = (0, 2)
_STANDARD_LINES: Final = 576
_BROADCAST: Final = frozenset(("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"))
_FULL: Final = 2


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """How to open a film.

    rate: frames a second of a sequence; 24 when None.  with_gaps: numbers may be missing.
    threads: for decoding.
    """

    rate: Fraction | None = None
    with_gaps: bool = False
    threads: int = 1


def open_film(
    path: Path, options: FilmOptions = FilmOptions(), known_facts: FilmFacts | None = None
) -> Film:
    """Open a video file, a folder of numbered pictures, or a pattern such as shot.####.dpx.

    known_facts: from an earlier call; they spare another scan.
    Raises SourceError, UsageError for the rate of a video, DependencyError without PyAV.
    """
    if path.is_dir() or is_pattern(path):
        return open_sequence(path, options.rate, known_facts, options.with_gaps)
    if not path.exists():
        raise SourceError(f"{path} does not exist; check the path")
    if options.rate is not None:
        raise UsageError(f"{path.name} is a video with a rate of its own; leave the rate out")
    return _VideoFilm(path, known_facts or _collect_facts(path), options.threads)


class _VideoFilm(Film):
    """A video file."""

    def __init__(self, path: Path, facts: FilmFacts, threads: int) -> None:
        self.facts = facts
        self._path = path
        self._threads = threads
        self._index = FrameIndex(facts.times, facts.keys)

    def _decode_frames(self, first: int, last: int | None) -> Iterator[LumaFrame | DamagedPicture]:
        facts = self.facts
        span = range(facts.frames)[first:last]
        for at, video in decode_span(self._path, self._index, span, self._threads):
            if video is None or (video.height, video.width) != (facts.height, facts.width):
                yield DamagedPicture(
                    f"{facts.name}: frame {at} cannot be decoded; look for a better copy"
                )
            else:
                luma = extract_luma(video, facts.codes.matrix, facts.name)
                yield LumaFrame(at, facts.times[at], luma)


def _collect_facts(path: Path) -> FilmFacts:
    index, end, warnings = scan_packets(path)
    samples = _sample_frames(path, index)
    intact = [frame for frame in samples.values() if frame is not None]
    if not intact:
        raise DamagedPicture(f"{path.name}: no frame can be decoded; look for a better copy")
    with open_container(path) as container:
        stream = find_picture_stream(container)
        facts = _describe_stream(container, stream, intact[0], index, end)
    lost = [f"frame {at} cannot be decoded" for at, frame in samples.items() if frame is None]
    interlaced = facts.interlaced or any(frame.interlaced_frame for frame in intact)
    notes = ("the film is interlaced: deinterlace it first for clean motion",) * interlaced
    return replace(
        facts,
        has_color=facts.chroma != "4:0:0" and any(map(has_color, intact)),
        interlaced=interlaced,
        warnings=(*warnings, *facts.warnings, *lost, *notes),
    )


def _sample_frames(path: Path, index: FrameIndex) -> dict[int, Any]:
    """Decode a few frames over the whole film, among them the first and the last."""
    last = len(index.times) - 1
    positions = {0, last // 4, last // 2, last * 3 // 4, last} if index.keys else {0}
    samples = {}
    for at in sorted(positions):
        with closing(decode_span(path, index, range(at, at + 1))) as run:
            samples[at] = next(run)[1]
    return samples


def _describe_stream(
    container: Any, stream: Any, frame: Any, index: FrameIndex, end: int
) -> FilmFacts:
    """Collect the facts that a single frame shows."""
    warnings = []
    rate, variable = _measure_rate(index.times, end, stream)
    chroma = identify_chroma(frame.format)
    # Players assume these where the film states no matrix.
    matrix: Matrix = "bt601" if frame.height <= _STANDARD_LINES else "bt709"
    tags = _read_tags(stream.codec_context, frame)
    if tags.matrix not in (*_MATRICES, *_UNSAID):
        warnings.append(f"its color matrix ({tags.matrix}) is not known and was taken for another")
    if not index.keys:
        warnings.append("its frames do not say when they are shown; they were counted")
    other_streams = _list_other_streams(container, stream)
    if any(words.startswith("video") for words in other_streams):
        warnings.append("it holds several videos; the first is restored")
    return FilmFacts(
        name=Path(container.name).name,
        kind="video",
        frames=len(index.times),
        rate=rate,
        variable=variable,
        width=frame.width,
        height=frame.height,
        codes=Codes(
            get_luma_depth(frame.format),
            chroma == "rgb" or _is_full(frame, tags, stream.codec_context.name),
            "bt601" if chroma == "rgb" else _MATRICES.get(tags.matrix, matrix),
        ),
        chroma=chroma,
        has_color=False,
        times=index.times,
        time_base=stream.time_base,
        end=end,
        file_format=container.format.name,
        codec=stream.codec_context.name,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        rotation=round(-frame.rotation) % 360,
        interlaced=stream.codec_context.field_order > 1,
        tags=tags,
        keys=index.keys,
        other_streams=other_streams,
        warnings=tuple(warnings),
    )


def _measure_rate(times: tuple[int, ...], end: int, stream: Any) -> tuple[Fraction, bool]:
    """Measure frames a second, and whether they vary by more than the rounding of times."""
    for rate in (stream.base_rate, stream.average_rate, stream.guessed_rate):
        if rate:
            step = 1 / (rate * stream.time_base)
            if all(abs(time - times[0] - at * step) <= 1 for at, time in enumerate(times)):
                return rate, False
    mean = len(times) / ((end - times[0]) * stream.time_base)
    steps = {after - before for before, after in pairwise(times)}
    return mean, len(steps) > 1


def _read_tags(context: Any, frame: Any) -> ColorTags:
    """Read a frame's color tags, or the stream's where the frame states none."""
    names = {"colorspace": 2, "color_primaries": 2, "color_trc": 2, "color_range": 0}
    values = (
        getattr(context if int(getattr(frame, name)) == unspecified else frame, name)
        for name, unspecified in names.items()
    )
    return ColorTags(*map(int, values))


def _is_full(frame: Any, tags: ColorTags, codec: str) -> bool:
    """Whether the range is full: as stated; otherwise for yuvj, and grey except in broadcast."""
    if tags.range:
        return tags.range == _FULL
    name = frame.format.name
    is_gray = name.startswith(("gray", "ya", "mono")) and codec not in _BROADCAST
    return name.startswith("yuvj") or is_gray


def _list_other_streams(container: Any, stream: Any) -> tuple[str, ...]:
    descriptions = []
    for other in container.streams:
        if other.index != stream.index:
            codec = getattr(other.codec_context, "name", None) or getattr(other, "name", None)
            words = (other.type, codec, other.language if other.language != "und" else None)
            descriptions.append(" ".join(word for word in words if word))
    chapters = len(container.chapters())
    return (*descriptions, f"{chapters} chapters") if chapters else tuple(descriptions)
