"""Preview films: what a run would do with them, and a contact sheet."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2

from archive_colorizer.errors import UsageError
from archive_colorizer.executors.allocation import allocate_cores
from archive_colorizer.film.assembly import plan_cut_list
from archive_colorizer.film.colorize import restore_part
from archive_colorizer.film.plan import name_cut_list
from archive_colorizer.film.request import FilmRequest, format_clock
from archive_colorizer.film.shots import apply_shot_settings, build_shot_recipe, find_shots
from archive_colorizer.film.tasks import apply_shot_model, load_shots, open_film_again
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.records.jobs import JobContext, Shot, ShotPart, Source
from archive_colorizer.restore.contact_sheet import Tile, convert_to_rgb, draw_contact_sheet
from archive_colorizer.restore.model_cache import load_ensemble
from archive_colorizer.run.plan import Unchanged
from archive_colorizer.storage.atomic import write_atomically
from archive_colorizer.video.film import Film, FilmFacts, Layout
from archive_colorizer.video.sequence.source import find_film

_SAMPLE: Final = 8
"""Frames that are restored to measure the rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmPreview:
    """Describe what a run would restore, and how fast.

    shots: first frame, frame after the last, and when each begins and ends, in seconds.
    rate: frames a second of all workers together, without encoding.
    """

    name: str
    description: str
    shots: tuple[tuple[int, int, Fraction, Fraction], ...]
    warnings: tuple[str, ...]
    rate: float
    workers: int

    @property
    def frames(self) -> int:
        return sum(last - first for first, last, _, _ in self.shots)

    @property
    def seconds(self) -> Fraction:
        """Estimate of the duration of the run."""
        return Fraction(self.frames / self.rate)

    def as_dict(self) -> dict[str, object]:
        """Return plain values, for JSON."""
        return {
            "name": self.name,
            "film": self.description,
            "frames": self.frames,
            "frames_a_second": round(self.rate, 2),
            "seconds": round(float(self.seconds), 1),
            "warnings": self.warnings,
            "shots": [
                {"first": first, "last": last, "begins": float(begin), "ends": float(end)}
                for first, last, begin, end in self.shots
            ],
        }


def preview_film(path: Path, request: FilmRequest) -> FilmPreview:
    """Preview one film of the request; writes nothing."""
    workers = allocate_cores(request.recipe.workers)
    context = request.build_context(workers.threads)
    source = find_film(path)
    with open_film_again(source, context) as film:
        facts = film.facts
        shots = _find_shots(source, film, request, context)
        middle = max(shots, key=lambda shot: shot.frames)
        rate = _measure_rate(film, middle, context) * workers.workers
    return FilmPreview(
        name=source.name,
        description=_describe_film(facts),
        shots=tuple((shot.first, shot.last, *_get_times(facts, shot)) for shot in shots),
        warnings=facts.warnings,
        rate=rate,
        workers=workers.workers,
    )


def _find_shots(
    source: Source, film: Film, request: FilmRequest, context: JobContext
) -> tuple[Shot, ...]:
    """Read the cut list that a run would take, or find cuts."""
    step, path = plan_cut_list(source, request, Manifest.peek(request.output), context)
    if isinstance(step, Unchanged):
        path = request.output / name_cut_list(source.name)
    if path is not None:
        return load_shots(path, film.facts, request.span, request.shot_settings)
    shots = find_shots(film, request.film.shortest, request.span.select_frames(film.facts))
    return apply_shot_settings(shots, request.shot_settings, film.facts)


def _measure_rate(film: Film, shot: Shot, context: JobContext) -> float:
    """Measure how many frames a second one worker restores, on a few frames of a shot."""
    smoothing = context.film.smoothing if context.film else 0.0
    layout = Layout(film.facts.codes, "4:4:4")
    first = (shot.first + shot.last) // 2
    sample = Shot(first, min(first + _SAMPLE, shot.last))
    ensemble = load_ensemble(context)

    def restore(last: int) -> int:
        part = ShotPart(sample, sample.first, last)
        frames = restore_part(film, part, ensemble, context.recipe, smoothing, layout)
        return sum(1 for _ in frames)

    # The first frame waits until the network is ready.
    restore(sample.first + 1)
    start = time.monotonic()
    return restore(sample.last) / max(time.monotonic() - start, 1e-6)


def _describe_film(facts: FilmFacts) -> str:
    rate = f"{float(facts.rate):.3f}".rstrip("0").rstrip(".")
    variable = " (variable)" if facts.variable else ""
    besides = f", {', '.join(facts.other_streams)}" if facts.other_streams else ""
    return (
        f"{facts.file_format} {facts.codec}, {facts.width} x {facts.height}, "
        f"{facts.codes.depth} bit, {rate} frames a second{variable}, {facts.frames} frames, "
        f"{format_clock(facts.duration)}{besides}"
    )


def _get_times(facts: FilmFacts, shot: Shot) -> tuple[Fraction, Fraction]:
    end = facts.get_seconds(shot.last) if shot.last < facts.frames else facts.duration
    return facts.get_seconds(shot.first), end


def write_sheet(request: FilmRequest, sheet: Path) -> int:
    """Write a PNG with the middle frame of each shot, restored by itself; returns their count.

    Raises UsageError if `sheet` does not end with .png, and OutputError.
    """
    if sheet.suffix.lower() != ".png":
        raise UsageError(f"{sheet} must end with .png")
    context = request.build_context(allocate_cores(1).threads)
    tiles = (tile for path in request.roots for tile in _render_tiles(path, request, context))
    shots, sheet_image = draw_contact_sheet(tiles)
    _, png = cv2.imencode(".png", sheet_image[..., ::-1])
    write_atomically(sheet, lambda stream: stream.write(png.tobytes()))
    return shots


def _render_tiles(path: Path, request: FilmRequest, context: JobContext) -> Iterator[Tile]:
    source = find_film(path)
    with open_film_again(source, context) as film:
        facts = film.facts
        layout = Layout(facts.codes, "4:4:4")
        for number, shot in enumerate(_find_shots(source, film, request, context), 1):
            at = (shot.first + shot.last) // 2
            ensemble = load_ensemble(apply_shot_model(shot, context))
            recipe = build_shot_recipe(context.recipe, shot)
            part = ShotPart(shot, at, at + 1)
            (frame,) = restore_part(film, part, ensemble, recipe, 0.0, layout)
            words = f"{number}  {format_clock(facts.get_seconds(at))}  frame {at}"
            yield Tile(convert_to_rgb(frame, layout.codes, facts), words)
