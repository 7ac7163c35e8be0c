"""Choose the storage of a location, and read what lies there."""

from archive_colorizer.location import Location, ObjectLocation
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.storage.interface import Storage
from archive_colorizer.storage.local import LocalStorage
from archive_colorizer.storage.object_storage import ObjectStorage


def get_storage(location: Location) -> Storage:
    """The access to a path or to an object's location."""
    if isinstance(location, ObjectLocation):
        return ObjectStorage(location)
    return LocalStorage(location)


def read_source(location: Location, expected_stamp: Stamp | None = None) -> tuple[bytes, Stamp]:
    """See `Storage.read`."""
    return get_storage(location).read(expected_stamp)
