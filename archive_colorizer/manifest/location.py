"""Where the manifest of an output is."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from archive_colorizer.location import Place
from archive_colorizer.records.paths import MANIFEST
from archive_colorizer.storage.listing_cache import forget

if TYPE_CHECKING:
    pass


@contextmanager
def manifest_of(output: Place) -> Iterator[Path]:
    """A folder that holds the output's manifest as it is now, if there is one, for reading.

    Raises FileNotFoundError and other OSErrors where a store cannot give it.
    """
    if isinstance(output, Path):
        yield output
        return
    from archive_colorizer.storage import objects

    forget()
    with tempfile.TemporaryDirectory(prefix="colorizer-") as folder:
        objects.fetch(output / MANIFEST, Path(folder, MANIFEST))
        yield Path(folder)
