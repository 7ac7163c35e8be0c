"""Shots as video files: the segments that `join` puts together."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import OutputError
from archive_colorizer.video.film import Codec, ColorFrame, FilmFacts, Layout, Matrix
from archive_colorizer.video.planes import pixel_format, video_of
from archive_colorizer.video.pyav import created

FIRST: Final = "archive_colorizer_first"
"""The metadata of a segment that says which frame of the film it begins with."""

_SEGMENT: Final = "nut"
_PRORES_SEGMENT: Final = "mov"
_KEYS: Final = {"movflags": "use_metadata_tags"}
_ENCODERS: Final[dict[Codec, str]] = {
    "ffv1": "ffv1",
    "h264": "libx264",
    "h265": "libx265",
    "prores": "prores_ks",
}
_OPTIONS: Final[dict[Codec, dict[str, str]]] = {
    # As archives use it (RFC 9043 version 3): each frame alone, with a checksum a slice.
    "ffv1": {"level": "3", "coder": "1", "context": "1", "g": "1", "slicecrc": "1"},
    # Delimiters keep the first pictures of neighboring segments apart.
    "h264": {"preset": "medium", "crf": "15", "x264-params": "aud=1"},
    "h265": {"preset": "medium", "crf": "16", "x265-params": "aud=1:log-level=none"},
    "prores": {"profile": "hq", "vendor": "apl0"},
}
_IMPLIED: Final[dict[Matrix, tuple[int, int, int]]] = {
    "bt601": (6, 6, 6),
    "bt709": (1, 1, 1),
    "bt2020": (9, 9, 14),
}
"""Codes of ITU-T H.273 for matrix, primaries and transfer where the source states none."""

_KNOWN_CODES: Final = frozenset((1, 4, 5, 6, 7, 9, 10))
_UNSAID: Final = 2
_LIMITED, _FULL = 1, 2
_TERM: Final = 100_000
"""FFmpeg's fractions have 32 bit; a mean rate may have more."""


def write_segment(
    frames: Iterable[ColorFrame], facts: FilmFacts, layout: Layout, codec: Codec, path: Path
) -> int:
    """Encode consecutive frames of a film as one file and return their count.

    The file is NUT, of ProRes MOV; its name may be any.

    facts: of the source.  layout: of the frames, as `layout_of` gives it.  FFV1 keeps every
    code; the others lose a little.  What stands at `path` is whole when this returns.
    Raises OutputError, and ValueError for frames that do not follow each other.
    """
    count, first = 0, 0
    is_prores = codec == "prores"
    form = _PRORES_SEGMENT if is_prores else _SEGMENT
    with created(path, form, _KEYS if is_prores else None) as target:
        stream = _stream(target, facts, layout, codec)
        for frame in frames:
            if not count:
                first = frame.index
                target.metadata[FIRST] = str(first)
            if frame.index != first + count or frame.pts != facts.times[frame.index]:
                raise ValueError(f"frame {frame.index} does not follow frame {first + count - 1}")
            video = video_of(frame, layout, facts.time_base)
            video.pts -= facts.times[first]
            target.mux(stream.encode(video))
            count += 1
        if not count:
            raise OutputError(f"{path} would have no frame; check the shot's limits")
        target.mux(stream.encode(None))
    return count


def tag_colors(context: Any, facts: FilmFacts, full_range: bool) -> None:
    """State matrix, range, primaries and transfer of a result in its codec context."""
    tags, (matrix, primaries, transfer) = facts.tags, _IMPLIED[facts.codes.matrix]
    context.colorspace = tags.matrix if tags.matrix in _KNOWN_CODES else matrix
    context.color_primaries = primaries if tags.primaries == _UNSAID else tags.primaries
    context.color_trc = transfer if tags.transfer == _UNSAID else tags.transfer
    context.color_range = _FULL if full_range else _LIMITED


def _stream(target: Any, facts: FilmFacts, layout: Layout, codec: Codec) -> Any:
    options = dict(_OPTIONS[codec])
    if codec == "ffv1":
        options["slices"] = "4" if facts.width * facts.height < 1_000_000 else "16"
    if codec == "prores" and layout.chroma == "4:4:4":
        options["profile"] = "4444"
    rate = facts.rate.limit_denominator(_TERM)
    stream = target.add_stream(_ENCODERS[codec], rate=rate, options=options)
    context = stream.codec_context
    context.width, context.height = facts.width, facts.height
    context.pix_fmt = pixel_format(layout)
    context.time_base = facts.time_base
    context.thread_count = 1
    context.sample_aspect_ratio = facts.pixel_aspect or Fraction(1)
    tag_colors(context, facts, layout.codes.full_range)
    return stream
