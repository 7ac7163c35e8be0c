"""Deliver finished results to an object store, and overwrite no foreign object.

A store shows an object when all of it has arrived, so there is no temporary name: the result and
the note by which a later run recognizes it appear together.  New objects are put on condition that
the key is free.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final

from archive_colorizer.errors import (
    ArchiveColorizerError,
    OutputError,
    ResultUnsent,
    ResultUnsound,
    TargetExists,
    TargetName,
)
from archive_colorizer.location import ObjectLocation
from archive_colorizer.output.deliveries import MAX_THREADS, DeliveryResult, PendingResult
from archive_colorizer.output.staging import load_content
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import get_sidecar_path
from archive_colorizer.storage.atomic import describe_write_error
from archive_colorizer.storage.object_metadata import decode_facts, encode_outcome
from archive_colorizer.storage.object_storage import ObjectStorage

_KEY_LENGTH: Final = 1024
"""Bytes, in S3, GCS and Azure."""
_SIDECAR: Final = "sidecar sha256:"


def deliver_objects(
    pending_results: Sequence[PendingResult], output: ObjectLocation
) -> list[DeliveryResult]:
    """Deliver several results at a time, as `deliver_all`.

    A check gets the data before they are sent, and what the store gives back must be the same.
    A store that does not answer yields ResultUnsent.
    """
    with ThreadPoolExecutor(max(1, min(len(pending_results), MAX_THREADS))) as pool:
        return list(pool.map(partial(_try_deliver, output=output), pending_results))


def _try_deliver(pending: PendingResult, output: ObjectLocation) -> DeliveryResult:
    try:
        return _deliver(pending, output)
    except ArchiveColorizerError as error:
        return error


def _deliver(pending: PendingResult, output: ObjectLocation) -> Outcome:
    data, sidecar, job = load_content(pending.content), pending.sidecar, pending.job
    target, stored_sidecar = (
        ObjectStorage(output / path) for path in (job.target, get_sidecar_path(job.target))
    )
    outcome = replace(
        pending.outcome,
        target=job.target,
        target_sha256=hashlib.sha256(data).hexdigest(),
        sidecar_sha256=None if sidecar is None else hashlib.sha256(sidecar).hexdigest(),
    )
    _check_key((stored_sidecar if sidecar else target).location)
    if pending.check is not None:
        pending.check(data)
    try:
        _put_sidecar(stored_sidecar, sidecar, job)
        outcome = _put_target(target, data, job, outcome)
        if pending.check is not None:
            _verify(target, outcome)
        return replace(outcome, target_stamp=target.read_info().stamp)
    except OSError as error:
        raise _describe_error(target.location, error) from None


def _describe_error(location: ObjectLocation, error: OSError) -> OutputError:
    if isinstance(error, ConnectionError):
        return ResultUnsent(
            f"cannot write {location}: {error.strerror}; check the network and run again"
        )
    return describe_write_error(location, error)


def _check_key(location: ObjectLocation) -> None:
    try:
        length = len(location.key.encode())
    except UnicodeEncodeError:
        raise TargetName(
            f"{location!s:.200} is no name that a store takes (no UTF-8); rename the scan"
        ) from None
    if length > _KEY_LENGTH:
        raise TargetName(
            f"{location} is no name that a store takes ({length} bytes, at most {_KEY_LENGTH}); "
            "rename the scan"
        )
    # The library drops control characters, so the object would get another name.
    if location.scheme == "az" and any(character < " " for character in location.key):
        raise TargetName(
            f"{str(location)!r} is no name for Azure (it has a control character); rename the scan"
        )


def _put_target(target: ObjectStorage, data: bytes, job: Job, outcome: Outcome) -> Outcome:
    note = encode_outcome(outcome)
    try:
        target.put(data, note, new=not job.replaces)
        return outcome
    except FileExistsError:
        existing = decode_facts(target.read_info().note)
    if (existing.get("name"), existing.get("target")) != (outcome.name, outcome.target):
        raise TargetExists(
            f"{target.location} is not this program's and was kept; move it away and run again"
        )
    if (existing.get("key"), existing.get("source_sha256")) == (outcome.key, outcome.source_sha256):
        # A worker that was given up for lost has come this far, or a response was lost.
        return replace(outcome, target_sha256=str(existing.get("target_sha256")))
    # A run with other settings was killed before it could record its result.
    target.put(data, note)
    return outcome


def _verify(target: ObjectStorage, outcome: Outcome) -> None:
    if hashlib.sha256(target.read_content()).hexdigest() != outcome.target_sha256:
        target.remove()
        raise ResultUnsound(
            f"{outcome.name}: the store gave back other bytes than were written; nothing was "
            "kept, run again"
        )


def _put_sidecar(stored: ObjectStorage, sidecar: bytes | None, job: Job) -> None:
    """Put the sidecar, or remove an outdated one; an edited one is kept."""
    if sidecar is None:
        if job.sidecar_sha256 is not None and _is_ours(stored):
            stored.remove()
        return
    note = _SIDECAR + hashlib.sha256(sidecar).hexdigest()
    try:
        stored.put(sidecar, note, new=True)
    except FileExistsError:
        if not _is_ours(stored):
            raise TargetExists(
                f"{stored.location} is not this program's or was edited, and was kept; "
                "move it away and run again"
            ) from None
        stored.put(sidecar, note)


def _is_ours(stored: ObjectStorage) -> bool:
    """Whether a sidecar still is what this program has written, by its note."""
    try:
        note = stored.read_info().note or ""
        return note == _SIDECAR + hashlib.sha256(stored.read_content()).hexdigest()
    except FileNotFoundError:
        return False
