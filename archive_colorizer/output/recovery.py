"""Find results in a store that no manifest has, by the notes on their objects.

The notes do what journals do on a disk (see journal): a result and its note appear together, so
that nothing finished is made again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from archive_colorizer.location import Location, ObjectLocation
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output.journal import RecoverableWork, WorkFolder
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.json_lines import parse_outcome
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.storage.object_metadata import decode_line
from archive_colorizer.storage.object_storage import ObjectStorage
from archive_colorizer.storage.reading import get_storage


def read_outcome_at(output: ObjectLocation, target: str) -> Outcome | None:
    """Read the outcome in the note on the object at `target`, with one request.

    None when this program did not make the object, or it was copied from elsewhere.
    """
    try:
        info = ObjectStorage(output / target).read_info()
        outcome = parse_outcome(decode_line(info.note) or b"")
    except (OSError, ValueError):
        return None
    if outcome is None or outcome.state is not State.DONE or outcome.target != target:
        return None
    return replace(outcome, target_stamp=info.stamp)


def find_unrecorded(
    output: ObjectLocation, target: str, recorded: Outcome | None
) -> Outcome | None:
    """Read the outcome of the object at `target`, unless the manifest has it as `recorded`."""
    stamp = get_storage(output / target).find_stamp()
    if stamp is None or (recorded is not None and recorded.target_stamp == stamp):
        return None
    return read_outcome_at(output, target)


@dataclass(frozen=True, slots=True)
class _ObjectStoreWork:
    """The work of a run whose output is in a store; see RecoverableWork."""

    output: ObjectLocation

    def find_finished(self, jobs: Iterable[Job]) -> dict[str, Outcome]:
        outcomes = ((job, read_outcome_at(self.output, job.target)) for job in jobs)
        return {
            job.key: outcome
            for job, outcome in outcomes
            if outcome is not None
            and (outcome.key, outcome.source_stamp) == (job.key, job.source.stamp)
        }

    def discard(self) -> None:
        """There is no folder."""

    def rescue(self, _manifest: Manifest) -> list[Outcome]:
        # The next run finds the results by their notes.
        return []


def open_work(output: Location, run: str) -> tuple[RecoverableWork, str]:
    """Open the work of a run, and the folder of its temporary files, "" in a store.

    Raises OutputError.
    """
    if isinstance(output, ObjectLocation):
        return _ObjectStoreWork(output), ""
    folder = WorkFolder.open(output, run)
    return folder, str(folder.path)
