"""Verify an output against its manifest, and its luma against the sources."""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from archive_colorizer.color.sharpen import Sharpening, sharpen
from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.executors.threads import map_in_threads
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.luma_difference import LumaDifference
from archive_colorizer.image.raster import ProfileRule
from archive_colorizer.image.watermark import MARK_SETTING, locate_mark
from archive_colorizer.location import Location, ObjectLocation, require_path, to_location
from archive_colorizer.manifest.reader import ManifestEntry, ManifestReader, Roots
from archive_colorizer.output.ownership import describe_holder
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import is_target
from archive_colorizer.storage.reading import read_source
from archive_colorizer.verification.files import (
    Finding,
    FindingKind,
    check_file,
    find_source,
    find_unexpected,
    list_files,
)
from archive_colorizer.verification.film import FilmDifference, check_film, is_film

_NO_LIMIT: Final = 1 << 40
"""Pixels; the run has already applied its own limit to these files."""


@dataclass(frozen=True, slots=True)
class _CheckResult:
    """The findings for one result, and its difference from its source (deep only).

    is_picture: whether there is luma to compare, unlike in lists.  is_sharpened: whether its
    luma equals that of the source after sharpening.
    """

    findings: tuple[Finding, ...]
    difference: LumaDifference | None = None
    film: FilmDifference | None = None
    is_picture: bool = True
    is_sharpened: bool = False


@dataclass(slots=True)
class Verdict:
    """The counts of a check of a whole output.

    files: results that were checked.  pictures: results with luma.  identical, within: results
    whose luma equals that of their source bit for bit, or to within 1 code value.  sharpened:
    results within 1 of their source sharpened as recorded.  marked: results compared without
    the corner of the visible mark.  frames: compared frames of films.  lossy: films in a lossy
    codec that keep luma roughly.  lost: frames that the sources do not hold.  holder: the run at
    work there, if any.  ignored: invalid lines of the manifest.
    """

    files: int = 0
    pictures: int = 0
    identical: int = 0
    within: int = 0
    sharpened: int = 0
    marked: int = 0
    frames: int = 0
    lossy: int = 0
    lost: int = 0
    holder: str | None = None
    ignored: int = 0
    findings: dict[FindingKind, int] = field(default_factory=dict)

    def count(self, checked: _CheckResult) -> None:
        self.files += 1
        self.pictures += checked.is_picture
        if checked.film is not None:
            self.frames += checked.film.frames
            self.lost += checked.film.lost
            self.lossy += checked.film.is_lossy and not checked.film.fault
        if checked.difference is not None and checked.difference.maximum <= 1:
            self.sharpened += checked.is_sharpened
            self.within += not checked.is_sharpened
            self.identical += checked.difference.maximum == 0 and not checked.is_sharpened
            self.marked += checked.difference.masked

    def record(self, finding: Finding) -> None:
        self.findings[finding.kind] = self.findings.get(finding.kind, 0) + 1


def verify_output(
    output: Location,
    report: Callable[[Finding], None],
    *,
    deep: bool = False,
    scans: Sequence[Location] = (),
    watch: Callable[[int, int], None] = lambda _done, _all: None,
) -> Verdict:
    """Check every result that the manifest in `output` accounts for, and report each finding.

    Only reads, and needs no lock.  deep: also decode sources and results and compare their luma.
    scans: where the roots of the runs are now, if they were moved.  watch: gets how many results
    of how many are done.  Raises SourceError when there is no manifest.
    """
    manifest = ManifestReader.open(output)
    verdict = Verdict(holder=describe_holder(output), ignored=manifest.ignored)
    expected: set[str] = set()

    def iter_entries() -> Iterator[ManifestEntry]:
        for entry in manifest.iterate_done():
            expected.update(path for path, _ in list_files(entry.outcome, output))
            yield entry

    def check(entry: ManifestEntry) -> _CheckResult:
        findings = _check_files(output, entry.outcome)
        return _check_luma(entry, output, roots, findings) if deep else _CheckResult(findings)

    roots = manifest.list_roots(scans)
    for checked in map_in_threads(check, iter_entries()):
        verdict.count(checked)
        watch(verdict.files, manifest.result_count)
        for finding in checked.findings:
            verdict.record(finding)
            report(finding)
    for finding in find_unexpected(output, expected):
        verdict.record(finding)
        report(finding)
    return verdict


def _check_files(output: Location, outcome: Outcome) -> tuple[Finding, ...]:
    checked = [check_file(output, path, sha256) for path, sha256 in list_files(outcome, output)]
    return tuple(finding for finding in checked if finding is not None)


def _check_luma(
    entry: ManifestEntry, output: Location, roots: Roots, findings: tuple[Finding, ...]
) -> _CheckResult:
    """Compare luma with the source, unless `findings` are about this result already."""
    outcome = entry.outcome
    if outcome.frames is not None:
        is_whole_film = is_film(outcome)
        if findings or not is_whole_film:
            return _CheckResult(findings, is_picture=is_whole_film)
        return _check_film_luma(outcome, require_path(output), roots)
    source = find_photo(outcome, roots)
    if isinstance(source, Finding):
        return _CheckResult((*findings, source))
    if findings:
        return _CheckResult(findings)
    try:
        target, _ = read_source(output / str(outcome.target))
        return _compare_photo(source, target, entry)
    except ArchiveColorizerError as error:
        return _CheckResult((_make_luma_finding(outcome, str(error)),))


def _make_luma_finding(outcome: Outcome, message: str) -> Finding:
    return Finding(FindingKind.LUMA, str(outcome.target), message)


def _check_film_luma(outcome: Outcome, output: Path, roots: Roots) -> _CheckResult:
    try:
        difference = check_film(outcome, output, roots)
    except ArchiveColorizerError as error:
        return _CheckResult((_make_luma_finding(outcome, str(error)),))
    if isinstance(difference, Finding):
        return _CheckResult((difference,))
    if difference.fault:
        return _CheckResult((_make_luma_finding(outcome, difference.fault),), film=difference)
    luma = None if difference.is_lossy else LumaDifference(difference.greatest, "")
    return _CheckResult((), luma, difference)


def _compare_photo(source: bytes, target: bytes, entry: ManifestEntry) -> _CheckResult:
    outcome, recipe = entry.outcome, entry.recipe
    # Luma was taken in the color space that the run worked in.
    profile: ProfileRule = "keep" if recipe.get("profile") == "keep" else "srgb"
    sharpening = _parse_sharpening(recipe)
    before = stills.decode(source, outcome.name, _NO_LIMIT, profile, entry.page).luma
    after = stills.decode(target, str(outcome.target), _NO_LIMIT, profile).luma
    if sharpening is not None:
        before = sharpen(before, sharpening)
    mark = locate_mark(*before.shape) if recipe.get(MARK_SETTING) not in (None, "none") else None
    difference = LumaDifference.compare(before, after, mark)
    if difference.maximum <= 1:
        return _CheckResult((), difference, is_sharpened=sharpening is not None)
    return _CheckResult((_make_luma_finding(outcome, difference.summary),), difference)


def _parse_sharpening(recipe: Mapping[str, object]) -> Sharpening | None:
    """Parse how a recorded run has sharpened luma; None for not at all."""
    amount, radius, threshold = (
        recipe.get(name, 0.0) for name in ("sharpen", "sharpen_radius", "sharpen_threshold")
    )
    numbers = [n for n in (amount, radius, threshold) if isinstance(n, int | float)]
    is_sound = len(numbers) == 3 and all(map(math.isfinite, numbers)) and 0.3 <= numbers[1] <= 50
    return Sharpening(*map(float, numbers)) if is_sound and amount else None


def find_photo(outcome: Outcome, roots: Roots) -> bytes | Finding:
    """Read the photograph that was restored, from the first location that still holds it."""

    def read(location: Location) -> tuple[bytes, str]:
        data, _ = read_source(location)
        return data, hashlib.sha256(data).hexdigest()

    return find_source(outcome, _iter_locations(outcome.name, roots), read)


def _iter_locations(name: str, roots: Roots) -> Iterator[Location]:
    """Yield where a source may be: below a root, or in the payload of a bag there."""
    for run_roots in roots:
        for root in map(to_location, run_roots):
            first, _, rest = name.partition("/")
            below = rest if len(run_roots) > 1 else name
            # A manifest from elsewhere must not lead outside the roots.
            if not is_target(below) or (len(run_roots) > 1 and first != root.name):
                continue
            if isinstance(root, ObjectLocation):
                yield root / below
                if root.name == below:
                    yield root
                continue
            if root.is_file():
                yield root
                continue
            yield root / below
            if (root / "bagit.txt").is_file():
                yield root / "data" / below
