"""Is an output what its manifest says, and is its luma that of the sources?"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from archive_colorizer.color.sharpen import Sharpening, sharpened
from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.executors.threads import in_threads
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.luma_difference import Likeness, luma_likeness
from archive_colorizer.image.raster import ProfileRule
from archive_colorizer.image.watermark import MARK_SETTING, mark_box
from archive_colorizer.location import Address, Place, on_disk, place_of
from archive_colorizer.manifest.reader import Account, Entry
from archive_colorizer.output.lock import holder_of
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import is_target
from archive_colorizer.storage.reading import read_source
from archive_colorizer.verification.files import (
    Finding,
    Kind,
    check_file,
    files_of,
    unexpected_files,
)
from archive_colorizer.verification.film import FilmLikeness, check_film, is_film

_NO_LIMIT: Final = 1 << 40
"""Pixels; what is decoded here has the hash of what a run has decoded under its own limit."""

Roots: TypeAlias = tuple[tuple[str, ...], ...]
"""The roots of each run, the newest first."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One result: what is wrong with it, and how like its source it is (deep only).

    is_picture: whether there is luma to compare, as there is not in lists.  is_sharpened:
    whether luma is that of the source sharpened, as its run was asked to.
    """

    findings: tuple[Finding, ...]
    likeness: Likeness | None = None
    film: FilmLikeness | None = None
    is_picture: bool = True
    is_sharpened: bool = False


@dataclass(slots=True)
class Verdict:
    """What became of a check of a whole output.

    files: results that were checked.  pictures: those of them that have luma.  identical,
    within: those whose luma is that of their source bit for bit, or to within 1 code value.
    sharpened: those whose luma is to within 1 that of their source sharpened as recorded.
    marked: of these, how many were compared without the visible mark's corner.  frames: of
    films, that were compared.  lossy: films whose codec keeps luma roughly, and which do.
    lost: frames that sources do not hold, so that nothing could be compared.  holder: the run
    that is at work there, if one is.  ignored: lines of the manifest that are no records.
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
    findings: dict[Kind, int] = field(default_factory=dict)

    def count(self, checked: Checked) -> None:
        self.files += 1
        self.pictures += checked.is_picture
        if checked.film is not None:
            self.frames += checked.film.frames
            self.lost += checked.film.lost
            self.lossy += checked.film.is_lossy and not checked.film.wrong
        if checked.likeness is not None and checked.likeness.difference <= 1:
            self.sharpened += checked.is_sharpened
            self.within += not checked.is_sharpened
            self.identical += checked.likeness.difference == 0 and not checked.is_sharpened
            self.marked += checked.likeness.masked

    def note(self, finding: Finding) -> None:
        self.findings[finding.kind] = self.findings.get(finding.kind, 0) + 1


def verify_output(
    output: Place,
    tell: Callable[[Finding], None],
    *,
    deep: bool = False,
    scans: Sequence[Place] = (),
    watch: Callable[[int, int], None] = lambda _done, _all: None,
) -> Verdict:
    """Check every result that the manifest in `output` accounts for; `tell` hears each finding.

    Reads only, and needs no lock.  With `deep`, sources and results are decoded and their
    luma compared; `scans` says where the roots of the runs are now, if they were moved.
    `watch` is told how many results of how many are done.  Raises SourceError when there is
    no manifest.
    """
    account = Account.open(output)
    verdict = Verdict(holder=holder_of(output), ignored=account.ignored)
    expected: set[str] = set()

    def entries() -> Iterator[Entry]:
        for entry in account.done():
            expected.update(path for path, _ in files_of(entry.outcome, output))
            yield entry

    roots = roots_of(account, scans)
    check = partial(_deep if deep else _shallow, output=output, roots=roots)
    for checked in in_threads(check, entries()):
        verdict.count(checked)
        watch(verdict.files, account.results)
        for finding in checked.findings:
            verdict.note(finding)
            tell(finding)
    for finding in unexpected_files(output, expected):
        verdict.note(finding)
        tell(finding)
    return verdict


def roots_of(account: Account, scans: Sequence[Place]) -> Roots:
    """The roots of each run, the newest first, each set of roots once."""
    if scans:
        return (tuple(str(root) for root in scans),)
    return tuple(dict.fromkeys(run.roots for run in reversed(account.runs)))


def _shallow(entry: Entry, output: Place, roots: Roots) -> Checked:
    del roots
    return Checked(_check_all(output, entry.outcome))


def _deep(entry: Entry, output: Place, roots: Roots) -> Checked:
    outcome = entry.outcome
    findings = _check_all(output, outcome)
    if outcome.frames is not None:
        is_whole = is_film(outcome)
        if findings or not is_whole:
            return Checked(findings, is_picture=is_whole)
        return _deep_film(outcome, on_disk(output), roots)
    source = find_source(outcome, roots)
    if isinstance(source, Finding):
        return Checked((*findings, source))
    if findings:
        return Checked(findings)
    try:
        target, _ = read_source(output / str(outcome.target))
        return _compare(source, target, entry)
    except ArchiveColorizerError as error:
        return Checked((Finding(Kind.LUMA, str(outcome.target), str(error)),))


def _deep_film(outcome: Outcome, output: Path, roots: Roots) -> Checked:
    try:
        found = check_film(outcome, output, roots)
    except ArchiveColorizerError as error:
        return Checked((Finding(Kind.LUMA, str(outcome.target), str(error)),))
    if isinstance(found, Finding):
        return Checked((found,))
    if found.wrong:
        return Checked((Finding(Kind.LUMA, str(outcome.target), found.wrong),), film=found)
    return Checked((), None if found.is_lossy else Likeness(found.greatest, ""), found)


def _check_all(output: Place, outcome: Outcome) -> tuple[Finding, ...]:
    checked = [check_file(output, path, sha256) for path, sha256 in files_of(outcome, output)]
    return tuple(finding for finding in checked if finding is not None)


def _compare(source: bytes, target: bytes, entry: Entry) -> Checked:
    outcome = entry.outcome
    recipe = entry.recipe
    # Luma was taken in the color space that the run worked in.
    profile: ProfileRule = "keep" if recipe.get("profile") == "keep" else "srgb"
    sharpening = _sharpening(recipe)
    page = page_of(recipe)
    before = stills.decode(source, outcome.name, _NO_LIMIT, profile, page).luma
    after = stills.decode(target, str(outcome.target), _NO_LIMIT, profile).luma
    if sharpening is not None:
        before = sharpened(before, sharpening)
    marked = recipe.get(MARK_SETTING) not in (None, "none")
    likeness = luma_likeness(before, after, mark_box(*before.shape) if marked else None)
    if likeness.difference <= 1:
        return Checked((), likeness, is_sharpened=sharpening is not None)
    return Checked((Finding(Kind.LUMA, str(outcome.target), likeness.said),), likeness)


def page_of(recipe: Mapping[str, object]) -> int | None:
    """The page that a recorded recipe took, from 0, of files with several; None for the first."""
    page = recipe.get("page")
    return page - 1 if isinstance(page, int) and page > 0 else None


def _sharpening(recipe: Mapping[str, object]) -> Sharpening | None:
    """How a recorded run has sharpened luma, which it then must look like."""
    amount, radius, threshold = (
        recipe.get(name, 0.0) for name in ("sharpen", "sharpen_radius", "sharpen_threshold")
    )
    numbers = [one for one in (amount, radius, threshold) if isinstance(one, int | float)]
    is_sound = len(numbers) == 3 and all(map(math.isfinite, numbers)) and 0.3 <= numbers[1] <= 50
    return Sharpening(*map(float, numbers)) if is_sound and amount else None


def find_source(outcome: Outcome, roots: Roots) -> bytes | Finding:
    """The content that was restored, from the first place that still holds it."""
    said, changed = "no run of the manifest says where it lay", False
    for place in _places(outcome.name, roots):
        try:
            data, _ = read_source(place)
        except ArchiveColorizerError as error:
            said = said if changed else str(error)
            continue
        if hashlib.sha256(data).hexdigest() == outcome.source_sha256:
            return data
        said, changed = f"{place} is not what was restored", True
    kind = Kind.SOURCE_CHANGED if changed else Kind.SOURCE_MISSING
    return Finding(kind, outcome.name, said)


def _places(name: str, roots: Roots) -> Iterator[Place]:
    """Where the source called `name` may lie: below a root, or in a bag's payload there."""
    for together in roots:
        for root in map(place_of, together):
            first, _, rest = name.partition("/")
            below = rest if len(together) > 1 else name
            # A manifest that somebody else has written leads nowhere outside the roots.
            if not is_target(below) or (len(together) > 1 and first != root.name):
                continue
            if isinstance(root, Address):
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
