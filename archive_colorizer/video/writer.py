"""Encode shots as video files, the segments that `join_segments` joins."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from archive_colorizer.errors import OutputError
from archive_colorizer.video.film import Codec, ColorFrame, FilmFacts, Layout, Matrix
from archive_colorizer.video.pyav import create_container, load_pyav

FIRST_FRAME_KEY: Final = "archive_colorizer_first"
"""The metadata key of a segment's first frame, as the film counts it."""

_MOV_OPTIONS: Final = {"movflags": "use_metadata_tags"}
_ENCODERS: Final[dict[Codec, str]] = {
    "ffv1": "ffv1",
    "h264": "libx264",
    "h265": "libx265",
    "prores": "prores_ks",
}
_OPTIONS: Final[dict[Codec, dict[str, str]]] = {
    # Archives' settings (RFC 9043 version 3): independent frames, with a checksum per slice.
    "ffv1": {"level": "3", "coder": "1", "context": "1", "g": "1", "slicecrc": "1"},
    # Delimiters separate the first pictures of adjacent segments.
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
_MAX_TERM: Final = 100_000
"""FFmpeg's fractions have 32 bit, and a mean rate may need more."""


def write_segment(
    frames: Iterable[ColorFrame], facts: FilmFacts, layout: Layout, codec: Codec, path: Path
) -> int:
    """Encode consecutive frames of a film as one file and return their count.

    The file is NUT, or MOV for ProRes, whatever its name.  FFV1 is lossless.
    Raises OutputError, and ValueError for frames that are not consecutive.
    """
    count, first = 0, 0
    container, options = ("mov", _MOV_OPTIONS) if codec == "prores" else ("nut", None)
    with create_container(path, container, options) as target:
        stream = _add_stream(target, facts, layout, codec)
        for frame in frames:
            if not count:
                first = frame.index
                target.metadata[FIRST_FRAME_KEY] = str(first)
            if frame.index != first + count or frame.pts != facts.times[frame.index]:
                raise ValueError(f"frame {frame.index} does not follow frame {first + count - 1}")
            video = _build_video_frame(frame, layout, facts.time_base)
            video.pts -= facts.times[first]
            target.mux(stream.encode(video))
            count += 1
        if not count:
            raise OutputError(f"{path} would have no frame; check the shot's limits")
        target.mux(stream.encode(None))
    return count


def tag_colors(context: Any, facts: FilmFacts, full_range: bool) -> None:
    """Set matrix, range, primaries and transfer of a result in its codec context."""
    tags, (matrix, primaries, transfer) = facts.tags, _IMPLIED[facts.codes.matrix]
    context.colorspace = tags.matrix if tags.matrix in _KNOWN_CODES else matrix
    context.color_primaries = primaries if tags.primaries == _UNSAID else tags.primaries
    context.color_trc = transfer if tags.transfer == _UNSAID else tags.transfer
    context.color_range = _FULL if full_range else _LIMITED


def _add_stream(target: Any, facts: FilmFacts, layout: Layout, codec: Codec) -> Any:
    options = dict(_OPTIONS[codec])
    if codec == "ffv1":
        options["slices"] = "4" if facts.width * facts.height < 1_000_000 else "16"
    if codec == "prores" and layout.chroma == "4:4:4":
        options["profile"] = "4444"
    rate = facts.rate.limit_denominator(_MAX_TERM)
    stream = target.add_stream(_ENCODERS[codec], rate=rate, options=options)
    context = stream.codec_context
    context.width, context.height = facts.width, facts.height
    context.pix_fmt = layout.pixel_format
    context.time_base = facts.time_base
    context.thread_count = 1
    context.sample_aspect_ratio = facts.pixel_aspect or Fraction(1)
    tag_colors(context, facts, layout.codes.full_range)
    return stream


def _build_video_frame(frame: ColorFrame, layout: Layout, time_base: Fraction) -> Any:
    """Build an av.VideoFrame.  Raises ValueError for planes of the wrong size."""
    height, width = frame.luma.shape
    video = load_pyav().VideoFrame(width, height, layout.pixel_format)
    small = layout.get_chroma_shape(height, width)
    dtype = np.uint8 if layout.codes.depth == 8 else np.dtype("<u2")
    for at, (plane, shape) in enumerate(
        ((frame.luma, (height, width)), (frame.cb, small), (frame.cr, small))
    ):
        if plane.shape != shape or plane.itemsize != np.dtype(dtype).itemsize:
            raise ValueError(f"plane {at} is {plane.dtype} {plane.shape}, not {dtype} {shape}")
        target = video.planes[at]
        rows = np.frombuffer(target, dtype).reshape(-1, target.line_size // plane.itemsize)
        rows[: shape[0], : shape[1]] = plane
    video.pts, video.time_base = frame.pts, time_base
    return video
