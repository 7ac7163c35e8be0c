"""Join a film from its parts and its sound, with the grey original for missing parts."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, cast

import numpy as np

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.film.plan import Assembly
from archive_colorizer.film.request import Span, format_clock
from archive_colorizer.film.segments import SegmentJob, choose_codec
from archive_colorizer.film.tasks import open_film_again
from archive_colorizer.image.metadata.xmp import ProvenanceNote, add_provenance, build_sidecar
from archive_colorizer.output.deliver import deliver
from archive_colorizer.recipe.recipe import FilmRecipe
from archive_colorizer.records.jobs import Job, JobContext, ShotPart
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.restore.outcome_boundary import run_guarded
from archive_colorizer.restore.photo import build_note
from archive_colorizer.storage.fixity import format_checksum_list
from archive_colorizer.video.film import ColorFrame, Film, LumaFrame
from archive_colorizer.video.layouts import Container, choose_layout
from archive_colorizer.video.muxer import join_segments
from archive_colorizer.video.sequence.folder import NamedFrame, gather_frames, write_frames
from archive_colorizer.video.sequence.source import check_frames_unchanged, list_frame_paths
from archive_colorizer.video.writer import write_segment

_NEAR: Final = 48
"""Frames on either side of a gap that are searched for one to hold."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Describe what a film is joined from.  model: its name in its contract."""

    assembly: Assembly
    missing: tuple[ShotPart, ...]
    span: Span
    model: str


def join_films(
    jobs: tuple[Job, ...], context: JobContext, splices: Mapping[str, Splice]
) -> list[Outcome]:
    """Join each job's film; `splices` are by the jobs' keys."""
    return [run_guarded(job, context, partial(_join, splice=splices[job.key])) for job in jobs]


def _join(job: Job, context: JobContext, draft: Outcome, splice: Splice) -> Outcome:
    with open_film_again(job.source, context) as film:
        facts = film.facts
        frames = splice.span.select_frames(facts)
        outcome = replace(
            draft,
            state=State.DONE,
            source_sha256=job.source.fixity.removeprefix("sha256:") or None,
            width=facts.width,
            height=facts.height,
            frames=len(frames),
            first=frames.start or None,
        )
        note = build_note(outcome, splice.model, job.source.name, context.recipe)
        parts, gap_warnings = _collect_parts(film, splice, context, note)
        warnings = (*gap_warnings, *_describe_span(splice.span, facts.kind))
        segment_job = SegmentJob(job, context, replace(outcome, warnings=warnings), note)
        if facts.kind == "video":
            return _join_video(parts, film, frames, segment_job)
        temporary = Path(context.work, secrets.token_hex(8))
        digests = gather_frames(parts, temporary)
        return segment_job.deliver_frames(temporary, digests, _build_sidecar(note))


def _join_video(parts: list[Path], film: Film, frames: range, segment_job: SegmentJob) -> Outcome:
    job, context = segment_job.job, segment_job.context
    container = cast(Container, Path(job.target).suffix[1:].lower().replace("m4v", "mp4"))
    temporary = Path(context.work, secrets.token_hex(8))
    warnings = join_segments(
        job.source.path,
        film.facts,
        parts,
        temporary,
        container,
        {"comment": _describe_color(segment_job.note)},
        frames,
    )
    check_frames_unchanged(job.source, frames.start, frames.stop)
    outcome = replace(segment_job.outcome, warnings=(*segment_job.outcome.warnings, *warnings))
    return deliver(temporary, job, context, outcome, _build_sidecar(segment_job.note))


def _describe_color(note: ProvenanceNote) -> str:
    return (
        f"The color of this film was made by an algorithm and is no evidence: {note.software}, "
        f"model {note.model} (sha256 {note.model_sha256}), settings {note.settings}, "
        f"{note.when}. Its luma comes from {note.source_name} (sha256 {note.source_sha256})."
    )


def _build_sidecar(note: ProvenanceNote) -> bytes:
    return build_sidecar(add_provenance(None, note))


def _describe_span(span: Span, kind: str) -> tuple[str, ...]:
    if span.is_all:
        return ()
    sound = "; its sound was trimmed by whole packets" if kind == "video" else ""
    end = "its end" if span.end is None else format_clock(span.end)
    return (f"holds the film from {format_clock(span.begin)} to {end} only{sound}",)


def _collect_parts(
    film: Film, splice: Splice, context: JobContext, note: ProvenanceNote
) -> tuple[list[Path], list[str]]:
    """List the files of all parts in order; fills gaps, and returns warnings about them."""
    assembly, warnings = splice.assembly, []
    files = []
    for part in assembly.parts:
        if part not in splice.missing:
            name = f"{assembly.folder}/{part.name}{assembly.ending}"
            files.append(Path(context.output, name))
            continue
        gap = _Gap(film, part, context)
        files.append(gap.write(note, assembly))
        warnings.append(gap.description)
    return files, warnings


class _Gap:
    """Fill a missing part with the grey original.  `held` counts repeated frames."""

    def __init__(self, film: Film, part: ShotPart, context: JobContext) -> None:
        self.held = 0
        self._film = film
        self._part = part
        self._work = Path(context.work)
        self._codec = choose_codec(film.facts, context.film or FilmRecipe())
        self._layout = choose_layout(film.facts, self._codec)

    def write(self, note: ProvenanceNote, assembly: Assembly) -> Path:
        """Write the part in the work folder, in the format of the others."""
        path = self._work / f"{secrets.token_hex(8)}{assembly.ending}"
        if self._codec is not None:
            frames = (frame for frame, _ in self._iterate_frames())
            write_segment(frames, self._film.facts, self._layout, self._codec, path)
            return path
        sources = list_frame_paths(assembly.source.path)
        named = (
            NamedFrame(frame, sources[shown.index], sources[frame.index].name)
            for frame, shown in self._iterate_frames()
        )
        digests = write_frames(named, self._layout.codes, path.with_suffix(""), note)
        path.write_bytes(format_checksum_list(path.stem, digests))
        return path

    @property
    def description(self) -> str:
        """Warning about the gap, once it is written."""
        part = self._part
        which = f"frames {part.first} to {part.last - 1} are"
        if part.frames == 1:
            which = f"frame {part.first} is"
        if self.held == part.frames:
            return f"{which} a neighbor in grey: nothing there could be decoded"
        held_frames = f", {self.held} of them held from a neighbor" if self.held else ""
        return f"{which} the grey original{held_frames}: they could not be restored"

    def _iterate_frames(self) -> Iterator[tuple[ColorFrame, LumaFrame]]:
        """Yield each frame in grey, with the sound frame that it shows."""
        first, last, facts = self._part.first, self._part.last, self._film.facts
        shown = self._find_neighbor()
        for at, frame in enumerate(self._film.rescue_frames(first, last), first):
            self.held += frame is None
            shown = frame or shown
            luma = self._layout.convert_luma(shown.luma, facts.codes)
            shape = self._layout.get_chroma_shape(*luma.shape)
            plane = np.full(shape, self._layout.codes.neutral, dtype=luma.dtype)
            yield ColorFrame(at, facts.times[at], luma, plane, plane), shown

    def _find_neighbor(self) -> LumaFrame:
        """Find the last sound frame before the part, or the first one in or after it."""
        film, first, last = self._film, self._part.first, self._part.last
        earlier = list(filter(None, film.rescue_frames(max(first - _NEAR, 0), first)))
        if earlier:
            return earlier[-1]
        later = film.rescue_frames(first, min(last + _NEAR, film.facts.frames))
        neighbor = next(filter(None, later), None)
        if neighbor is None:
            raise DamagedPicture(
                f"{film.facts.name}: no frame near {first} to {last - 1} can be decoded "
                "to fill the gap"
            )
        return neighbor
