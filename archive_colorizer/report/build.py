"""From an output to the report beside it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from archive_colorizer.executors.threads import in_threads
from archive_colorizer.location import Place, place_of
from archive_colorizer.manifest.reader import Account, Entry
from archive_colorizer.report.files import PAGE, open_folder
from archive_colorizer.report.page import write_page
from archive_colorizer.report.thumbs import FOLDER, Darkroom, Pair
from archive_colorizer.storage.atomic import unwritable, write_whole
from archive_colorizer.storage.overlap import real
from archive_colorizer.verification.verify import roots_of

_MAX_PIXELS: Final = 300_000_000


def build_report(
    output: Place,
    folder: Path | None = None,
    *,
    scans: Sequence[Place] = (),
    watch: Callable[[int, int], None] = lambda _done, _all: None,
) -> Path:
    """Write the report of `output` into `folder`, by default `OUT-report` beside it.

    That of an output in a store goes to the working directory by default.  Returns the page.
    scans: where the roots of the runs are now, if they were moved.  watch is told how many
    files of how many are in it.  Raises SourceError without a manifest, and what `open_folder`
    says.
    """
    account = Account.open(output)
    there = real(output)
    roots = roots_of(account, scans)
    apart = {str(there), *(root for together in roots for root in together)}
    beside = there.parent if isinstance(there, Path) else Path()
    place = open_folder(
        folder or beside / f"{there.name}-report", [place_of(one) for one in sorted(apart)]
    )
    try:
        (place / FOLDER).mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(place / FOLDER, error) from error
    darkroom = Darkroom(there, place, roots, _MAX_PIXELS)

    def pictured(entry: Entry) -> tuple[Entry, Pair]:
        return entry, darkroom.pair(entry)

    def counted() -> Iterator[tuple[Entry, Pair]]:
        for done, one in enumerate(in_threads(pictured, account.newest()), 1):
            watch(done, len(account))
            yield one

    page = place / PAGE
    write_whole(page, lambda stream: write_page(stream, account, counted(), there.name))
    return page
