"""The photographs that models are measured on, and the groups they fall into."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.evaluation.metrics import Picture
from archive_colorizer.training.data.crops import Photo, read_photos

_SMALLEST = 7
_EXPECTED = {"file", "category", "people"}
_OWN_COLUMNS = ("category", "people")

Traits = Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A color photograph: H x W x 3 uint8 sRGB, the set and name it has, and its traits.

    traits: by column of an index, for instance category: portrait.
    """

    place: str
    name: str
    rgb: Picture
    traits: Traits = field(default_factory=dict)


def index_beside(place: Path) -> Path | None:
    """The index.csv that describes the tar `place`, if one lies there.

    It is taken for one when it has the columns file, category and people.
    """
    index = place.parent / "index.csv"
    if not place.is_file() or not index.is_file():
        return None
    with index.open(newline="", encoding="utf-8", errors="replace") as stream:
        return index if set(next(csv.reader(stream), [])) >= _EXPECTED else None


def load_subjects(
    places: Sequence[Path], index: Path | None = None, columns: Sequence[str] = ()
) -> list[Subject]:
    """The photographs of tars and folders; each place is a set, in the order given.

    Traits come from `index`, or for a tar from the index beside it; its column `file` holds
    the names of the photographs.  Raises UsageError for a place or index that is not what
    it should be, SourceError when no photograph can be read.
    """
    subjects: list[Subject] = []
    for place, name in zip(places, _names_of(places), strict=True):
        own = index or index_beside(place)
        traits = _read_index(own, columns or (_OWN_COLUMNS if not index else ())) if own else {}
        photos = read_photos([place])
        if index and not any(photo.name in traits for photo in photos):
            raise UsageError(f"--index {index}: its column `file` names no photograph of {place}")
        subjects.extend(_subjects(photos, name, traits))
    if not subjects:
        raise SourceError("no color photograph could be read; check --data")
    return subjects


def groups_of(subjects: Sequence[Subject]) -> dict[str, list[int]]:
    """Positions in `subjects` by group: all, each set if there are several, each trait."""
    groups: dict[str, list[int]] = {}
    for position, subject in enumerate(subjects):
        groups.setdefault(f"set {subject.place}", []).append(position)
    if len(groups) < 2:
        groups = {}
    traits: dict[str, list[int]] = {}
    for position, subject in enumerate(subjects):
        for column, value in subject.traits.items():
            traits.setdefault(f"{column} {value}", []).append(position)
    return {"all": list(range(len(subjects))), **groups, **dict(sorted(traits.items()))}


def _names_of(places: Sequence[Path]) -> list[str]:
    """A short name for each place, the path as given where short ones are equal."""
    short = [place.resolve().name.removesuffix(".tar") for place in places]
    return [
        name if short.count(name) == 1 else str(place)
        for place, name in zip(places, short, strict=True)
    ]


def _read_index(index: Path, columns: Sequence[str]) -> dict[str, Traits]:
    try:
        with index.open(newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream)
            missing = {"file", *columns} - set(table.fieldnames or ())
            if missing:
                raise UsageError(f"--index {index}: has no column {', '.join(sorted(missing))}")
            return {
                line["file"]: {name: line[name] for name in columns if line[name]} for line in table
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"--index {index}: cannot be read as CSV ({error})") from None


def _subjects(
    photos: Sequence[Photo], place: str, traits: Mapping[str, Traits]
) -> Iterator[Subject]:
    sources = {photo.source for photo in photos}
    for photo in photos:
        bgr = cv2.imdecode(np.frombuffer(photo.content, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None or min(bgr.shape[:2]) < _SMALLEST:
            continue
        # Tars of one folder may hold equal names.
        plain = len(sources) == 1 or photo.name.startswith(photo.source)
        name = photo.name if plain else f"{photo.source}/{photo.name}"
        rgb = np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)
        yield Subject(place, name, rgb, traits.get(photo.name, {}))
