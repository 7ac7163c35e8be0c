"""Assemble each film of a request: its cut list, its parts, the name of its result."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from archive_colorizer.errors import DamagedPicture, SourceError
from archive_colorizer.film.plan import (
    SHOTS,
    Assembly,
    build_part_job,
    find_user_list,
    name_cut_list,
    plan_list,
)
from archive_colorizer.film.request import FilmRequest
from archive_colorizer.film.segments import choose_endings
from archive_colorizer.film.shots import split_at_damage, split_shot
from archive_colorizer.film.tasks import CutListSource, load_facts, load_shots, open_film_again
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.model.colorizer import hash_model
from archive_colorizer.model.registry import find_model
from archive_colorizer.records.jobs import JobContext, ShotModel, ShotPart, Source
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import choose_target, fold
from archive_colorizer.run.plan import Step
from archive_colorizer.storage.fixity import read_fixity

_LOST: Final = frozenset((DamagedPicture.reason, SourceError.reason))
_PART: Final = re.compile(r".*#\d+-\d+", re.DOTALL)


def plan_cut_list(
    source: Source, request: FilmRequest, manifest: Manifest, context: JobContext
) -> tuple[Step, CutListSource]:
    """Plan a film's cut list; a list that the user gives, or edited in the output, is kept."""
    path = request.shots
    if path is None:
        previous = manifest.find_newest(f"{source.name}#{SHOTS}")
        path = find_user_list(request.output, source, previous)
    sha256 = None
    if path is not None:
        fixity = read_fixity(path)
        if fixity is None:
            raise SourceError(f"{path}: the list of shots cannot be read; check --shots")
        sha256 = fixity[1]
    step = plan_list(source, request.span.words, sha256, manifest, context, request.retry_failed)
    return step, CutListSource(path, request.span)


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


def find_shot_models(assemblies: Iterable[Assembly]) -> tuple[ShotModel, ...]:
    """Find the model files of the films' shots on this machine; raises ModelError."""
    digests = {name: sha256 for assembly in assemblies for name, sha256 in assembly.models.items()}
    return tuple(ShotModel(name, str(find_model(name)), digests[name]) for name in sorted(digests))


def split_damaged_parts(assembly: Assembly, manifest: Manifest, context: JobContext) -> Assembly:
    """Split the parts that failed for a damaged frame into sound and damaged pieces."""
    parts: list[ShotPart] = []
    with open_film_again(assembly.source, context) as film:
        for part in assembly.parts:
            job = build_part_job(part, assembly, manifest, context)
            outcome = manifest.find_newest(job.name)
            is_lost = outcome is not None and outcome.key == job.key and outcome.reason in _LOST
            parts.extend(split_at_damage(film, part) if is_lost and part.frames > 1 else (part,))
    return replace(assembly, parts=tuple(parts))


def _choose_target(
    source: Source, ending: str, manifest: Manifest, is_taken: Callable[[str], bool]
) -> str:
    """Return the film's own name with the result's ending, or another if that is taken."""
    previous = manifest.find_newest_done(source.name)
    if previous is not None and previous.target and previous.target.endswith(ending):
        return previous.target
    stem = source.path.name if source.path.is_dir() else source.path.stem
    return choose_target(stem + ending, is_taken)


def count_frames(outcome: Outcome) -> int:
    """Count the frames that an outcome adds to a run's progress: only parts count."""
    return (outcome.frames or 0) if _PART.fullmatch(outcome.name) else 0
