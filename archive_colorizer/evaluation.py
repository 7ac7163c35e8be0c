"""Measure models on color photographs: made grey, restored by a real run, compared."""

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import luma_of
from archive_colorizer.errors import DependencyError, SourceError
from archive_colorizer.model.adapt import pack
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.shelf import find_model
from archive_colorizer.pipeline import place_order, restore_archive
from archive_colorizer.recipe import Recipe
from archive_colorizer.training.data import Photo

Picture = npt.NDArray[np.uint8]

GREY = "grey"
"""The name of the rows that measure the neutral picture itself."""


@dataclass(frozen=True, slots=True)
class PhotoFigures:
    """One restored photograph beside its truth.

    psnr: dB over R'G'B'.  ssim: over R'G'B', 8-bit range.  ciede2000: mean color difference.
    colorfulness, truth: after Hasler and Suesstrunk (2003), of the result and of the truth.
    b: mean b* of CIE Lab.  luma_error: largest difference of Y' in code values.
    """

    psnr: float
    ssim: float
    ciede2000: float
    colorfulness: float
    truth: float
    b: float
    luma_error: float


@dataclass(frozen=True, slots=True)
class Row:
    """Means over a group of photographs, with 95 % bootstrap intervals of half-width `+-`."""

    model: str
    group: str
    photos: int
    figures: PhotoFigures
    within: PhotoFigures


def evaluate(
    models: Sequence[str], photos: Sequence[Photo], recipe: Recipe, sheet: Path | None = None
) -> dict[str, dict[str, PhotoFigures]]:
    """Figures by model and photograph; the model `grey` stands for no color at all.

    With `sheet`, a contact sheet (grey, each model, truth) is written there as PNG.  Raises
    DependencyError without scikit-image, SourceError when no photograph can be read.
    """
    _need_metrics()
    truths = dict(_truths(photos))
    if not truths:
        raise SourceError("no color photograph could be read; check --data")
    greys = {name: _neutral(rgb) for name, rgb in truths.items()}
    results = {GREY: greys}
    with TemporaryDirectory(prefix="archive-colorize-") as folder:
        scans = Path(folder, "grey")
        for name, rgb in greys.items():
            _write(scans / name, rgb)
        for model in models:
            output = Path(folder, f"restored-{len(results)}")
            wanted = recipe.changed({"model": model, "force": True}, "evaluate")
            restore_archive(place_order([scans], output, wanted))
            results[model] = {name: _read(output / name) for name in greys}
    if sheet:
        _write_sheet(sheet, [*results.values(), truths])
    return {
        model: {name: compare(rgb, truths[name]) for name, rgb in restored.items()}
        for model, restored in results.items()
    }


def compare(result: Picture, truth: Picture) -> PhotoFigures:
    """Figures of an H x W x 3 uint8 sRGB picture beside the truth."""
    from skimage.color import deltaE_ciede2000, rgb2lab
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    lab = rgb2lab(result)
    exact = result.astype(np.float64) @ [0.299, 0.587, 0.114]
    return PhotoFigures(
        psnr=float(peak_signal_noise_ratio(truth, result)),
        ssim=float(structural_similarity(truth, result, channel_axis=2, win_size=7)),
        ciede2000=float(deltaE_ciede2000(rgb2lab(truth), lab).mean()),
        colorfulness=colorfulness(result),
        truth=colorfulness(truth),
        b=float(lab[..., 2].mean()),
        luma_error=float(np.abs(exact - luma_of(truth)).max()),
    )


def colorfulness(rgb: Picture) -> float:
    """M of Hasler and Suesstrunk, Measuring colourfulness in natural images (2003)."""
    red, green, blue = (rgb[..., channel].astype(np.float64) for channel in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    spread, centre = np.hypot(rg.std(), yb.std()), np.hypot(rg.mean(), yb.mean())
    return float(spread + 0.3 * centre)


def rows(
    figures: Mapping[str, Mapping[str, PhotoFigures]], groups: Mapping[str, Sequence[str]]
) -> Iterator[Row]:
    """A row for each model and each group of photographs (names)."""
    for group, names in groups.items():
        for model, measured in figures.items():
            table = np.array([astuple(measured[name]) for name in names if name in measured])
            if len(table):
                means = PhotoFigures(*table.mean(axis=0).tolist())
                yield Row(model, group, len(table), means, _interval(table))


def _interval(table: npt.NDArray[np.float64]) -> PhotoFigures:
    """Half the width of the middle 95 % of resampled means."""
    chance = np.random.default_rng(1)
    draws = [table[chance.integers(0, len(table), len(table))].mean(axis=0) for _ in range(400)]
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return PhotoFigures(*((high - low) / 2).tolist())


def milliseconds(model: str, rounds: int = 30) -> float:
    """Median time of one inference at the model's own working size, on one core of the CPU."""
    colorizer = open_colorizer(find_model(model), device="cpu", threads=1)
    size = colorizer.contract.input.size
    luma = np.linspace(0, 1, size * size, dtype=np.float32).reshape(size, size)
    batch = pack(luma, colorizer.contract.input)
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        colorizer.infer(batch)
        times.append(time.perf_counter() - begun)
    return 1000 * median(times)


def groups_of(
    names: Sequence[str], index: Path | None, columns: Sequence[str]
) -> dict[str, list[str]]:
    """All photographs, and those of each value of `columns` in a CSV whose `file` names them."""
    groups: dict[str, list[str]] = {"all": list(names)}
    if index is None:
        return groups
    with index.open(newline="", encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            name = str(Path(line["file"]).with_suffix(".png"))
            for column in columns:
                if line.get(column) and name in groups["all"]:
                    groups.setdefault(f"{column} {line[column]}", []).append(name)
    return dict(sorted(groups.items(), key=lambda group: (group[0] != "all", group[0])))


def write_csv(path: Path, figures: Mapping[str, Mapping[str, PhotoFigures]]) -> None:
    """One line a model and photograph."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["model", "photo", *(one.name for one in fields(PhotoFigures))])
        for model, measured in figures.items():
            for name, one in measured.items():
                table.writerow([model, name, *(round(value, 4) for value in astuple(one))])


def _need_metrics() -> None:
    try:
        import skimage  # noqa: F401
    except ImportError:
        raise DependencyError(
            "measuring needs scikit-image; run: pip install 'archive-colorizer[train]'"
        ) from None


def _truths(photos: Sequence[Photo]) -> Iterator[tuple[str, Picture]]:
    for photo in photos:
        bgr = cv2.imdecode(np.frombuffer(photo.content, np.uint8), cv2.IMREAD_COLOR)
        if bgr is not None and min(bgr.shape[:2]) >= 7:
            yield str(Path(photo.name).with_suffix(".png")), np.ascontiguousarray(bgr[..., ::-1])


def _neutral(rgb: Picture) -> Picture:
    return np.repeat(np.asarray(luma_of(rgb), dtype=np.uint8)[..., None], 3, axis=2)


def _write(path: Path, rgb: Picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, png = cv2.imencode(".png", rgb[..., 0])
    if done:
        path.write_bytes(png.tobytes())


def _read(path: Path) -> Picture:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SourceError(f"{path.name} was not restored; run it by itself to see why")
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)


def _write_sheet(path: Path, columns: Sequence[Mapping[str, Picture]], side: int = 192) -> None:
    """A row a photograph, a column each of grey, the models, and the truth; at most 60 rows."""
    names = list(columns[0])[:: max(1, len(columns[0]) // 60)][:60]
    lines = []
    for name in names:
        squares = [
            cv2.resize(one[name], (side, side), interpolation=cv2.INTER_AREA) for one in columns
        ]
        lines.append(np.concatenate(squares, axis=1))
    per_column = (len(lines) + 2) // 3
    blocks = [lines[at : at + per_column] for at in range(0, len(lines), per_column)]
    blank = np.full_like(lines[0], 255)
    tall = [np.concatenate(block + [blank] * (per_column - len(block))) for block in blocks]
    done, png = cv2.imencode(".png", np.concatenate(tall, axis=1)[..., ::-1])
    if done:
        path.write_bytes(png.tobytes())
