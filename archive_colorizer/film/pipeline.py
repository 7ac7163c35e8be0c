"""Restore films in four stages: find cuts, restore parts, retry damaged parts, join."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from archive_colorizer.errors import (
    ArchiveColorizerError,
    DamagedPicture,
    FailureReason,
    SourceError,
)
from archive_colorizer.executors.executor import Executor, SerialExecutor
from archive_colorizer.film.assembly import build_assembly, plan_cut_list
from archive_colorizer.film.join import Splice, join_films
from archive_colorizer.film.plan import SHOTS, Assembly, FilmPlan
from archive_colorizer.film.request import FilmRequest
from archive_colorizer.film.shots import split_at_damage
from archive_colorizer.film.tasks import CutProgress, make_lists, open_film_again, restore_parts
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.model.registry import find_model
from archive_colorizer.output.journal import WorkFolder
from archive_colorizer.pipeline.run_session import Notify, RunSession, ignore_message, open_session
from archive_colorizer.records.jobs import Job, JobContext, ShotModel, ShotPart, Source
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.driver import OutcomeCallback, ignore_outcome
from archive_colorizer.run.plan import Step
from archive_colorizer.run.summary import Summary
from archive_colorizer.video.sequence.source import find_film

_LOST: Final = frozenset((DamagedPicture.reason, SourceError.reason))


def restore_films(
    request: FilmRequest,
    on_outcome: OutcomeCallback = ignore_outcome,
    notify: Notify = ignore_message,
    on_total: Callable[[int], None] = lambda _frames: None,
    on_progress: CutProgress = lambda _name, _frames, _done: None,
) -> Summary:
    """Restore the films of a request, and account for every shot in the manifest.

    on_total: called with the number of frames to restore, once that is known.  on_progress:
    called during the search for cuts.  Raises as `restore_archive` does.
    """
    with open_session(request, notify) as session:
        stop, run = session.stop, _FilmRun(request, session, on_outcome)
        summaries = [run.list_shots(on_progress)]
        if stop.is_requested:
            return replace(Summary.combine(summaries), out_of_time=stop.out_of_time)
        assemblies = run.build_assemblies()
        on_total(sum(part.frames for assembly in assemblies for part in assembly.parts))
        summaries.append(run.restore(assemblies))
        if request.film.allow_missing and not stop.is_requested:
            assemblies, summaries[1:] = run.restore_pieces(assemblies, summaries[1])
        if stop.is_requested:
            return replace(Summary.combine(summaries), out_of_time=stop.out_of_time)
        summaries.append(run.join(assemblies))
        return Summary.combine(summaries)


@dataclass(slots=True)
class _FilmRun:
    """Run the stages of a film.  failures: films that have no assembly."""

    request: FilmRequest
    session: RunSession
    on_outcome: OutcomeCallback
    sources: list[Source] = field(default_factory=list)
    failures: list[Outcome] = field(default_factory=list)

    @property
    def context(self) -> JobContext:
        return self.session.context

    @property
    def manifest(self) -> Manifest:
        return self.session.manifest

    def list_shots(self, on_progress: CutProgress) -> Summary:
        """Make a cut list for each film."""
        user_lists: dict[str, Path | None] = {}

        def plan_steps() -> Iterator[Step]:
            for path in self.request.roots:
                try:
                    source = find_film(path)
                except ArchiveColorizerError as error:
                    yield _build_failure(f"{path.name}#{SHOTS}", error)
                    continue
                self.sources.append(source)
                step, user_list = plan_cut_list(source, self.request, self.manifest, self.context)
                if isinstance(step, Job):
                    user_lists[step.key] = user_list
                    self.session.notify(f"looking at {source.name} and for its cuts")
                yield step

        task = partial(
            make_lists, user_lists=user_lists, span=self.request.span, on_progress=on_progress
        )
        return self._run(plan_steps(), task, "shots")

    def build_assemblies(self) -> list[Assembly]:
        """Split all films that have a cut list into parts."""
        assemblies: list[Assembly] = []
        taken_targets: set[str] = set()
        for source in self.sources:
            outcome = self.manifest.find_newest(f"{source.name}#{SHOTS}")
            if outcome is None or outcome.state is not State.DONE:
                continue
            for warning in outcome.warnings:
                self.session.notify(f"{source.name}: {warning}")
            hashed = replace(source, fixity=f"sha256:{outcome.source_sha256}")
            try:
                assembly = build_assembly(hashed, self.request, self.manifest, taken_targets)
                assemblies.append(self._split_damaged(assembly))
            except ArchiveColorizerError as error:
                if len(self.request.roots) == 1:
                    raise
                self.failures.append(_build_failure(source.name, error))
        return assemblies

    def restore(self, assemblies: Sequence[Assembly]) -> Summary:
        """Restore every part."""
        models = {name: sha256 for film in assemblies for name, sha256 in film.models.items()}
        shot_models = [
            ShotModel(name, str(find_model(name)), models[name]) for name in sorted(models)
        ]
        self.session.context = replace(self.context, shot_models=tuple(shot_models))
        # A pattern is not a path, but its folder is.
        films = [(source.path, Path(source.root)) for source in self.sources]
        roots = [path if path.exists() else folder for path, folder in films]

        def plan_steps() -> Iterator[Step]:
            yield from self.failures
            for assembly in assemblies:
                yield from self._plan(assembly).plan_parts(self.request.retry_failed)

        executor = self.session.create_executor(roots)
        return self._run(plan_steps(), restore_parts, "parts", executor)

    def restore_pieces(
        self, assemblies: Sequence[Assembly], summary: Summary
    ) -> tuple[list[Assembly], list[Summary]]:
        """Restore the sound frames of parts that have just failed for a damaged frame.

        Returns the new assemblies, and the summaries of the first restoration and of this one,
        in which each failure counts once.
        """
        finer = [self._split_damaged(assembly) for assembly in assemblies]
        pairs = list(zip(assemblies, finer, strict=True))
        pieces = [
            replace(new, parts=tuple(part for part in new.parts if part not in old.parts))
            for old, new in pairs
        ]
        if not any(assembly.parts for assembly in pieces):
            return finer, [summary]
        names = [
            f"{old.source.name}#{part.name}"
            for old, new in pairs
            for part in old.parts
            if part not in new.parts
        ]
        failures = [outcome for name in names if (outcome := self.manifest.find_newest(name))]
        self.failures.clear()
        return finer, [_remove_failures(summary, failures), self.restore(pieces)]

    def _split_damaged(self, assembly: Assembly) -> Assembly:
        """Split the parts that failed for a damaged frame into sound and damaged pieces."""
        if not self.request.film.allow_missing:
            return assembly
        plan, parts = self._plan(assembly), list[ShotPart]()
        with open_film_again(assembly.source, self.context) as film:
            for part in assembly.parts:
                outcome = plan.find_outcome(part)
                is_lost = outcome is not None and outcome.reason in _LOST and part.frames > 1
                parts.extend(split_at_damage(film, part) if is_lost else (part,))
        return replace(assembly, parts=tuple(parts))

    def join(self, assemblies: Sequence[Assembly]) -> Summary:
        """Join every film that has all its parts, and remove the parts."""
        splices: dict[str, Splice] = {}

        def plan_steps() -> Iterator[Step]:
            for assembly in assemblies:
                plan = self._plan(assembly)
                step = plan.plan_film(self.request.retry_failed)
                if isinstance(step, Job):
                    missing = plan.find_missing_parts()
                    model = self.session.provenance.model
                    splices[step.key] = Splice(assembly, missing, self.request.span, model)
                    self.session.notify(f"putting {assembly.source.name} together")
                yield step

        summary = self._run(plan_steps(), partial(join_films, splices=splices), "film")
        if not (self.request.keep_segments or self.session.stop.is_requested):
            for assembly in assemblies:
                self._remove_segments(assembly)
        return summary

    def _remove_segments(self, assembly: Assembly) -> None:
        outcome, plan = self.manifest.find_newest(assembly.source.name), self._plan(assembly)
        is_done = outcome is not None and outcome.state is State.DONE
        if is_done and not plan.find_missing_parts():
            self.manifest.append(list(plan.remove_segments()))

    def _plan(self, assembly: Assembly) -> FilmPlan:
        return FilmPlan(assembly, self.manifest, self.context)

    def _run(
        self,
        steps: Iterator[Step],
        task: Callable[..., list[Outcome]],
        stage: str,
        executor: Executor | None = None,
    ) -> Summary:
        work = WorkFolder.open(self.request.output, f"{self.session.name}-{stage}")
        summary = self.session.run(
            steps,
            partial(task, context=replace(self.context, work=str(work.path))),
            work,
            executor or SerialExecutor(),
            self.on_outcome,
        )
        self.session.stop.is_protected = False
        return summary


def _build_failure(name: str, error: ArchiveColorizerError) -> Outcome:
    return Outcome(key="", name=name, state=State.FAILED, reason=error.reason, message=str(error))


def _remove_failures(summary: Summary, failures: Sequence[Outcome]) -> Summary:
    """Return the summary without failures of this run that were resolved later."""
    reasons = Counter(summary.failures)
    reasons.subtract(outcome.reason or FailureReason.BUG for outcome in failures)
    names = {outcome.name for outcome in failures}
    first_failures = [failed for failed in summary.first_failures if failed.name not in names]
    return replace(
        summary,
        failed=summary.failed - len(failures),
        failures={reason: count for reason, count in reasons.items() if count > 0},
        first_failures=tuple(first_failures),
    )
