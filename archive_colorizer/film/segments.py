"""The files of a film's parts: segments of a video, or folders of frames."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from archive_colorizer._version import __version__
from archive_colorizer.errors import UsageError
from archive_colorizer.film.plan import remove_segment
from archive_colorizer.image.metadata.model import ProvenanceNote
from archive_colorizer.output.deliver import deliver, deliver_file
from archive_colorizer.recipe.recipe import FilmRecipe
from archive_colorizer.records.jobs import Job, Source, Workplace
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.storage.fixity import LIST, list_of
from archive_colorizer.video.film import Codec, ColorFrame, FilmFacts, Layout
from archive_colorizer.video.layouts import Container, container_for
from archive_colorizer.video.sequence.folder import NamedFrame, bring_folder, write_frames
from archive_colorizer.video.sequence.source import check_frames_unchanged, frame_paths
from archive_colorizer.video.writer import write_segment

_SEGMENT: Final = ".nut"
_SAME: Final[dict[str, Codec]] = {"h264": "h264", "hevc": "h265", "prores": "prores"}
"""Codecs of sources that results keep; all others become FFV1, which loses nothing."""

_HELD: Final[dict[Container, tuple[Codec, ...]]] = {
    "mkv": ("ffv1", "h264", "h265", "prores"),
    "mov": ("h264", "h265", "prores"),
    "mp4": ("ffv1", "h264", "h265"),
}


def codec_of(facts: FilmFacts, film: FilmRecipe) -> Codec | None:
    """The codec of a film's result; None for a sequence."""
    if facts.kind == "sequence":
        return None
    return _SAME.get(facts.codec, "ffv1") if film.codec == "same" else film.codec


def container_of(facts: FilmFacts, codec: Codec, name: str) -> Container:
    """The container of a result: that of the `name` asked for, or the one that fits.

    Raises UsageError when the one asked for cannot hold the codec.
    """
    if not name:
        return container_for(facts, codec)
    ending = Path(name).suffix[1:].lower().replace("m4v", "mp4")
    if ending not in _HELD:
        raise UsageError(f"{name}: results are MKV, MOV or MP4; choose another --output")
    container: Container = ending
    if codec not in _HELD[container]:
        raise UsageError(
            f"{name}: {ending.upper()} does not hold {codec.upper()} here; "
            "name an .mkv, or choose another --codec"
        )
    return container


def endings_of(facts: FilmFacts, film: FilmRecipe, name: str) -> tuple[str, str]:
    """How the names of a film's result and of its parts end; raises as `container_of` does."""
    codec = codec_of(facts, film)
    if codec is None:
        return LIST, LIST
    return f".{container_of(facts, codec, name)}", _SEGMENT


@dataclass(frozen=True, slots=True)
class Errand:
    """A job on its way: what is known of its outcome, and who is said to have made it."""

    job: Job
    workplace: Workplace
    known: Outcome
    note: ProvenanceNote


def write_part(
    frames: Iterable[ColorFrame], facts: FilmFacts, layout: Layout, errand: Errand
) -> Outcome:
    """Write and deliver a part: one file, or a folder of frames and then its list."""
    job, workplace = errand.job, errand.workplace
    span = range(job.part.first, job.part.last) if job.part else range(facts.frames)
    codec = codec_of(facts, workplace.film or FilmRecipe())
    temporary = Path(workplace.work, secrets.token_hex(8))
    if codec is not None:
        write_segment(frames, facts, layout, codec, temporary)
        check_frames_unchanged(job.source, span.start, span.stop)
        return deliver_file(temporary.name, job, workplace, errand.known)
    sources = frame_paths(job.source.path)
    named = (NamedFrame(one, sources[one.index], sources[one.index].name) for one in frames)
    made = write_frames(named, layout.codes, temporary, errand.note)
    check_frames_unchanged(job.source, span.start, span.stop)
    if not job.replaces:
        # What a killed run has left without a list; nobody else puts anything there.
        remove_segment(Path(workplace.output, job.target))
    return deliver_folder(temporary, made, errand)


def deliver_folder(
    temporary: Path, made: dict[str, str], errand: Errand, sidecar: bytes | None = None
) -> Outcome:
    """Bring a folder of frames to its place, and then its list, which is the job's target."""
    job, workplace = errand.job, errand.workplace
    folder = job.target.removesuffix(LIST)
    known = Path(workplace.output, job.target) if job.replaces else None
    bring_folder(temporary, folder, workplace, known, made)
    listed = list_of(folder.rpartition("/")[2], made)
    return deliver(listed, job, workplace, errand.known, sidecar)


def note_of(known: Outcome, workplace: Workplace, source: Source, model: str) -> ProvenanceNote:
    """Who made the color, by what means, and from what."""
    return ProvenanceNote(
        software=f"archive-colorizer {__version__}",
        model=model,
        model_sha256=known.model_sha256 or "",
        settings=known.settings or "",
        source_name=source.name,
        source_sha256=known.source_sha256 or "",
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        source_type=workplace.recipe.source_type,
    )
