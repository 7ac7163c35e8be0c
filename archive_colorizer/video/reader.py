"""A video file as a film."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.video.decoder import pictures
from archive_colorizer.video.film import Codes, ColorTags, FilmFacts, Frame, Matrix, OpenedToRead
from archive_colorizer.video.packet_index import FrameIndex, Scan, scan
from archive_colorizer.video.planes import chroma_of_video, depth_of, luma_of_video, shows_color
from archive_colorizer.video.pyav import opened, picture_stream

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


class VideoFilm(OpenedToRead):
    """A video file; see media.film.Film."""

    __slots__ = ("_index", "_path", "_threads", "facts")

    def __init__(self, path: Path, facts: FilmFacts, threads: int = 1) -> None:
        self.facts = facts
        self._path = path
        self._threads = threads
        self._index = FrameIndex(facts.times, facts.keys)

    def frames(self, first: int = 0, last: int | None = None) -> Iterator[Frame]:
        """See media.film.Film."""
        for at, frame in self._pictures(first, last):
            if frame is None:
                raise DamagedPicture(
                    f"{self.facts.name}: frame {at} cannot be decoded; look for a better copy"
                )
            yield frame

    def salvage(self, first: int = 0, last: int | None = None) -> Iterator[Frame | None]:
        """See media.film.Film."""
        for _, frame in self._pictures(first, last):
            yield frame

    def _pictures(self, first: int, last: int | None) -> Iterator[tuple[int, Frame | None]]:
        facts = self.facts
        span = range(facts.frames)[first:last]
        for at, video in pictures(self._path, facts.name, self._index, span, self._threads):
            if video is None or (video.height, video.width) != (facts.height, facts.width):
                yield at, None
            else:
                luma = luma_of_video(video, facts.codes.matrix, facts.name)
                yield at, Frame(at, facts.times[at], luma)


def open_video(path: Path, known: FilmFacts | None = None, threads: int = 1) -> VideoFilm:
    """Open a video file.  With `known` facts, which this has told before, nothing is scanned.

    Raises SourceError: DamagedPicture when no frame can be decoded, UnsupportedPicture when
    there are no pictures.
    """
    return VideoFilm(path, known or _facts(path), threads)


def _facts(path: Path) -> FilmFacts:
    name = path.name
    found = scan(path, name)
    index = found.index
    samples = _samples(path, name, index)
    sound = [frame for frame in samples.values() if frame is not None]
    if not sound:
        raise DamagedPicture(f"{name}: no frame can be decoded; look for a better copy")
    with opened(path, name) as container:
        stream = picture_stream(container, name)
        facts = _stated(container, stream, sound[0], found)
    lost = [f"frame {at} cannot be decoded" for at, frame in samples.items() if frame is None]
    interlaced = facts.interlaced or any(frame.interlaced_frame for frame in sound)
    said = ("the film is interlaced: deinterlace it first for clean motion",) * interlaced
    return replace(
        facts,
        has_color=facts.chroma != "4:0:0" and any(map(shows_color, sound)),
        interlaced=interlaced,
        warnings=(*found.warnings, *facts.warnings, *lost, *said),
    )


def _samples(path: Path, name: str, index: FrameIndex) -> dict[int, Any]:
    """A few frames over the whole film, the first and the last among them."""
    last = len(index.times) - 1
    wanted = {0, last // 4, last // 2, last * 3 // 4, last} if index.keys else {0}
    found = {}
    for at in sorted(wanted):
        with closing(pictures(path, name, index, range(at, at + 1))) as run:
            found[at] = next(run)[1]
    return found


def _stated(container: Any, stream: Any, frame: Any, found: Scan) -> FilmFacts:
    """The facts, but for what has to be looked for in several frames."""
    index, warnings = found.index, []
    rate, variable = _rate(index.times, found.end, stream)
    chroma = chroma_of_video(frame.format)
    tags = _tags(stream.codec_context, frame)
    if tags.matrix not in (*_MATRICES, *_UNSAID):
        warnings.append(f"its color matrix ({tags.matrix}) is not known and was taken for another")
    if not index.keys:
        warnings.append("its frames do not say when they are shown; they were counted")
    besides = _besides(container, stream)
    if any(one.startswith("video") for one in besides):
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
            depth_of(frame.format),
            chroma == "rgb" or _is_full(frame, tags, stream.codec_context.name),
            "bt601" if chroma == "rgb" else _matrix(tags, frame.height),
        ),
        chroma=chroma,
        has_color=False,
        times=index.times,
        time_base=stream.time_base,
        end=found.end,
        kind_of_file=container.format.name,
        codec=stream.codec_context.name,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        rotation=round(-frame.rotation) % 360,
        interlaced=stream.codec_context.field_order > 1,
        tags=tags,
        keys=index.keys,
        besides=besides,
        warnings=tuple(warnings),
    )


def _rate(times: tuple[int, ...], end: int, stream: Any) -> tuple[Fraction, bool]:
    """Frames a second, and whether they vary by more than the rounding of time stamps."""
    for rate in (stream.base_rate, stream.average_rate, stream.guessed_rate):
        if rate:
            step = 1 / (rate * stream.time_base)
            if all(abs(time - times[0] - at * step) <= 1 for at, time in enumerate(times)):
                return rate, False
    mean = len(times) / ((end - times[0]) * stream.time_base)
    steps = {after - before for before, after in pairwise(times)}
    return mean, len(steps) > 1


def _tags(context: Any, frame: Any) -> ColorTags:
    def stated(which: str, unsaid: int) -> int:
        value = int(getattr(frame, which))
        return value if value != unsaid else int(getattr(context, which))

    return ColorTags(
        stated("colorspace", 2),
        stated("color_primaries", 2),
        stated("color_trc", 2),
        stated("color_range", 0),
    )


def _matrix(tags: ColorTags, height: int) -> Matrix:
    """As stated; else that of standard definition up to 576 lines, as players take it."""
    return _MATRICES.get(tags.matrix, "bt601" if height <= _STANDARD_LINES else "bt709")


def _is_full(frame: Any, tags: ColorTags, codec: str) -> bool:
    """As stated; else full for yuvj and for grey of codecs that are no broadcast's."""
    if tags.range:
        return tags.range == _FULL
    name = frame.format.name
    is_gray = name.startswith(("gray", "ya", "mono")) and codec not in _BROADCAST
    return name.startswith("yuvj") or is_gray


def _besides(container: Any, stream: Any) -> tuple[str, ...]:
    found = []
    for one in container.streams:
        if one.index != stream.index:
            codec = getattr(one.codec_context, "name", None) or getattr(one, "name", None)
            words = (one.type, codec, one.language if one.language != "und" else None)
            found.append(" ".join(word for word in words if word))
    chapters = len(container.chapters())
    return (*found, f"{chapters} chapters") if chapters else tuple(found)
