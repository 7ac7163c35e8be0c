"""What run/verify.py asks of files, asked of an output in a store."""

from collections.abc import Iterator

from archive_colorizer.errors import SourceError
from archive_colorizer.location import Address
from archive_colorizer.manifest.target_names import MANIFEST, WORK
from archive_colorizer.output.recovery import outcome_at
from archive_colorizer.run.findings import Finding, Kind


def missing_object(place: Address, path: str) -> Finding:
    """What is wrong with an object that could not be hashed."""
    from archive_colorizer.storage import objects

    try:
        objects.look(place)
    except OSError as error:
        return Finding(Kind.MISSING, path, error.strerror or str(error))
    return Finding(Kind.CHANGED, path, "it cannot be read, or is being written at this moment")


def unexpected_objects(output: Address, expected: set[str]) -> Iterator[Finding]:
    """Whatever lies below the output and is neither in `expected` nor the run's own.

    Raises SourceError when it cannot be listed.
    """
    from archive_colorizer.storage import objects

    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            found = list(objects.list_folder(output / folder if folder else output))
        except OSError as error:
            raise SourceError(f"{output} cannot be listed: {error.strerror}") from None
        for one in found:
            path = one.path.removeprefix(f"{output.path}/")
            if path in (MANIFEST, WORK):
                continue
            if one.stamp is None:
                folders.append(path)
            elif path not in expected:
                yield Finding(Kind.UNEXPECTED, path, _said(output, path))


def _said(output: Address, path: str) -> str:
    if outcome_at(output, path) is None:
        return "the manifest does not know it"
    return "made by a run that was ended before it could record it; run again to take it in"
