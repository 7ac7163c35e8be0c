"""From an order to what each film is made of: its cut list, its parts, the names of results."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from archive_colorizer.errors import DamagedPicture, SourceError
from archive_colorizer.film.plan import SHOTS, Assembly, list_name, list_step, part_job, person_list
from archive_colorizer.film.request import FilmOrder
from archive_colorizer.film.segments import endings_of
from archive_colorizer.film.shots import around_damage, parts_of
from archive_colorizer.film.tasks import ListOrder, facts_of, open_again, shots_listed
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.manifest.target_names import choose_target
from archive_colorizer.model.colorizer import digest_of_model
from archive_colorizer.model.registry import find_model
from archive_colorizer.pipeline.run_session import anywhere, models_of
from archive_colorizer.records.jobs import Part, ShotModel, Source, Workplace
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import fold
from archive_colorizer.run.plan import Step
from archive_colorizer.storage.fixity import read_fixity

_LOST: Final = frozenset((DamagedPicture.reason, SourceError.reason))
_PART: Final = re.compile(r".*#\d+-\d+", re.DOTALL)


def workplace_of(order: FilmOrder, threads: int) -> Workplace:
    """What the jobs of a film share; its work folder is that of each drive."""
    return Workplace(
        output=str(order.output),
        work="",
        recipe=anywhere(order.recipe),
        threads=threads,
        film=order.film,
        **models_of(order.recipe),
    )


def list_order(
    source: Source, order: FilmOrder, manifest: Manifest, place: Workplace
) -> tuple[Step, ListOrder]:
    """The step that makes a film's cut list, and how to make it.

    A list that a person gives, or has edited in the output, is taken as it is.
    """
    given = order.shots
    if given is None:
        known = manifest.newest(f"{source.name}#{SHOTS}")
        given = person_list(order.output, source, known)
    sha256 = None
    if given is not None:
        found = read_fixity(given)
        if found is None:
            raise SourceError(f"{given}: the list of shots cannot be read; check --shots")
        sha256 = found[1]
    step = list_step(source, order.span.words, sha256, manifest, place, order.retry_failed)
    return step, ListOrder(given, order.span)


def assembly_of(source: Source, order: FilmOrder, manifest: Manifest, chosen: set[str]) -> Assembly:
    """What a film is made of, after the cut list in the output.

    chosen: the folded places of other films' results, to which this one's is added.
    """
    facts = facts_of(source, order.film)
    shots = shots_listed(order.output / list_name(source.name), facts, order.span, order.own)
    parts = tuple(part for shot in shots for part in parts_of(shot, order.film.longest))
    wanted = {part.shot.model for part in parts if part.shot.model}
    result, segment = endings_of(facts, order.film, order.name)

    def taken(place: str) -> bool:
        return fold(place) in chosen or manifest.has_target(place)

    target = order.name or _target(source, result, manifest, taken)
    chosen.add(fold(target))
    return Assembly(
        source=source,
        parts=parts,
        target=target,
        ending=segment,
        models={name: digest_of_model(find_model(name)) for name in wanted},
    )


def shot_models_of(assemblies: Iterable[Assembly]) -> tuple[ShotModel, ...]:
    """The models that the films' shots ask for, as files of this machine; raises ModelError."""
    asked = {name: sha256 for one in assemblies for name, sha256 in one.models.items()}
    return tuple(ShotModel(name, str(find_model(name)), asked[name]) for name in sorted(asked))


def spared(assembly: Assembly, manifest: Manifest, place: Workplace) -> Assembly:
    """The assembly with its damaged parts cut in pieces, of which only some are lost.

    Those of the manifest's parts that have failed for a frame that cannot be decoded.
    """
    parts: list[Part] = []
    with open_again(assembly.source, place) as film:
        for part in assembly.parts:
            job = part_job(part, assembly, manifest, place)
            known = manifest.newest(job.name)
            lost = known is not None and known.key == job.key and known.reason in _LOST
            parts.extend(around_damage(film, part) if lost and part.frames > 1 else (part,))
    return replace(assembly, parts=tuple(parts))


def _target(source: Source, ending: str, manifest: Manifest, taken: Callable[[str], bool]) -> str:
    """The film's own name with the result's ending, unless another film has it."""
    done = manifest.newest_done(source.name)
    if done is not None and done.target and done.target.endswith(ending):
        return done.target
    stem = source.path.name if source.path.is_dir() else source.path.stem
    return choose_target(stem + ending, taken)


def frames_of(outcome: Outcome) -> int:
    """The frames that an outcome brings a run forward: those of parts count."""
    return (outcome.frames or 0) if _PART.fullmatch(outcome.name) else 0
