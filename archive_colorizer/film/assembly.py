"""Assemble each film of a request: its cut list, its parts, the name of its result."""

from collections.abc import Callable
from pathlib import Path

from archive_colorizer.errors import SourceError
from archive_colorizer.film.plan import SHOTS, Assembly, name_cut_list
from archive_colorizer.film.request import FilmRequest
from archive_colorizer.film.segments import choose_endings
from archive_colorizer.film.shots import split_shot
from archive_colorizer.film.tasks import load_facts, load_shots
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.model.colorizer import hash_model
from archive_colorizer.model.registry import find_model
from archive_colorizer.records.jobs import Job, JobContext, Source
from archive_colorizer.records.paths import choose_target, fold
from archive_colorizer.run.plan import Step, compute_job_key, decide_step
from archive_colorizer.storage.reading import get_storage


def plan_cut_list(
    source: Source, request: FilmRequest, manifest: Manifest, context: JobContext
) -> tuple[Step, Path | None]:
    """Plan a film's cut list; a list that the user gives, or edited in the output, is kept.

    Also returns the user's list, or None if cuts are to be found.
    """
    name, target = f"{source.name}#{SHOTS}", name_cut_list(source.name)
    previous = manifest.find_newest(name)
    path = request.shots or request.output / target
    fixity = get_storage(path).read_fixity()
    shortest = context.film.shortest if context.film else 0
    key = _compute_key(source, request.span.words, f"shortest {shortest}")
    is_given = request.shots is not None
    if fixity is not None:
        key_of_given = _compute_key(source, "", f"given {fixity[1]}")
        is_given |= (
            previous is None or fixity[1] != previous.target_sha256 or previous.key == key_of_given
        )
        key = key_of_given if is_given else key
    elif is_given:
        raise SourceError(f"{path}: the list of shots cannot be read; check --shots")
    # Only the user can have put an unknown list there, and that one is kept as it is.
    replaces = is_given or manifest.find_newest_done(name) is not None
    job = Job(key, source, target, replaces=replaces, piece=SHOTS)
    step = decide_step(job, previous, context, request.retry_failed)
    return step, path if is_given else None


def _compute_key(source: Source, span: str, how: str) -> str:
    return compute_job_key(source.name, f"{SHOTS} {span}", "", how)


def build_assembly(
    source: Source, request: FilmRequest, manifest: Manifest, taken_targets: set[str]
) -> Assembly:
    """Split a film into parts by the cut list in the output.

    taken_targets: the case-folded targets of other films, to which this one's is added.
    """
    facts = load_facts(source, request.film)
    shots = load_shots(
        request.output / name_cut_list(source.name), facts, request.span, request.shot_settings
    )
    parts = tuple(part for shot in shots for part in split_shot(shot, request.film.longest))
    model_names = {part.shot.model for part in parts if part.shot.model}
    result, segment = choose_endings(facts, request.film, request.name)

    def is_taken(path: str) -> bool:
        return fold(path) in taken_targets or manifest.has_target(path)

    target = request.name or _choose_target(source, result, manifest, is_taken)
    taken_targets.add(fold(target))
    return Assembly(
        source=source,
        parts=parts,
        target=target,
        ending=segment,
        models={name: hash_model(find_model(name)) for name in model_names},
    )


def _choose_target(
    source: Source, ending: str, manifest: Manifest, is_taken: Callable[[str], bool]
) -> str:
    """Return the film's own name with the result's ending, or another if that is taken."""
    previous = manifest.find_newest_done(source.name)
    if previous is not None and previous.target and previous.target.endswith(ending):
        return previous.target
    stem = source.path.name if source.path.is_dir() else source.path.stem
    return choose_target(stem + ending, is_taken)
