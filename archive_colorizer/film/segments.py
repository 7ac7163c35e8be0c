"""Write the parts of a film: segments of a video, or folders of frames."""

import contextlib
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from archive_colorizer.errors import UsageError
from archive_colorizer.image.metadata.xmp import ProvenanceNote
from archive_colorizer.output.deliver import deliver
from archive_colorizer.recipe.recipe import FilmRecipe
from archive_colorizer.records.jobs import Job, JobContext
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.storage.fixity import CHECKSUM_LIST, format_checksum_list
from archive_colorizer.video.film import Codec, ColorFrame, FilmFacts, Layout
from archive_colorizer.video.layouts import Container, choose_container
from archive_colorizer.video.sequence.folder import NamedFrame, deliver_folder, write_frames
from archive_colorizer.video.sequence.source import check_frames_unchanged, list_frame_paths
from archive_colorizer.video.writer import write_segment

_SEGMENT: Final = ".nut"
_SAME: Final[dict[str, Codec]] = {"h264": "h264", "hevc": "h265", "prores": "prores"}
"""Codecs of sources that results keep; all others become FFV1, which is lossless."""

_HELD: Final[dict[Container, tuple[Codec, ...]]] = {
    "mkv": ("ffv1", "h264", "h265", "prores"),
    "mov": ("h264", "h265", "prores"),
    "mp4": ("ffv1", "h264", "h265"),
}


def choose_codec(facts: FilmFacts, film: FilmRecipe) -> Codec | None:
    """Choose the codec of a film's result; None for a sequence."""
    if facts.kind == "sequence":
        return None
    return _SAME.get(facts.codec, "ffv1") if film.codec == "same" else film.codec


def _choose_container(facts: FilmFacts, codec: Codec, name: str) -> Container:
    """Choose the container that `name` asks for, if any; raises UsageError if it cannot hold it."""
    if not name:
        return choose_container(facts, codec)
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


def choose_endings(facts: FilmFacts, film: FilmRecipe, name: str) -> tuple[str, str]:
    """Choose the endings of a film's result and of its parts; raises UsageError."""
    codec = choose_codec(facts, film)
    if codec is None:
        return CHECKSUM_LIST, CHECKSUM_LIST
    return f".{_choose_container(facts, codec, name)}", _SEGMENT


@dataclass(frozen=True, slots=True)
class SegmentJob:
    """Hold a job, its outcome so far, and the provenance for its metadata."""

    job: Job
    context: JobContext
    outcome: Outcome
    note: ProvenanceNote

    def write_part(self, frames: Iterable[ColorFrame], facts: FilmFacts, layout: Layout) -> Outcome:
        """Write and deliver a part: one file, or a folder of frames and then its list."""
        job, context = self.job, self.context
        span = range(job.part.first, job.part.last) if job.part else range(facts.frames)
        codec = choose_codec(facts, context.film or FilmRecipe())
        temporary = Path(context.work, secrets.token_hex(8))
        if codec is not None:
            write_segment(frames, facts, layout, codec, temporary)
            check_frames_unchanged(job.source, span.start, span.stop)
            return deliver(temporary, job, context, self.outcome)
        sources = list_frame_paths(job.source.path)
        named = (
            NamedFrame(frame, sources[frame.index], sources[frame.index].name) for frame in frames
        )
        digests = write_frames(named, layout.codes, temporary, self.note)
        check_frames_unchanged(job.source, span.start, span.stop)
        if not job.replaces:
            # A killed run may have left frames without their list.
            remove_segment(Path(context.output, job.target))
        return self.deliver_frames(temporary, digests)

    def deliver_frames(
        self, temporary: Path, digests: dict[str, str], sidecar: bytes | None = None
    ) -> Outcome:
        """Deliver a folder of frames, and then its list, which is the job's target."""
        job, context = self.job, self.context
        folder = job.target.removesuffix(CHECKSUM_LIST)
        replaced_list = Path(context.output, job.target) if job.replaces else None
        deliver_folder(temporary, folder, context, replaced_list, digests)
        listed = format_checksum_list(folder.rpartition("/")[2], digests)
        return deliver(listed, job, context, self.outcome, sidecar)


def remove_segment(path: Path) -> None:
    """Remove a finished part: a file, or a list with the frames that it names."""
    if path.suffix == CHECKSUM_LIST:
        with contextlib.suppress(OSError):
            shutil.rmtree(path.with_suffix(""))
    with contextlib.suppress(OSError):
        path.unlink()
