"""Write a film and its result into one video."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from archive_colorizer.errors import UsageError
from archive_colorizer.film.request import Span
from archive_colorizer.recipe.recipe import FilmRecipe
from archive_colorizer.restore.contact_sheet import COMPARISONS, Rgb, rotate_upright
from archive_colorizer.video.decoder import decode_color_frames
from archive_colorizer.video.film import Codes, ColorFrame, ColorTags, FilmFacts, Layout
from archive_colorizer.video.layouts import Container
from archive_colorizer.video.muxer import join_segments
from archive_colorizer.video.reader import FilmOptions, open_film
from archive_colorizer.video.sequence.numbering import is_pattern
from archive_colorizer.video.writer import write_segment

_WIDEST: Final = 3840


def compare_films(
    source: Path, result: Path, output: Path, how: str, settings: FilmRecipe, span: Span
) -> int:
    """Write an H.264 video of a film and its result, with the film's sound; returns its frames.

    how: a name in COMPARISONS.  span: of the source.  Raises UsageError if the two differ in
    their number of frames or the output exists.
    """
    if os.path.lexists(output):
        raise UsageError(f"{output} exists; choose another --output")
    if output.suffix.lower() not in (".mp4", ".mkv"):
        raise UsageError(f"{output} must end with .mp4 or .mkv")
    before, after = (_read_facts(path, settings) for path in (source, result))
    frames = span.select_frames(before)
    theirs = frames if after.frames == before.frames else range(len(frames))
    if after.frames not in (before.frames, len(frames)):
        raise UsageError(
            f"{result} has {after.frames} frames, {source} has {len(frames)}; "
            "give the --from and --to that the result was made with"
        )
    pairs = zip(
        decode_color_frames(source, before, frames),
        decode_color_frames(result, after, theirs),
        strict=True,
    )
    pictures = (
        COMPARISONS[how](
            *_fit_pair(rotate_upright(left, before), rotate_upright(right, after), how),
            float(before.get_seconds(at) - before.get_seconds(frames.start)),
        )
        for at, (left, right) in zip(frames, pairs, strict=True)
    )
    _write_comparison(pictures, source, before, frames, output)
    return len(frames)


def _read_facts(path: Path, settings: FilmRecipe) -> FilmFacts:
    numbered = path.is_dir() or is_pattern(path)
    how = FilmOptions(settings.parse_rate() if numbered else None, with_gaps=True)
    with open_film(path, how) as film:
        return film.facts


def _fit_pair(source: Rgb, result: Rgb, how: str) -> tuple[Rgb, Rgb]:
    """Resize both to one even size that players accept."""
    height, width = source.shape[:2]
    widest = _WIDEST // 2 if how == "side by side" else _WIDEST
    share = min(1.0, widest / width)
    size = (max(2, round(width * share) // 2 * 2), max(2, round(height * share) // 2 * 2))
    fitted = [
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (source, result)
    ]
    return np.asarray(fitted[0], np.uint8), np.asarray(fitted[1], np.uint8)


def _write_comparison(
    pictures: Iterator[Rgb], source: Path, facts: FilmFacts, frames: range, output: Path
) -> None:
    first = next(pictures)
    layout = Layout(Codes(8, False, "bt601"), "4:2:0")
    square = replace(
        facts,
        width=first.shape[1],
        height=first.shape[0],
        codes=layout.codes,
        pixel_aspect=Fraction(1),
        rotation=0,
        tags=ColorTags(6, facts.tags.primaries, facts.tags.transfer, 1),
    )

    def encode_frames() -> Iterator[ColorFrame]:
        yield _encode_frame(frames.start, first, facts)
        for at, picture in enumerate(pictures, frames.start + 1):
            yield _encode_frame(at, picture, facts)

    with tempfile.TemporaryDirectory(prefix=".compare-", dir=output.absolute().parent) as folder:
        segment, whole = Path(folder, "segment"), Path(folder, "whole")
        write_segment(encode_frames(), square, layout, "h264", segment)
        sound = source if facts.kind == "video" else segment
        container: Container = "mkv" if output.suffix.lower() == ".mkv" else "mp4"
        note = {"comment": f"{facts.name} beside its result with color made by an algorithm"}
        join_segments(sound, square, [segment], whole, container, note, frames)
        os.link(whole, output)


def _encode_frame(at: int, picture: Rgb, facts: FilmFacts) -> ColorFrame:
    """Encode a picture of even size as limited-range BT.601 in 4:2:0."""
    height, width = picture.shape[:2]
    planes = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    luma, chroma = planes[: height * width], planes[height * width :].reshape(2, -1)
    shape = (height // 2, width // 2)
    return ColorFrame(
        at,
        facts.times[at],
        np.ascontiguousarray(luma.reshape(height, width), dtype=np.uint8),
        np.ascontiguousarray(chroma[0].reshape(shape), dtype=np.uint8),
        np.ascontiguousarray(chroma[1].reshape(shape), dtype=np.uint8),
    )
