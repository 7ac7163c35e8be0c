"""Put: bring a finished result to a store, whole or not at all, over nobody's object.

A store shows an object when all of it has arrived, so there is no temporary name: the result
and the note by which a later run knows it appear together.  What is new is put on condition
that nothing is there.
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
from archive_colorizer.location import Address
from archive_colorizer.output.deliveries import AT_ONCE, Answer, Parcel
from archive_colorizer.output.staging import in_memory
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import sidecar_of
from archive_colorizer.storage import objects
from archive_colorizer.storage.object_metadata import facts_of, note_of

_LONGEST_KEY: Final = 1024
"""Bytes, of S3, GCS and Azure alike."""
_SIDECAR: Final = "sidecar sha256:"


def put_all(parcels: Sequence[Parcel], output: Address) -> list[Answer]:
    """As `deliver_all`, to objects below `output`, several at a time.

    A parcel's check is given the data before they are sent, and what the store gives back must
    be the same.  Where a store does not answer there is ResultUnsent, else what `deliver` says.
    """
    with ThreadPoolExecutor(max(1, min(len(parcels), AT_ONCE))) as pool:
        return list(pool.map(partial(_put, output=output), parcels))


def _put(parcel: Parcel, output: Address) -> Answer:
    try:
        return _bring(parcel, output)
    except ArchiveColorizerError as error:
        return error


def _bring(parcel: Parcel, output: Address) -> Outcome:
    data, sidecar, job = in_memory(parcel.content), parcel.sidecar, parcel.job
    place = output / job.target
    outcome = replace(
        parcel.settled,
        target=job.target,
        target_sha256=hashlib.sha256(data).hexdigest(),
        sidecar_sha256=None if sidecar is None else hashlib.sha256(sidecar).hexdigest(),
    )
    _check_key(output / sidecar_of(job.target) if sidecar else place)
    if parcel.check is not None:
        parcel.check(data)
    try:
        _settle_sidecar(output / sidecar_of(job.target), sidecar, job)
        outcome = _appear(place, data, job, outcome)
        if parcel.check is not None:
            _prove(place, outcome)
        return replace(outcome, target_stamp=objects.look(place).stamp)
    except OSError as error:
        raise put_error(place, error) from None


def put_error(place: Address, error: OSError) -> OutputError:
    """What to say when an object cannot be written."""
    if isinstance(error, ConnectionError):
        return ResultUnsent(
            f"cannot write {place}: {error.strerror}; check the network and run again"
        )
    return OutputError(f"cannot write {place}: {error.strerror}; mend that and run again")


def _check_key(place: Address) -> None:
    try:
        length = len(place.key.encode())
    except UnicodeEncodeError:
        raise TargetName(
            f"{place!s:.200} is no name that a store takes (no UTF-8); rename the scan"
        ) from None
    if length > _LONGEST_KEY:
        raise TargetName(
            f"{place} is no name that a store takes ({length} bytes, at most {_LONGEST_KEY}); "
            "rename the scan"
        )
    # What its library asks for lacks them: another name, under which nobody would look again.
    if place.scheme == "az" and any(one < " " for one in place.key):
        raise TargetName(
            f"{str(place)!r} is no name for Azure (it has a control character); rename the scan"
        )


def _appear(place: Address, data: bytes, job: Job, outcome: Outcome) -> Outcome:
    note = note_of(outcome)
    try:
        objects.put(place, data, note, new=not job.replaces)
        return outcome
    except FileExistsError:
        there = facts_of(objects.look(place).note)
    if (there.get("name"), there.get("target")) != (outcome.name, outcome.target):
        raise TargetExists(
            f"{place} is not this program's and was kept; move it away and run again"
        )
    if (there.get("key"), there.get("source_sha256")) == (outcome.key, outcome.source_sha256):
        # A worker that was given up for lost has come this far, or an answer got lost.
        return replace(outcome, target_sha256=str(there.get("target_sha256")))
    # Of a run that was killed before it could record it, with other settings.
    objects.put(place, data, note)
    return outcome


def _prove(place: Address, outcome: Outcome) -> None:
    if hashlib.sha256(objects.read(place)).hexdigest() != outcome.target_sha256:
        objects.remove(place)
        raise ResultUnsound(
            f"{outcome.name}: the store gave back other bytes than were written; nothing was "
            "kept, run again"
        )


def _settle_sidecar(place: Address, sidecar: bytes | None, job: Job) -> None:
    """Bring the sidecar to its place, or an outdated one away; over ours only."""
    if sidecar is None:
        if job.sidecar_sha256 is not None and _is_ours(place):
            objects.remove(place)
        return
    note = _SIDECAR + hashlib.sha256(sidecar).hexdigest()
    try:
        objects.put(place, sidecar, note, new=True)
    except FileExistsError:
        if not _is_ours(place):
            raise TargetExists(
                f"{place} is not this program's or was edited, and was kept; "
                "move it away and run again"
            ) from None
        objects.put(place, sidecar, note)


def _is_ours(place: Address) -> bool:
    """Whether a sidecar still is what its note says that this program has written."""
    try:
        note = objects.look(place).note or ""
        return note == _SIDECAR + hashlib.sha256(objects.read(place)).hexdigest()
    except FileNotFoundError:
        return False
