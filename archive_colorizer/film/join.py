"""Putting a film together: its parts, the grey original where one is missing, its sound."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, cast

import numpy as np

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.film.plan import Assembly
from archive_colorizer.film.request import Span, clock
from archive_colorizer.film.segments import Errand, codec_of, deliver_folder, note_of
from archive_colorizer.film.tasks import frames_in, open_again
from archive_colorizer.image.metadata.model import ProvenanceNote, with_provenance
from archive_colorizer.image.metadata.sidecar import sidecar_for
from archive_colorizer.output.deliver import deliver_file
from archive_colorizer.recipe.recipe import FilmRecipe
from archive_colorizer.records.jobs import Job, Part, Workplace
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.restore.outcome_boundary import settle
from archive_colorizer.storage.fixity import list_of
from archive_colorizer.video.film import ColorFrame, Film, Frame, Layout
from archive_colorizer.video.layouts import Container, layout_of
from archive_colorizer.video.muxer import join_segments
from archive_colorizer.video.sequence.folder import NamedFrame, gather_frames, write_frames
from archive_colorizer.video.sequence.source import check_frames_unchanged, frame_paths
from archive_colorizer.video.writer import write_segment

_NEAR: Final = 48
"""Frames on either side of a gap in which one to hold is looked for."""


@dataclass(frozen=True, slots=True)
class Splice:
    """What a film is put together from.  model: the name that its contract gives."""

    assembly: Assembly
    missing: tuple[Part, ...]
    span: Span
    model: str


def join_films(
    jobs: tuple[Job, ...], workplace: Workplace, splices: Mapping[str, Splice]
) -> list[Outcome]:
    """Put each job's film together; `splices` are by the jobs' keys."""
    return [settle(job, workplace, partial(_join, splice=splices[job.key])) for job in jobs]


def _join(job: Job, workplace: Workplace, begun: Outcome, splice: Splice) -> Outcome:
    with open_again(job.source, workplace) as film:
        facts = film.facts
        frames = frames_in(facts, splice.span)
        known = replace(
            begun,
            state=State.DONE,
            source_sha256=job.source.fixity.removeprefix("sha256:") or None,
            width=facts.width,
            height=facts.height,
            frames=len(frames),
            first=frames.start or None,
        )
        note = note_of(known, workplace, job.source, splice.model)
        parts, said = _parts(film, splice, workplace, note)
        warnings = (*said, *_of_span(splice.span, facts.kind))
        errand = Errand(job, workplace, replace(known, warnings=warnings), note)
        if facts.kind == "sequence":
            outcome = _join_frames(parts, errand)
        else:
            outcome = _join_video(parts, film, frames, errand)
    return outcome


def _join_video(parts: list[Path], film: Film, frames: range, errand: Errand) -> Outcome:
    job, workplace = errand.job, errand.workplace
    container = cast(Container, Path(job.target).suffix[1:].lower().replace("m4v", "mp4"))
    temporary = Path(workplace.work, secrets.token_hex(8))
    said = join_segments(
        job.source.path,
        film.facts,
        parts,
        temporary,
        container,
        {"comment": words_of(errand.note)},
        frames,
    )
    check_frames_unchanged(job.source, frames.start, frames.stop)
    known = replace(errand.known, warnings=(*errand.known.warnings, *said))
    return deliver_file(temporary.name, job, workplace, known, _sidecar(errand.note))


def _join_frames(parts: list[Path], errand: Errand) -> Outcome:
    temporary = Path(errand.workplace.work, secrets.token_hex(8))
    made = gather_frames(parts, temporary)
    return deliver_folder(temporary, made, errand, _sidecar(errand.note))


def words_of(note: ProvenanceNote) -> str:
    """What the metadata of a video say of its color."""
    return (
        f"The color of this film was made by an algorithm and is no evidence: {note.software}, "
        f"model {note.model} (sha256 {note.model_sha256}), settings {note.settings}, "
        f"{note.when}. Its luma comes from {note.source_name} (sha256 {note.source_sha256})."
    )


def _sidecar(note: ProvenanceNote) -> bytes:
    return sidecar_for(with_provenance(None, note))


def _of_span(span: Span, kind: str) -> tuple[str, ...]:
    if span.is_all:
        return ()
    sound = "; its sound was trimmed by whole packets" if kind == "video" else ""
    end = "its end" if span.end is None else clock(span.end)
    return (f"holds the film from {clock(span.begin)} to {end} only{sound}",)


def _parts(
    film: Film, splice: Splice, workplace: Workplace, note: ProvenanceNote
) -> tuple[list[Path], list[str]]:
    """The files of all parts in order, those of gaps made now, and what is to be said of gaps."""
    assembly, said = splice.assembly, []
    files = []
    for part in assembly.parts:
        if part not in splice.missing:
            place = f"{assembly.folder}/{part.name}{assembly.ending}"
            files.append(Path(workplace.output, place))
            continue
        filled = _Gap(film, part, workplace)
        files.append(filled.write(note, assembly))
        said.append(filled.said)
    return files, said


class _Gap:
    """A part that is missing, as the grey original.  `held` counts frames shown twice."""

    def __init__(self, film: Film, part: Part, workplace: Workplace) -> None:
        self.held = 0
        self._film = film
        self._part = part
        self._work = Path(workplace.work)
        self._codec = codec_of(film.facts, workplace.film or FilmRecipe())
        self._layout = layout_of(film.facts, self._codec)

    def write(self, note: ProvenanceNote, assembly: Assembly) -> Path:
        """Write it below the work folder, as the other parts are."""
        path = self._work / f"{secrets.token_hex(8)}{assembly.ending}"
        if self._codec is not None:
            frames = (_grey(at, frame, self._layout, self._film) for at, frame in self._frames())
            write_segment(frames, self._film.facts, self._layout, self._codec, path)
            return path
        sources = frame_paths(assembly.source.path)
        named = (
            NamedFrame(
                _grey(at, frame, self._layout, self._film), sources[frame.index], sources[at].name
            )
            for at, frame in self._frames()
        )
        made = write_frames(named, self._layout.codes, path.with_suffix(""), note)
        path.write_bytes(list_of(path.stem, made))
        return path

    @property
    def said(self) -> str:
        """What stands in the gap, once it is written."""
        part = self._part
        which = (
            f"frame {part.first} is"
            if part.frames == 1
            else (f"frames {part.first} to {part.last - 1} are")
        )
        if self.held == part.frames:
            return f"{which} a neighbor in grey: nothing there could be decoded"
        held = f", {self.held} of them held from a neighbor" if self.held else ""
        return f"{which} the grey original{held}: they could not be restored"

    def _frames(self) -> Iterator[tuple[int, Frame]]:
        """Each number of the part with its frame, or the nearest sound one before it."""
        first, last = self._part.first, self._part.last
        shown = self._neighbor()
        for at, frame in enumerate(self._film.salvage(first, last), first):
            self.held += frame is None
            shown = frame or shown
            yield at, shown

    def _neighbor(self) -> Frame:
        """The last sound frame before the part, else the first one in or after it."""
        film, first, last = self._film, self._part.first, self._part.last
        before = [one for one in film.salvage(max(first - _NEAR, 0), first) if one]
        if before:
            return before[-1]
        for frame in film.salvage(first, min(last + _NEAR, film.facts.frames)):
            if frame is not None:
                return frame
        raise DamagedPicture(
            f"{film.facts.name}: no frame near {first} to {last - 1} can be decoded to fill the gap"
        )


def _grey(at: int, frame: Frame, layout: Layout, film: Film) -> ColorFrame:
    facts = film.facts
    luma = layout.luma_from(frame.luma, facts.codes)
    plane = np.full(layout.chroma_shape(*luma.shape), layout.codes.neutral, dtype=luma.dtype)
    return ColorFrame(at, facts.times[at], luma, plane, plane)
