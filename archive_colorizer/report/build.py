"""Build the report of an output."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from archive_colorizer.executors.threads import map_in_threads
from archive_colorizer.location import Location, to_location
from archive_colorizer.manifest.reader import ManifestEntry, ManifestReader
from archive_colorizer.report.files import PAGE, open_folder
from archive_colorizer.report.page import write_page
from archive_colorizer.report.thumbs import FOLDER, ThumbnailMaker, ThumbnailPair
from archive_colorizer.storage.atomic import describe_write_error, write_atomically
from archive_colorizer.storage.overlap import resolve_links
from archive_colorizer.verification.verify import get_roots

_MAX_PIXELS: Final = 300_000_000


def build_report(
    output: Location,
    folder: Path | None = None,
    *,
    scans: Sequence[Location] = (),
    watch: Callable[[int, int], None] = lambda _done, _all: None,
) -> Path:
    """Write the report of `output` and return its page.

    folder: by default `OUT-report` next to the output, or in the working directory for an
    output in a store.  scans: where the roots of the runs are now, if they were moved.
    watch: gets how many files of how many are in it.  Raises SourceError without a manifest, and
    the errors of `open_folder`.
    """
    manifest = ManifestReader.open(output)
    real_output = resolve_links(output)
    roots = get_roots(manifest, scans)
    kept_apart = {str(real_output), *(root for together in roots for root in together)}
    parent = real_output.parent if isinstance(real_output, Path) else Path()
    report_folder = open_folder(
        folder or parent / f"{real_output.name}-report",
        map(to_location, sorted(kept_apart)),
    )
    try:
        (report_folder / FOLDER).mkdir(exist_ok=True)
    except OSError as error:
        raise describe_write_error(report_folder / FOLDER, error) from error
    maker = ThumbnailMaker(real_output, report_folder, roots, _MAX_PIXELS)

    def make_thumbnails(entry: ManifestEntry) -> tuple[ManifestEntry, ThumbnailPair]:
        return entry, maker.make_pair(entry)

    def iter_pictures() -> Iterator[tuple[ManifestEntry, ThumbnailPair]]:
        pictures = map_in_threads(make_thumbnails, manifest.iterate_newest())
        for done, picture in enumerate(pictures, 1):
            watch(done, len(manifest))
            yield picture

    page, title = report_folder / PAGE, real_output.name
    write_atomically(page, lambda stream: write_page(stream, manifest, iter_pictures(), title))
    return page
