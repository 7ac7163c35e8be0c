"""The whole story of a film: its cuts, its shots in color, and the film put together again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.executors.executor import Executor, SerialExecutor
from archive_colorizer.film.assembly import (
    assembly_of,
    list_order,
    shot_models_of,
    spared,
    workplace_of,
)
from archive_colorizer.film.join import Splice, join_films
from archive_colorizer.film.plan import (
    SHOTS,
    Assembly,
    film_step,
    missing_parts,
    part_steps,
    retired,
)
from archive_colorizer.film.request import FilmOrder
from archive_colorizer.film.tasks import ListOrder, Look, make_lists, restore_parts
from archive_colorizer.output.journal import WorkFolder
from archive_colorizer.pipeline.run_session import Opening, Tell, open_run, tell_nobody
from archive_colorizer.records.jobs import Job, Source, Workplace
from archive_colorizer.records.outcomes import Outcome, Provenance, State
from archive_colorizer.run.driver import RunContext, Watch, drive, watch_nothing
from archive_colorizer.run.plan import Step
from archive_colorizer.run.summary import Summary, together, without
from archive_colorizer.video.sequence.source import find_film

Expect = Callable[[int], None]
"""Takes the number of frames that a run is about, once it is known."""


def expect_nothing(_frames: int) -> None:
    """For runs that nobody looks at."""


def look_away(_name: str, _frames: int, _seen: int) -> None:
    """For searches that nobody waits for."""


def restore_films(
    order: FilmOrder,
    watch: Watch = watch_nothing,
    tell: Tell = tell_nobody,
    expect: Expect = expect_nothing,
    look: Look = look_away,
) -> Summary:
    """Restore what an order names; the manifest in its output accounts for every shot.

    `watch` sees every outcome, and `look` how far the search for cuts is.  Raises as
    `restore_archive` does.
    """
    with open_run(order.output, order.recipe, tell) as opening:
        place = workplace_of(order, opening.share.threads)
        session = _Session(
            order,
            place,
            opening,
            opening.provenance(order.films, order.command, place),
            watch,
            adopted=opening.adopted,
        )
        summaries = [session.list_shots(tell, look)]
        if opening.stop.asked:
            return _cut_short(summaries, opening)
        assemblies = session.assemblies(tell)
        expect(sum(part.frames for one in assemblies for part in one.parts))
        summaries.append(session.restore(assemblies))
        if order.film.allow_missing and not opening.stop.asked:
            assemblies, summaries[1:] = session.spare(assemblies, summaries[1])
        if opening.stop.asked:
            return _cut_short(summaries, opening)
        summaries.append(session.join(assemblies, tell))
        return together(summaries)


def _cut_short(summaries: Sequence[Summary], opening: Opening) -> Summary:
    """The summary of a run that has stages left, even if its last one came to its end."""
    return replace(together(summaries), out_of_time=opening.stop.out_of_time)


@dataclass(slots=True)
class _Session:
    """A run over films, drive by drive.  `troubled` are films that have no assembly."""

    order: FilmOrder
    place: Workplace
    opening: Opening
    provenance: Provenance
    watch: Watch
    adopted: int = 0
    is_opened: bool = False
    sources: list[Source] = field(default_factory=list)
    troubled: list[Outcome] = field(default_factory=list)

    def list_shots(self, tell: Tell, look: Look) -> Summary:
        """A cut list for each film."""
        orders: dict[str, ListOrder] = {}

        def steps() -> Iterator[Step]:
            for path in self.order.films:
                try:
                    source = find_film(path)
                except ArchiveColorizerError as error:
                    yield _failed(f"{path.name}#{SHOTS}", error)
                    continue
                self.sources.append(source)
                step, order = list_order(source, self.order, self.opening.manifest, self.place)
                if isinstance(step, Job):
                    orders[step.key] = order
                    tell(f"looking at {source.name} and for its cuts")
                yield step

        return self._drive(steps(), partial(make_lists, orders=orders, look=look), "shots")

    def assemblies(self, tell: Tell) -> list[Assembly]:
        """The parts of all films that have a cut list."""
        found: list[Assembly] = []
        chosen: set[str] = set()
        for source in self.sources:
            known = self.opening.manifest.newest(f"{source.name}#{SHOTS}")
            if known is None or known.state is not State.DONE:
                continue
            for said in known.warnings:
                tell(f"{source.name}: {said}")
            vouched = replace(source, fixity=f"sha256:{known.source_sha256}")
            try:
                one = assembly_of(vouched, self.order, self.opening.manifest, chosen)
                found.append(self._spared(one))
            except ArchiveColorizerError as error:
                if len(self.order.films) == 1:
                    raise
                self.troubled.append(_failed(source.name, error))
        return found

    def restore(self, assemblies: Sequence[Assembly]) -> Summary:
        """Every part in color."""
        self.place = replace(self.place, shot_models=shot_models_of(assemblies))
        # A pattern is no path; its folder is.
        films = [(source.path, Path(source.root)) for source in self.sources]
        roots = [path if path.exists() else folder for path, folder in films]

        def steps() -> Iterator[Step]:
            yield from self.troubled
            for one in assemblies:
                yield from part_steps(
                    one, self.opening.manifest, self.place, self.order.retry_failed
                )

        return self._drive(
            steps(), restore_parts, "parts", self.opening.executor(self.place, roots)
        )

    def spare(
        self, assemblies: Sequence[Assembly], summary: Summary
    ) -> tuple[list[Assembly], list[Summary]]:
        """Restore what is sound in parts that have failed for a damaged frame just now.

        Gives what the films are then made of, and the `summary` of the first restoration and
        that of this one, in which each failure counts once.
        """
        finer = [self._spared(one) for one in assemblies]
        pieces = [
            replace(new, parts=tuple(part for part in new.parts if part not in old.parts))
            for old, new in zip(assemblies, finer, strict=True)
        ]
        if not any(one.parts for one in pieces):
            return finer, [summary]
        names = [
            f"{old.source.name}#{part.name}"
            for old, new in zip(assemblies, finer, strict=True)
            for part in old.parts
            if part not in new.parts
        ]
        failures = [one for name in names if (one := self.opening.manifest.newest(name))]
        self.troubled.clear()
        return finer, [without(summary, failures), self.restore(pieces)]

    def _spared(self, assembly: Assembly) -> Assembly:
        if not self.order.film.allow_missing:
            return assembly
        return spared(assembly, self.opening.manifest, self.place)

    def join(self, assemblies: Sequence[Assembly], tell: Tell) -> Summary:
        """Every film that has all its parts put together, and the parts removed."""
        splices: dict[str, Splice] = {}

        def steps() -> Iterator[Step]:
            for one in assemblies:
                step = film_step(one, self.opening.manifest, self.place, self.order.retry_failed)
                if isinstance(step, Job):
                    missing = missing_parts(one, self.opening.manifest, self.place)
                    splices[step.key] = Splice(one, missing, self.order.span, self.provenance.model)
                    tell(f"putting {one.source.name} together")
                yield step

        summary = self._drive(steps(), partial(join_films, splices=splices), "film")
        if not (self.order.keep_segments or self.opening.stop.asked):
            for one in assemblies:
                self._retire(one)
        return summary

    def _retire(self, assembly: Assembly) -> None:
        known = self.opening.manifest.newest(assembly.source.name)
        missing = missing_parts(assembly, self.opening.manifest, self.place)
        if known is not None and known.state is State.DONE and not missing:
            self.opening.manifest.append(
                list(retired(assembly, self.opening.manifest, self.order.output))
            )

    def _drive(
        self,
        steps: Iterator[Step],
        task: Callable[..., list[Outcome]],
        stage: str,
        executor: Executor | None = None,
    ) -> Summary:
        work = WorkFolder.open(self.order.output, f"{self.opening.name}-{stage}")
        summary = drive(
            steps,
            RunContext(
                executor=executor or SerialExecutor(1, self.place.threads),
                task=partial(task, workplace=replace(self.place, work=str(work.path))),
                manifest=self.opening.manifest,
                work=work,
                stop=self.opening.stop,
                opening=None if self.is_opened else self.provenance,
                watch=self.watch,
                adopted=self.adopted,
            ),
        )
        self.adopted = 0
        self.is_opened |= bool(summary.done or summary.failed or summary.skipped)
        self.opening.stop.unshield()
        return summary


def _failed(name: str, error: ArchiveColorizerError) -> Outcome:
    return Outcome(key="", name=name, state=State.FAILED, reason=error.reason, message=str(error))
