"""Results in a store that no manifest knows, told by the notes on their objects.

What a run folder's journals are among files (see workfolder): a result and its note appear
together, so nothing that is finished is made again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from archive_colorizer.location import Address, Place
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output.journal import Work, WorkFolder
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.json_lines import outcome_of
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.storage.listing_cache import stamp_of


def outcome_at(output: Address, target: str) -> Outcome | None:
    """The outcome that made the object at `target`, by its own note; one request.

    None for what is not this program's, or was copied from elsewhere.
    """
    from archive_colorizer.storage import objects
    from archive_colorizer.storage.object_metadata import line_of

    try:
        found = objects.look(output / target)
        outcome = outcome_of(line_of(found.note) or b"")
    except (OSError, ValueError):
        return None
    if outcome is None or outcome.state is not State.DONE or outcome.target != target:
        return None
    return replace(outcome, target_stamp=found.stamp)


def unrecorded(output: Address, target: str, done: Outcome | None) -> Outcome | None:
    """What the object at `target` tells, if it is not the one that the manifest knows."""
    there = stamp_of(output / target)
    if there is None or (done is not None and done.target_stamp == there):
        return None
    return outcome_at(output, target)


@dataclass(frozen=True, slots=True)
class StoreWork:
    """The work of a run whose output is in a store."""

    output: Address

    def finished(self, jobs: Iterable[Job]) -> dict[str, Outcome]:
        """Those of `jobs`, by key, whose result is there although nobody reported it."""
        found = ((job, outcome_at(self.output, job.target)) for job in jobs)
        return {
            job.key: outcome
            for job, outcome in found
            if outcome is not None
            and (outcome.key, outcome.source_stamp) == (job.key, job.source.stamp)
        }

    def discard(self) -> None:
        """Nothing to do: there is no folder."""

    def rescue(self, manifest: Manifest) -> list[Outcome]:
        """Nothing now: the next run meets the results where they are."""
        del manifest
        return []


def open_work(output: Place, run: str) -> tuple[Work, str]:
    """The work of the run `run`, and the folder of its temporary files, empty in a store.

    Raises OutputError.
    """
    if isinstance(output, Address):
        return StoreWork(output), ""
    folder = WorkFolder.open(output, run)
    return folder, str(folder.path)
