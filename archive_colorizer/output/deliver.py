"""Deliver finished results whole or not at all, and overwrite no foreign file.

The order of writing: temporary file in the run's own folder, fsync; read back where a check wants
it; a line in the worker's journal, fsync; the final name, fsync of its folder.  A process that is
killed in between leaves either nothing or a result that the next run finds in the journal.
Several results take each step together, so that small ones share the fsync of a journal and of a
folder.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from archive_colorizer.errors import ArchiveColorizerError, ResultUnsound, TargetExists
from archive_colorizer.location import ObjectLocation, to_location
from archive_colorizer.output.deliveries import (
    Check,
    Delivery,
    DeliveryBatch,
    DeliveryResult,
    PendingResult,
)
from archive_colorizer.output.local import (
    Move,
    StagedFile,
    hash_file,
    note_in_journal,
    open_folder,
    read_journaled_digests,
)
from archive_colorizer.output.object_store import deliver_objects
from archive_colorizer.output.staging import Content
from archive_colorizer.records.jobs import Job, JobContext, Stamp
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import get_sidecar_path
from archive_colorizer.storage.file_view import FileContent, FileView, compute_digest


def deliver(
    content: Content,
    job: Job,
    context: JobContext,
    outcome: Outcome,
    sidecar: bytes | None = None,
    check: Check | None = None,
) -> Outcome:
    """Write a result to its target; returns `outcome` completed.  See PendingResult.

    content: a file must be in the context's work folder, and is removed in any case.
    The umask decides the mode.  Raises TargetExists when the target is not this job's file, or a
    link or a file is in the place of a folder; TargetName when the file system rejects the name;
    OutputError when the output cannot be written; ResultUnsound when reading back yields other
    bytes; and what `check` raises.  No temporary file stays.
    """
    pending = PendingResult(content, job, outcome, sidecar, check)
    (result,) = deliver_all([pending], context)
    if isinstance(result, ArchiveColorizerError):
        raise result
    return result


def deliver_all(
    pending_results: Sequence[PendingResult], context: JobContext
) -> list[DeliveryResult]:
    """Deliver several results; returns an error in the place of each that fails."""
    output = to_location(context.output)
    if isinstance(output, ObjectLocation):
        return deliver_objects(pending_results, output)
    with ExitStack() as stack:
        batch = DeliveryBatch(pending_results, context, stack)
        with batch.assign_errors(batch.deliveries):
            work = stack.enter_context(open_folder(context.work))
            batch.run_each(partial(_write, work=work, stack=stack))
            batch.run_each_in_threads(_flush)
            batch.run_each(_check_content)
            batch.run_each(batch.open_target_folder)
            _publish_all(batch, work)
            _flush_folders(batch)
            batch.run_each(_finish)
        return [delivery.error or delivery.outcome for delivery in batch.deliveries]


def _write(delivery: Delivery, work: int, stack: ExitStack) -> None:
    content, sidecar = delivery.pending.content, delivery.pending.sidecar
    source = content.name if isinstance(content, Path) else content
    delivery.file = stack.enter_context(StagedFile.open(work, source))
    if sidecar is not None:
        delivery.sidecar_file = stack.enter_context(StagedFile.open(work, sidecar))


def _flush(delivery: Delivery) -> None:
    os.fsync(delivery.file.descriptor)
    if delivery.sidecar_file is not None:
        os.fsync(delivery.sidecar_file.descriptor)


def _check_content(delivery: Delivery) -> None:
    pending, sidecar_file = delivery.pending, delivery.sidecar_file
    if pending.check is not None:
        pending.check(_read_back_checked(delivery))
    delivery.outcome = replace(
        pending.outcome,
        target=pending.job.target,
        target_sha256=delivery.file.sha256,
        sidecar_sha256=sidecar_file.sha256 if sidecar_file else None,
    )


def _read_back_checked(delivery: Delivery) -> FileContent:
    """Read the file again; one that was staged on the disk becomes a view."""
    file, name = delivery.file, delivery.pending.job.name
    content: FileContent
    if isinstance(delivery.pending.content, Path):
        digest = file.hash()
        content = FileView(file.descriptor, os.fstat(file.descriptor).st_size, name)
    else:
        content = file.read()
        digest = compute_digest(content)
    if digest != file.sha256:
        raise ResultUnsound(
            f"{name}: the disk gave back other bytes than were written; nothing was kept, "
            "check the disk"
        )
    return content


def _publish_all(batch: DeliveryBatch, work: int) -> None:
    """Write all to the journal, and give them their names while it is locked."""
    active = batch.list_active()
    if not active:
        return
    outcomes = [delivery.outcome for delivery in active]
    with batch.assign_errors(active), note_in_journal(work, outcomes):
        batch.run_each(partial(_publish, work=work, context=batch.context))


def _publish(delivery: Delivery, work: int, context: JobContext) -> None:
    job, file, sidecar = delivery.pending.job, delivery.file, delivery.sidecar_file
    sidecar_name = get_sidecar_path(delivery.name)
    sidecar_move = Move(sidecar.name if sidecar else "", work, sidecar_name, delivery.folder)
    _publish_sidecar(sidecar_move, job, context, sidecar.sha256 if sidecar else None)
    move = Move(file.name, work, delivery.name, delivery.folder)
    _publish_target(move, job, context, file.sha256)


def _flush_folders(batch: DeliveryBatch) -> None:
    active = batch.list_active()
    for folder in {delivery.folder for delivery in active}:
        with batch.assign_errors([delivery for delivery in active if delivery.folder == folder]):
            os.fsync(folder)


def _finish(delivery: Delivery) -> None:
    outcome = delivery.outcome
    if delivery.sidecar_file is not None:
        digest = hash_file(get_sidecar_path(delivery.name), delivery.folder)
        outcome = replace(outcome, sidecar_sha256=digest)
    # Linking and renaming change the ctime, so the stamp comes last.
    stamped = os.fstat(delivery.file.descriptor)
    target = os.stat(delivery.name, dir_fd=delivery.folder, follow_symlinks=False)
    if not os.path.samestat(stamped, target):
        # Another worker has made the same result.
        outcome = replace(outcome, target_sha256=hash_file(delivery.name, delivery.folder))
        stamped = target
    delivery.outcome = replace(outcome, target_stamp=Stamp.from_stat(stamped))


def _publish_target(move: Move, job: Job, context: JobContext, digest: str) -> None:
    if job.replaces:
        move.replace()
        return
    try:
        move.link()
    except FileExistsError:
        # A worker that was given up for lost may still have come this far.
        digests = {digest, *read_journaled_digests(context.work, job)}
        if hash_file(move.name, move.folder) not in digests:
            raise


def _publish_sidecar(move: Move, job: Job, context: JobContext, digest: str | None) -> None:
    """Publish the sidecar, or remove an outdated one; an edited one is kept."""
    current = hash_file(move.name, move.folder)
    is_ours = current is not None and current in {job.sidecar_sha256, digest}
    if digest is None:
        if is_ours:
            os.unlink(move.name, dir_fd=move.folder)
    elif is_ours or current in set(read_journaled_digests(context.work, job, "sidecar_sha256")):
        move.replace()
    else:
        try:
            move.link()
        except FileExistsError:
            path = Path(context.output, get_sidecar_path(job.target))
            raise TargetExists(
                f"{path} is not this program's or was edited, and was kept; "
                "move it away and run again"
            ) from None
