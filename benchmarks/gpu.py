"""What a graphics card makes of it: `python -m benchmarks.gpu`.

For the default model and for one of DDColor's size with random weights, in 32 and in 16 bits:
milliseconds a picture over the size of the batch, with and without binding to the card's memory;
then whole runs of the installed command on 1, 4 and 16 cores: photographs a second, how busy the
card is, its memory, and what bounds it.  Runs on a processor as well (--device cpu).
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from archive_colorizer.adoption.adopt import adopt
from archive_colorizer.adoption.fp16 import halve
from archive_colorizer.device import Device, query_gpus
from archive_colorizer.errors import ModelError
from archive_colorizer.executors.threads import count_cores
from archive_colorizer.model.batching import BATCH_SIZES, FixedBatchSizes, RequestBatcher
from archive_colorizer.model.color_spaces import pack
from archive_colorizer.model.colorizer import Colorizer, open_colorizer
from archive_colorizer.model.io_binding import BoundSession
from archive_colorizer.model.registry import find_model
from archive_colorizer.model.runtime import PROVIDERS
from benchmarks.foreign_network import large_network
from benchmarks.speed_pictures import KINDS, make_pictures
from benchmarks.speed_run import restore

_PATIENCE: Final = 10.0
"""Seconds for one size of batch; large networks on a processor need that for one round."""
_LEAST: Final = 0.2
"""Of a start, that a run must be longer than one: below, it is noise."""
_LOOK: Final = 0.25
"""Seconds between looks at the card."""


@dataclass(frozen=True, slots=True)
class Inference:
    """Milliseconds a picture, by the pictures of a batch; `out_of_memory` from this size on."""

    model: str
    bits: int
    bound: bool
    milliseconds: dict[int, float]
    out_of_memory: int | None = None

    def cells(self, sizes: Sequence[int]) -> list[str]:
        """A row of the table."""
        times = (self.milliseconds.get(one) for one in sizes)
        said = ["-" if one is None else f"{one:.2f}" for one in times]
        return [self.model, str(self.bits), "yes" if self.bound else "no", *said]


@dataclass(frozen=True, slots=True)
class Running:
    """A run of the installed command: photographs a second and seconds of processor each.

    photos_a_second: None where the run was too short to tell it from its start.
    busy, memory: of the card, in percent and MB at most; None where there is none.
    """

    model: str
    bits: int
    cores: int
    photos_a_second: float | None
    cpu: float
    busy: float | None
    memory: float | None

    def bound_by(self, best: float) -> str:
        """What no run can be faster than; `best` is the network's least milliseconds a picture."""
        if self.cpu <= 0:
            return "-"
        network, rest = 1000 / best, self.cores / self.cpu
        said = "network" if network < rest else "cores"
        return f"{said} ({min(network, rest):.2f}/s)"


def inference(colorizer: Colorizer, bits: int, bound: bool, device: str, rounds: int) -> Inference:
    """Time a network on noise of its own working size, batch by batch."""
    place = Device.parse(device)
    kind = next(one for one, name in PROVIDERS.items() if name == colorizer.provider)
    most = min(BATCH_SIZES[-1], colorizer.contract.max_batch or BATCH_SIZES[-1])
    plain = replace(colorizer, network=None)
    ask = BoundSession(plain.session, plain.contract, replace(place, kind=kind), plain.run)
    way = RequestBatcher(FixedBatchSizes(ask, most), most)
    network = replace(plain, network=way) if bound else plain.add_batching(most)
    given = colorizer.contract.input
    luma = np.random.default_rng(0).random(given.compute_working_size(3000, 4000), dtype=np.float32)
    times: dict[int, float] = {}
    for size in (one for one in BATCH_SIZES if one <= most):
        batch = np.repeat(pack(luma, given), size, axis=0)
        try:
            times[size] = _median(network, batch, rounds) / size
        except (MemoryError, ModelError) as error:
            print(f"{colorizer.contract.name}, {size} at once: {error}", file=sys.stderr)
            return Inference(colorizer.contract.name, bits, bool(ask.binds), times, size)
    if bound and not ask.binds:
        print(f"{colorizer.contract.name}: does not bind here; asked plainly", file=sys.stderr)
    return Inference(colorizer.contract.name, bits, bool(ask.binds), times)


def _median(network: Colorizer, batch: np.ndarray, rounds: int) -> float:
    """Milliseconds; the first one, which makes ready, apart."""
    network.infer(batch)
    taken: list[float] = []
    begun = time.perf_counter()
    while len(taken) < rounds and (not taken or time.perf_counter() - begun < _PATIENCE):
        start = time.perf_counter()
        network.infer(batch)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)


def running(model: Path, bits: int, at_hand: int, scans: Path, device: str) -> Running:
    """Run the installed command over the scans, on so many cores."""
    words = ["--model", str(model), "--device", device, "--timeout", "0"]
    photos = sum(1 for _ in scans.iterdir())
    with tempfile.TemporaryDirectory() as folder, only_cores(at_hand), watched_card() as looks:
        start = restore(_one_of(scans, Path(folder)), Path(folder, "start"), words)
        del looks[:]
        took = restore(scans, Path(folder, "out"), words)
    # The start of both runs is the same, and one photograph.
    longer = took.wall - start.wall
    return Running(
        model.stem,
        bits,
        at_hand,
        (photos - 1) / longer if longer > _LEAST * start.wall else None,
        (took.cpu - start.cpu) / (photos - 1),
        statistics.mean(busy for busy, _ in looks) if looks else None,
        max(memory for _, memory in looks) if looks else None,
    )


def _one_of(scans: Path, folder: Path) -> Path:
    one = folder / "one"
    one.mkdir()
    first = min(scans.iterdir())
    os.link(first, one / first.name)
    return one


@contextmanager
def only_cores(count: int) -> Iterator[None]:
    """This process and those that it starts have so many cores of those at hand."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def watched_card() -> Iterator[list[tuple[float, float]]]:
    """Percent and MB of the busiest card, look by look while this lasts; nothing without one."""
    looks: list[tuple[float, float]] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK):
            cards = [_numbers(card) for card in query_gpus("utilization.gpu,memory.used")]
            told = [card for card in cards if card is not None]
            if not told:
                return
            looks.append(max(told))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield looks
    finally:
        over.set()
        watcher.join()


def _numbers(card: str) -> tuple[float, float] | None:
    """Of `37 %, 1024 MiB`; None where a card does not tell."""
    words = card.replace(",", " ").split()
    try:
        return float(words[0]), float(words[2])
    except (ValueError, IndexError):
        return None


def models(work: Path, given: argparse.Namespace) -> Iterator[tuple[Path, int]]:
    """The files of the networks, and the bits in which they compute."""
    large, adopted = work / "large.onnx", work / "as-large-as-ddcolor.onnx"
    weights = large_network(large, given.size, batch="pictures", narrower=given.narrower)
    print(f"as-large-as-ddcolor: {weights / 1e6:.0f} million random weights", file=sys.stderr)
    adopt(large, "ddcolor", {}, adopted)
    large.unlink()
    for path in (find_model("default"), adopted):
        yield path, 32
        half = work / f"{path.stem}-fp16.onnx"
        halve(path, half)
        yield half, 16


def show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown."""
    for row in (head, ["---"] * 3 + ["---:"] * (len(head) - 3), *rows):
        print("| " + " | ".join(row) + " |")
    print()


def _options() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    words.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, tensorrt")
    words.add_argument("--photos", type=int, default=64, help="of a run")
    words.add_argument("--kind", choices=sorted(KINDS), default="jpeg", help="of the photos")
    words.add_argument("--cores", type=int, nargs="*", default=[1, 4, 16])
    words.add_argument("--rounds", type=int, default=50, help="of each batch, in 10 s at most")
    words.add_argument("--size", type=int, default=512, help="of the large network's input")
    words.add_argument("--narrower", type=int, default=1, help="divides its widths, for trials")
    words.add_argument("--json", type=Path, help="a file for the figures, too")
    return words


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables as Markdown."""
    given = _options().parse_args(arguments)
    timed: list[Inference] = []
    runs: list[Running] = []
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder:
        scans = Path(folder, "scans")
        make_pictures(given.kind, scans, max(2, given.photos))
        for path, bits in models(Path(folder), given):
            opened = open_colorizer(path, device=given.device, threads=count_cores())
            provider = opened.provider
            timed += [
                inference(opened, bits, bound, given.device, given.rounds)
                for bound in (False, True)
            ]
            # Its memory of the card is the runs'.
            del opened
            counts = sorted({min(one, count_cores()) for one in given.cores})
            runs += [running(path, bits, one, scans, given.device) for one in counts]
    for card in query_gpus("name,memory.total,driver_version"):
        print(f"{card}\n")
    print(f"{provider}, milliseconds a picture by the size of the batch:\n")
    show(
        ["network", "bits", "bound", *map(str, BATCH_SIZES)],
        [one.cells(BATCH_SIZES) for one in timed],
    )
    print(f"runs over {max(2, given.photos)} photographs ({given.kind}), start apart:\n")
    head = "network|bits|cores|photos/s|CPU s/photo|card busy|card MB|bound by".split("|")
    show(head, [_cells(one, timed) for one in runs])
    if given.json:
        found = {"inference": [asdict(one) for one in timed], "runs": [asdict(one) for one in runs]}
        given.json.write_text(json.dumps({"provider": provider, **found}, indent=1))


def _cells(run: Running, timed: Sequence[Inference]) -> list[str]:
    alike = [one for one in timed if (one.model, one.bits) == (run.model, run.bits)]
    best = min((ms for one in alike for ms in one.milliseconds.values()), default=float("nan"))
    return [
        run.model,
        str(run.bits),
        str(run.cores),
        "-" if run.photos_a_second is None else f"{run.photos_a_second:.2f}",
        f"{run.cpu:.3f}",
        "-" if run.busy is None else f"{run.busy:.0f} %",
        "-" if run.memory is None else f"{run.memory:.0f}",
        run.bound_by(best),
    ]


if __name__ == "__main__":
    main()
