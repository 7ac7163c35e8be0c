"""Build the report of an output."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from archive_colorizer.errors import TargetExists, UsageError
from archive_colorizer.executors.threads import map_in_threads
from archive_colorizer.location import Location, to_location
from archive_colorizer.manifest.reader import ManifestEntry, ManifestReader
from archive_colorizer.report.page import PAGE, PAGE_START, write_page
from archive_colorizer.report.thumbs import FOLDER, ThumbnailMaker, ThumbnailPair
from archive_colorizer.storage.atomic import describe_write_error, write_atomically
from archive_colorizer.storage.overlap import check_no_overlap, resolve_links


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
    watch: gets how many files of how many are in it.  Raises SourceError without a manifest,
    UsageError when the folder overlaps the output or scans, TargetExists when it holds other
    files, and OutputError when it cannot be made.
    """
    manifest = ManifestReader.open(output)
    real_output = resolve_links(output)
    roots = manifest.list_roots(scans)
    kept_apart = {str(real_output), *(root for together in roots for root in together)}
    parent = real_output.parent if isinstance(real_output, Path) else Path()
    report_folder = _open_folder(
        folder or parent / f"{real_output.name}-report", map(to_location, sorted(kept_apart))
    )
    try:
        (report_folder / FOLDER).mkdir(exist_ok=True)
    except OSError as error:
        raise describe_write_error(report_folder / FOLDER, error) from error
    maker = ThumbnailMaker(real_output, report_folder, roots)

    def iter_pictures() -> Iterator[tuple[ManifestEntry, ThumbnailPair]]:
        entries = manifest.iterate_newest()
        pictures = map_in_threads(lambda entry: (entry, maker.make_pair(entry)), entries)
        for done, picture in enumerate(pictures, 1):
            watch(done, len(manifest))
            yield picture

    page, title = report_folder / PAGE, real_output.name
    write_atomically(page, lambda stream: write_page(stream, manifest, iter_pictures(), title))
    return page


def _open_folder(folder: Path, kept_apart: Iterable[Location]) -> Path:
    """Make the folder of a report, or reuse that of an earlier one, and return its real path."""
    real = Path(os.path.realpath(folder))
    try:
        check_no_overlap(tuple(kept_apart), real)
    except UsageError as error:
        raise UsageError(
            f"a report cannot lie in an output or among scans, nor hold them: {error}"
        ) from None
    try:
        real.mkdir(parents=True, exist_ok=True)
        if any(real.iterdir()) and not _is_report(real):
            raise TargetExists(f"{real} holds other files and was kept; choose another --output")
    except OSError as error:
        raise describe_write_error(real, error) from error
    return real


def _is_report(folder: Path) -> bool:
    try:
        with (folder / PAGE).open("rb") as stream:
            return stream.read(len(PAGE_START)) == PAGE_START
    except FileNotFoundError:
        # An interrupted report has pictures and no page yet.
        return all(entry.name == "thumbs" or entry.suffix == ".tmp" for entry in folder.iterdir())
