"""Run the jobs of a film: make its cut list, and restore its parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeAlias

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.film.colorize import restore_part
from archive_colorizer.film.request import Span
from archive_colorizer.film.segments import SegmentJob, choose_codec
from archive_colorizer.film.shots import (
    apply_shot_settings,
    build_shot_recipe,
    find_shots,
    format_cut_list,
    parse_cut_list,
)
from archive_colorizer.model.colorizer import hash_model
from archive_colorizer.model.registry import find_model
from archive_colorizer.output.deliver import deliver
from archive_colorizer.recipe.film_shots import ShotSettings
from archive_colorizer.recipe.recipe import FilmRecipe
from archive_colorizer.records.jobs import Job, JobContext, Shot, Source
from archive_colorizer.records.outcomes import ALREADY_COLOR, Outcome, State
from archive_colorizer.restore.model_cache import load_ensemble
from archive_colorizer.restore.outcome_boundary import run_guarded
from archive_colorizer.restore.photo import build_note
from archive_colorizer.video.film import Film, FilmFacts
from archive_colorizer.video.layouts import choose_layout
from archive_colorizer.video.reader import FilmOptions, open_film
from archive_colorizer.video.sequence.source import check_frames_unchanged, hash_film

CutProgress: TypeAlias = Callable[[str, int, int], None]
"""Called with a film's name, the number of frames to search for cuts, and those searched."""


def load_facts(source: Source, film: FilmRecipe) -> FilmFacts:
    """Read the facts of a film once in each process; raises as `open_film` does."""
    # Only some jobs know the checksum; without it all share the same facts.
    return _read_facts(replace(source, fixity=""), film)


@lru_cache(maxsize=4)
def _read_facts(source: Source, film: FilmRecipe) -> FilmFacts:
    with open_film(source.path, FilmOptions(film.parse_rate(), film.allow_missing)) as opened:
        return opened.facts


def open_film_again(source: Source, context: JobContext) -> Film:
    """Open a film without reading its facts a second time."""
    settings = context.film or FilmRecipe()
    facts = load_facts(source, settings)
    options = FilmOptions(settings.parse_rate(), settings.allow_missing, context.threads)
    return open_film(source.path, options, facts)


def make_lists(
    jobs: tuple[Job, ...],
    context: JobContext,
    user_lists: Mapping[str, Path | None],
    span: Span,
    on_progress: CutProgress,
) -> list[Outcome]:
    """Make each film's cut list, from the user's by the job's key, or by a search in `span`."""
    make = partial(_make_list, user_lists=user_lists, span=span, on_progress=on_progress)
    return [run_guarded(job, context, make) for job in jobs]


def _make_list(
    job: Job,
    context: JobContext,
    draft: Outcome,
    user_lists: Mapping[str, Path | None],
    span: Span,
    on_progress: CutProgress,
) -> Outcome:
    with open_film_again(job.source, context) as film:
        facts = film.facts
        outcome = replace(
            draft,
            source_sha256=hash_film(job.source),
            width=facts.width,
            height=facts.height,
            frames=facts.frames,
            warnings=facts.warnings,
        )
        if facts.has_color and not context.recipe.force:
            message = f"{job.source.name}: already in color; --force restores it all the same"
            return replace(outcome, state=State.SKIPPED, reason=ALREADY_COLOR, message=message)
        frames, path = span.select_frames(facts), user_lists[job.key]
        if path is None:
            shortest = (context.film or FilmRecipe()).shortest
            progress = partial(on_progress, job.source.name, len(frames))
            data = format_cut_list(find_shots(film, shortest, frames, progress))
        else:
            data = _read(path)
            _parse_shots(data, path.name, facts, frames)
    check_frames_unchanged(job.source, 0, facts.frames)
    return deliver(data, job, context, replace(outcome, state=State.DONE))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; check --shots") from None


def _parse_shots(data: bytes, name: str, facts: FilmFacts, frames: range) -> tuple[Shot, ...]:
    """Parse a cut list of `frames` or of the whole film, and cut it to `frames`.

    Raises UsageError.
    """
    try:
        return parse_cut_list(data, name, frames)
    except UsageError:
        if len(frames) == facts.frames:
            raise
    whole = parse_cut_list(data, name, range(facts.frames))
    cut = [
        replace(shot, first=max(shot.first, frames.start), last=min(shot.last, frames.stop))
        for shot in whole
    ]
    return tuple(shot for shot in cut if shot.first < shot.last)


def load_shots(
    path: Path, facts: FilmFacts, span: Span, settings: Sequence[ShotSettings]
) -> tuple[Shot, ...]:
    """Load a cut list, and apply a recipe's settings; raises UsageError and SourceError."""
    shots = _parse_shots(_read(path), path.name, facts, span.select_frames(facts))
    return apply_shot_settings(shots, settings, facts)


def restore_parts(jobs: tuple[Job, ...], context: JobContext) -> list[Outcome]:
    """Restore each job's part of a film; never raises for one part."""
    outcomes = []
    for job in jobs:
        shot_context = apply_shot_model(job.part.shot, context) if job.part else context
        outcomes.append(run_guarded(job, shot_context, _restore_part))
    return outcomes


def apply_shot_model(shot: Shot, context: JobContext) -> JobContext:
    """Return the context with the model of this shot; raises ModelError."""
    if shot.model is None:
        return context
    for shot_model in context.shot_models:
        if shot_model.name == shot.model:
            return replace(context, model=shot_model.path, model_sha256=shot_model.sha256)
    model = find_model(shot.model)
    return replace(context, model=str(model), model_sha256=hash_model(model))


def _restore_part(job: Job, context: JobContext, draft: Outcome) -> Outcome:
    part = job.part
    if part is None:
        raise UsageError(f"{job.name}: this job names no frames")
    ensemble = load_ensemble(context)
    with open_film_again(job.source, context) as film:
        outcome = replace(
            draft,
            state=State.DONE,
            source_sha256=job.source.fixity.removeprefix("sha256:") or None,
            provider=ensemble.provider,
            width=film.facts.width,
            height=film.facts.height,
            frames=part.frames,
        )
        recipe = build_shot_recipe(context.recipe, part.shot)
        settings = context.film or FilmRecipe()
        layout = choose_layout(film.facts, choose_codec(film.facts, settings))
        frames = restore_part(film, part, ensemble, recipe, settings.smoothing, layout)
        note = build_note(outcome, ensemble.name, job.source.name, context.recipe)
        return SegmentJob(job, context, outcome, note).write_part(frames, film.facts, layout)
