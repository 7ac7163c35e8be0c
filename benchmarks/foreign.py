"""A network of others through this pipeline, and through a script in its family's own manner.

Both use one ONNX file.  For quality it is a file that knows the true color of a photograph at
the network's size; for cost, one as large as DDColor's with random weights.

    python -m benchmarks.foreign                     # quality, on scikit-image's photographs
    python -m benchmarks.foreign --cost              # cost, with 900 MB of random weights
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab

from archive_colorizer.adoption.adopt import adopt
from archive_colorizer.color.space import KB, KG, KR, compute_luma
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.pipeline.photos import restore_archive
from archive_colorizer.pipeline.request import find_models, validate_request
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext, Source, Stamp
from archive_colorizer.records.outcomes import State
from archive_colorizer.restore import photo
from archive_colorizer.restore.model_cache import load_ensemble
from benchmarks.foreign_network import knowing_network, large_network

Picture = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float64]

OURS = "archive-colorize run"
SCRIPTS: Mapping[str, int] = {
    "script, nearest": cv2.INTER_NEAREST,
    "script, bilinear": cv2.INTER_LINEAR,
}
"""DDColor's own pipeline enlarges ab with nearest, the scripts around its ONNX files bilinear."""
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
_EDGE, _FLAT = 12.0, 2.0
"""Lab units a pixel: gradients above and below are an edge and none."""


@dataclass(slots=True)
class Clock:
    """Wall and CPU seconds inside the network."""

    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


@dataclass(frozen=True, slots=True)
class Timed:
    """A session that tells a clock how long it runs."""

    session: Any
    clock: Clock
    size: int

    def run(self, *given: Any) -> Any:
        with self.clock.running():
            return self.session.run(*given)


@dataclass(slots=True)
class Row:
    """What one way made of all photographs."""

    luma_mean: list[float] = field(default_factory=list)
    luma_max: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    near_edges: list[float] = field(default_factory=list)
    leaked: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)

    def cells(self) -> list[str]:
        kept = [self.luma_mean, self.error, self.near_edges, self.leaked, self.kept]
        luma, error, near, leaked, edges = (float(np.mean(one)) for one in kept)
        return [
            f"{luma:.2f}",
            f"{max(self.luma_max):.1f}",
            f"{error:.2f}",
            f"{near:.2f}",
            f"{leaked:.2f}",
            f"{100 * edges:.0f} %",
        ]


def script(source: Path, target: Path, session: Timed, enlarging: int) -> None:
    """As the families' scripts do it: float Lab at full size, 8 bits out."""
    picture = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"{source} cannot be read")
    height, width = picture.shape[:2]
    unit = (picture / 255.0).astype(np.float32)
    lightness = cv2.cvtColor(unit, cv2.COLOR_BGR2Lab)[..., :1]
    seen = cv2.cvtColor(cv2.resize(unit, (session.size, session.size)), cv2.COLOR_BGR2RGB)
    (answer,) = session.run(None, {"input": seen.transpose(2, 0, 1)[None]})
    ab = cv2.resize(answer[0].transpose(1, 2, 0), (width, height), interpolation=enlarging)
    colored = cv2.cvtColor(np.concatenate([lightness, ab], axis=2), cv2.COLOR_Lab2BGR)
    cv2.imwrite(str(target), (colored * 255.0).round().astype(np.uint8))


def ours(source: Path, output: Path, model: Path) -> None:
    """A whole run in this process, manifest and all."""
    recipe = Recipe(model=str(model), executor="serial", workers=1)
    restore_archive(validate_request([source], output, recipe))


def quality(work: Path, reduction: int) -> dict[str, Row]:
    """Each way with the true color of each photograph, `reduction` times smaller."""
    rows = {OURS: Row(), **{name: Row() for name in SCRIPTS}}
    for name in PHOTOGRAPHS:
        truth: Picture = np.ascontiguousarray(getattr(data, name)())
        size = max(32, round(max(truth.shape[:2]) / reduction / 32) * 32)
        ab = rgb2lab(truth)[..., 1:].astype(np.float32)
        small = cv2.resize(ab, (size, size), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
        file, source = work / f"{name}.onnx", work / f"{name}.png"
        knowing_network(file, np.ascontiguousarray(small))
        luma = compute_luma(truth)
        cv2.imwrite(str(source), luma)
        for way, made in _made(work, name, file).items():
            _measure(rows[way], made, luma.astype(float), truth)
    return rows


def _made(work: Path, name: str, file: Path) -> dict[str, Picture]:
    source, output = work / f"{name}.png", work / f"{name}-ours"
    adopt(file, "ddcolor", {}, work / "adopted.onnx")
    ours(source, output, work / "adopted.onnx")
    results = {OURS: output / source.name}
    plain = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    session = Timed(plain, Clock(), plain.get_inputs()[0].shape[-1])
    for way, enlarging in SCRIPTS.items():
        results[way] = work / f"{name}-{enlarging}.png"
        script(source, results[way], session, enlarging)
    return {way: cv2.imread(str(path))[..., ::-1] for way, path in results.items()}


def _measure(row: Row, made: Picture, luma: Plane, truth: Picture) -> None:
    apart = np.abs(made @ np.array([KR, KG, KB]) - luma)
    row.luma_mean.append(float(apart.mean()))
    row.luma_max.append(float(apart.max()))
    # Judged in Lab on the truth's own lightness, so that nothing but color counts.
    wanted, found = rgb2lab(truth), rgb2lab(made)
    found[..., 0] = wanted[..., 0]
    color = deltaE_ciede2000(wanted, found)
    light, paint, got = _slope(wanted[..., :1]), _slope(wanted[..., 1:]), _slope(found[..., 1:])
    edges = paint > _EDGE
    band = cv2.dilate(edges.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    row.error.append(float(color.mean()))
    row.near_edges.append(float(color[band].mean()))
    calm = (light < _FLAT) & (paint < _FLAT) & band
    row.leaked.append(float((got[calm] - paint[calm]).clip(0).mean()))
    sharp = edges & (light > _EDGE)
    row.kept.append(float(np.minimum(got[sharp] / paint[sharp], 1).mean()))


def _slope(planes: Plane) -> Plane:
    """Length of the gradient over all channels, in units a pixel."""
    down, across = np.gradient(planes, axis=(0, 1))
    return np.asarray(np.sqrt((down**2 + across**2).sum(axis=2)))


def cost(work: Path, megapixels: float, size: int) -> Iterator[list[str]]:
    """Seconds inside and besides a network as large as DDColor's, for one photograph."""
    file, model = work / "large.onnx", work / "adopted.onnx"
    weights = large_network(file, size)
    adopt(file, "ddcolor", {}, model)
    said = f"{weights / 1e6:.0f} million weights at {size} x {size}, {megapixels:g} megapixels"
    yield [said, "", "", ""]
    side = round((megapixels * 1e6) ** 0.5)
    grey = compute_luma(np.ascontiguousarray(data.astronaut()))
    scan = cv2.resize(grey, (side, side), interpolation=cv2.INTER_CUBIC)
    plain = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    for kind in ("png", "jpg"):
        source = work / f"scan.{kind}"
        cv2.imwrite(str(source), scan)
        job, restore = _job(source, work / f"out-{kind}", model)
        yield [f"{kind}: {OURS}", *_timed(partial(restore, job))]
        for way, how in SCRIPTS.items():
            colored = partial(_scripted, source, work / f"script.{kind}", plain, size, how)
            yield [f"{kind}: {way}", *_timed(colored)]


def _scripted(
    source: Path, target: Path, session: Any, size: int, enlarging: int, clock: Clock
) -> None:
    script(source, target, Timed(session, clock, size), enlarging)


def _job(source: Path, output: Path, model: Path) -> tuple[Job, Callable[[Job, Clock], None]]:
    """One photograph as a worker of a run gets it, and what restores it; the network is open."""
    (output / ".work").mkdir(parents=True)
    recipe = Recipe(model=str(model))
    place = JobContext(str(output), str(output / ".work"), recipe, **find_models(recipe), threads=2)
    opened = load_ensemble(place)

    def restore(job: Job, clock: Clock) -> None:
        timed = tuple(
            replace(one, session=Timed(one.session, clock, 0)) for one in opened.colorizers
        )
        with patch.object(photo, "load_ensemble", lambda _: Ensemble(timed)):
            outcome = photo.restore_photo(job, place)
        if outcome.state is not State.DONE:
            raise SystemExit(outcome.message)

    stamp = Stamp.from_stat(source.lstat())
    return Job("0" * 64, Source(str(source.parent), source.name, stamp), source.name), restore


def _timed(work: Callable[[Clock], None]) -> list[str]:
    inside, whole = Clock(), Clock()
    with whole.running():
        work(inside)
    seconds = (inside.cpu, whole.cpu - inside.cpu, whole.wall - inside.wall)
    return [f"{one:.2f}" for one in seconds]


def show(head: list[str], rows: list[list[str]]) -> None:
    """A table in Markdown."""
    for row in (head, ["---"] + ["---:"] * (len(head) - 1), *rows):
        print("| " + " | ".join(row) + " |")
    print()


def main() -> None:
    """Print the tables."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--reduction", type=int, default=4, help="of photographs for the network")
    words.add_argument("--cost", action="store_true", help="time a network of 900 MB instead")
    words.add_argument("--megapixels", type=float, default=12.0)
    words.add_argument("--size", type=int, default=512, help="of the large network's input")
    asked = words.parse_args()
    head = "luma off, mean|luma off, most|color error|near edges|leaked|edges kept".split("|")
    with TemporaryDirectory(prefix="foreign-") as folder:
        if asked.cost:
            times = list(cost(Path(folder), asked.megapixels, asked.size))
            show(["way", "network, CPU s", "besides, CPU s", "besides, wall s"], times)
            return
        rows = quality(Path(folder), asked.reduction)
        show(["way", *head], [[way, *row.cells()] for way, row in rows.items()])


if __name__ == "__main__":
    main()
