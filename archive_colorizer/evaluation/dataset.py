"""Load the photographs that models are measured on, and group them."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from archive_colorizer.color.space import convert_rgb_to_lab
from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.evaluation.metrics import Picture
from archive_colorizer.training.data.crops import TrainingPhoto, read_photos

_MIN_SIDE = 7
_FIFTHS = 5
_EXPECTED = {"file", "category", "people"}
_DEFAULT_COLUMNS = ("category", "people")

Traits = Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """Hold a color photograph, H x W x 3 uint8 sRGB, with the name of its data set.

    traits: by column of an index, for instance category: portrait.
    """

    dataset: str
    name: str
    rgb: Picture
    traits: Traits = field(default_factory=dict)


def find_index(path: Path) -> Path | None:
    """Return the index.csv next to a tar, if it has the columns file, category and people."""
    index = path.parent / "index.csv"
    if not path.is_file() or not index.is_file():
        return None
    with index.open(newline="", encoding="utf-8", errors="replace") as stream:
        return index if set(next(csv.reader(stream), [])) >= _EXPECTED else None


def load_subjects(
    paths: Sequence[Path], index: Path | None = None, columns: Sequence[str] = ()
) -> list[Subject]:
    """Load the photographs of tars and folders; each path is a data set.

    Traits come from `index`, or for a tar from the index next to it; its column `file` has the
    names of the photographs.  Raises UsageError for an invalid path or index, and SourceError
    when no photograph can be read.
    """
    subjects: list[Subject] = []
    for path, name in zip(paths, _name_datasets(paths), strict=True):
        own_index = index or find_index(path)
        chosen = columns or (() if index else _DEFAULT_COLUMNS)
        traits = _read_index(own_index, chosen) if own_index else {}
        photos = read_photos([path])
        if index and not any(photo.name in traits for photo in photos):
            raise UsageError(f"--index {index}: its column `file` names no photograph of {path}")
        subjects.extend(_decode_subjects(photos, name, traits))
    if not subjects:
        raise SourceError("no color photograph could be read; check --data")
    return subjects


def group_subjects(subjects: Sequence[Subject]) -> dict[str, list[int]]:
    """Return positions in `subjects` by group: all, least color, each set if several, each trait.

    Least color is the fifth with the least mean CIE Lab chroma, if there are five or more.
    """
    sets, traits = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for position, subject in enumerate(subjects):
        sets[f"set {subject.dataset}"].append(position)
        for column, value in subject.traits.items():
            traits[f"{column} {value}"].append(position)
    groups = {**(sets if len(sets) > 1 else {}), **dict(sorted(traits.items()))}
    if len(subjects) >= _FIFTHS:
        chroma = [_measure_chroma(subject.rgb) for subject in subjects]
        groups = {"least color": np.argsort(chroma)[: len(chroma) // _FIFTHS].tolist(), **groups}
    return {"all": list(range(len(subjects))), **groups}


def _measure_chroma(rgb: Picture) -> float:
    lab = convert_rgb_to_lab(rgb[::2, ::2].astype(np.float32) / np.float32(255.0))
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def _name_datasets(paths: Sequence[Path]) -> list[str]:
    short = [path.resolve().name.removesuffix(".tar") for path in paths]
    pairs = zip(paths, short, strict=True)
    return [name if short.count(name) == 1 else str(path) for path, name in pairs]


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


def _decode_subjects(
    photos: Sequence[TrainingPhoto], dataset: str, traits: Mapping[str, Traits]
) -> Iterator[Subject]:
    sources = {photo.source for photo in photos}
    for photo in photos:
        bgr = cv2.imdecode(np.frombuffer(photo.content, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None or min(bgr.shape[:2]) < _MIN_SIDE:
            continue
        # Several tars may contain the same name.
        plain = len(sources) == 1 or photo.name.startswith(photo.source)
        name = photo.name if plain else f"{photo.source}/{photo.name}"
        rgb = np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)
        yield Subject(dataset, name, rgb, traits.get(photo.name, {}))
