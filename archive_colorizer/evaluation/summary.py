"""Compute means over groups of photographs with bootstrap intervals, and write CSV files."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archive_colorizer.evaluation.dataset import Subject
from archive_colorizer.evaluation.metrics import PhotoFigures
from archive_colorizer.evaluation.runner import GREY
from archive_colorizer.records.text import escape_cell

Floats = npt.NDArray[np.float64]

_COLUMNS = tuple(field.name for field in fields(PhotoFigures))
MEASURES = (*_COLUMNS, "worse_percent", "colorfulness_percent", "of_grey_percent")
"""The figures of a photograph, averaged; the percentage of photographs with a larger CIEDE2000
than grey's; and two ratios of means: colorfulness in percent of the truth's, and CIEDE2000 in
percent of grey's on the same photographs."""

_RESAMPLES = 2000
_SEED = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """Hold a mean or ratio with its 95 % interval; NaN bounds for a single photograph."""

    value: float
    low: float
    high: float

    @property
    def within(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Hold an estimate for each of `MEASURES`, for one model and one group of photographs.

    worst_luma_error: the largest of the group, in code values.
    """

    model: str
    group: str
    photos: int
    estimates: Mapping[str, Estimate]
    worst_luma_error: float


def summarize_groups(
    figures: Mapping[str, Sequence[PhotoFigures]], groups: Mapping[str, Sequence[int]]
) -> Iterator[SummaryRow]:
    """Yield a row for each group and model, group by group."""
    tables = {model: np.array([*map(astuple, photos)]) for model, photos in figures.items()}
    errors = tables[GREY][:, [_COLUMNS.index("ciede2000")]]
    for group, positions in groups.items():
        chosen = np.asarray(positions)
        for model, table in tables.items():
            worse = 100.0 * (table[:, [_COLUMNS.index("ciede2000")]] > errors)
            both = np.concatenate([table, worse, errors], axis=1)[chosen]
            luma_error = float(both[:, _COLUMNS.index("luma_error")].max())
            yield SummaryRow(model, group, len(chosen), _estimate_means(both), luma_error)


def _estimate_means(table: Floats) -> dict[str, Estimate]:
    """Estimate over a table with a row per photograph; the last column is grey's color error.

    Bootstrap over photographs (percentile method); both sides of a ratio are resampled
    together, since a picture that is hard for a model is hard for grey, too.
    """
    from scipy.stats import bootstrap  # type: ignore[import-untyped]

    values = _compute_measures(table.mean(axis=0))
    if len(table) < 2:
        low = high = np.full_like(values, np.nan)
    else:

        def compute_statistic(positions: npt.NDArray[np.intp], axis: int) -> Floats:
            del axis  # Always the last, with the photographs of one resample.
            return _compute_measures(table[positions].mean(axis=-2))

        interval = bootstrap(
            (np.arange(len(table)),),
            compute_statistic,
            n_resamples=_RESAMPLES,
            batch=200,
            vectorized=True,
            method="percentile",
            rng=np.random.default_rng(_SEED),
        ).confidence_interval
        low, high = interval.low, interval.high
    return {
        name: Estimate(*map(float, bounds))
        for name, *bounds in zip(MEASURES, values, low, high, strict=True)
    }


def _compute_measures(means: Floats) -> Floats:
    """Return `MEASURES` x resamples from mean figures, resamples x columns."""
    *plain, grey = np.moveaxis(means, -1, 0)
    column = dict(zip(MEASURES, plain, strict=False))
    tiny = 1e-9
    colorful = 100 * column["colorfulness"] / np.maximum(column["truth"], tiny)
    of_grey = 100 * column["ciede2000"] / np.maximum(grey, tiny)
    return np.stack([*plain, colorful, of_grey])


def write_figures(
    path: Path, figures: Mapping[str, Sequence[PhotoFigures]], subjects: Sequence[Subject]
) -> None:
    """Write a CSV with one line per model and photograph."""
    traits = sorted({name for subject in subjects for name in subject.traits})
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, quoting=csv.QUOTE_ALL)
        table.writerow(["model", "set", "photo", *map(escape_cell, traits), *_COLUMNS])
        for model, photo_figures in figures.items():
            for subject, photo in zip(subjects, photo_figures, strict=True):
                texts = [model, subject.dataset, subject.name]
                texts += [subject.traits.get(name, "") for name in traits]
                numbers = [round(value, 4) for value in asdict(photo).values()]
                table.writerow([*map(escape_cell, texts), *numbers])


def write_summary(
    path: Path, rows: Iterable[SummaryRow], costs: Mapping[str, tuple[float, float]]
) -> None:
    """Write a CSV with one line per model and group: each estimate with its interval.

    costs: milliseconds of one picture on one core and megabytes of the file, by model.
    """
    bounds = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, quoting=csv.QUOTE_ALL)
        table.writerow(
            ["model", "group", "photos", *bounds, "worst_luma_error", "milliseconds", "megabytes"]
        )
        for row in rows:
            numbers = [round(x, 4) for name in MEASURES for x in astuple(row.estimates[name])]
            cost = [f"{x:.2f}" for x in costs.get(row.model, ())] or ["", ""]
            worst = round(row.worst_luma_error, 4)
            texts = map(escape_cell, (row.model, row.group))
            table.writerow([*texts, row.photos, *numbers, worst, *cost])
