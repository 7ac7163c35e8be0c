"""How fast a run is, beside its floor and beside a plain peer: `python -m benchmarks`.

Makes its own pictures.  For each kind it measures, in one go: the floor (CPU time of decoding,
network and encoding alone, on one thread), the installed command over a folder of them (wall,
CPU with all children, the start apart, peak memory of each process), and a plain peer with the
same network (OpenCV, float Lab at full size, nearest).  --quick takes two minutes.
See docs/performance.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from archive_colorizer.executors.threads import count_cores
from archive_colorizer.model.registry import find_model
from benchmarks.speed_pictures import KINDS, make_pictures
from benchmarks.speed_report import (
    Figures,
    as_markdown,
    comparison,
    read_json,
    tables,
    write_json,
)
from benchmarks.speed_run import restore

_STARTS = 3
_PEERS = 2
"""Pictures that the peer restores, which is slow."""
_PEER_PIXELS = 60_000_000
"""Beyond, it takes more memory than most machines have, and its figures are 0."""


def measure(name: str, count: int, work: Path, model: Path, workers: int) -> Figures:
    """Everything about one kind, the processes one after the other."""
    kind = KINDS[name]
    scans = work / name
    make_pictures(name, scans, count)
    tell = ["--model", str(model), "--device", "cpu", "--workers", str(workers)]
    start = _start(work, tell)
    took = restore(scans, work / f"{name}-out", tell)
    floor = _alone("floor", scans, min(count, kind.different), model)
    peer = {"cpu": 0.0, "peak_mb": 0.0}
    if kind.pixels <= _PEER_PIXELS:
        peer = _alone("peer", scans, min(count, kind.different, _PEERS), model)
    return Figures(
        pictures=count,
        pixels=kind.pixels,
        cores=min(workers, count, count_cores()),
        wall=(took.wall - start[0]) / count,
        cpu=(took.cpu - start[1]) / count,
        start=start[0],
        start_cpu=start[1],
        first=took.first,
        parent_mb=took.parent_mb,
        worker_mb=max(took.workers_mb, default=0.0),
        **{part: floor[part] for part in ("decode", "inference", "encode", "carried")},
        peer=peer["cpu"],
        peer_mb=peer["peak_mb"],
    )


def _start(work: Path, tell: Sequence[str]) -> tuple[float, float]:
    """Wall and CPU of a run over one small picture: the median of three."""
    scans = work / "start"
    if not scans.exists():
        make_pictures("frame", scans, 1)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        runs = [restore(scans, Path(folder, str(turn)), tell) for turn in range(_STARTS)]
    return median(one.wall for one in runs), median(one.cpu for one in runs)


def _alone(way: str, scans: Path, photos: int, model: Path) -> dict[str, float]:
    words = [sys.executable, "-m", "benchmarks.speed_alone", way]
    words += [str(scans), str(photos), str(model)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def counts_of(given: argparse.Namespace) -> dict[str, int]:
    """How many pictures of each kind, as the options ask for."""
    counts = {name: kind.quick if given.quick else kind.usual for name, kind in KINDS.items()}
    for word in given.count:
        name, _, number = word.partition("=")
        if name not in KINDS or not number.isdecimal():
            raise SystemExit(f"--count takes KIND=NUMBER of {', '.join(KINDS)}, not {word}")
        counts[name] = int(number)
    wanted = given.only or list(KINDS)
    return {name: count for name, count in counts.items() if name in wanted and count}


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few pictures: about two minutes")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), help="these kinds")
    parser.add_argument("--count", nargs="+", default=[], metavar="KIND=NUMBER")
    parser.add_argument("--workers", type=int, default=0, help="0: one a core")
    parser.add_argument("--model", default="default", help="a name or a file")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--against", type=Path, help="an earlier --json to compare with")
    parser.add_argument("--work", type=Path, help="a folder for pictures and results, of a disk")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables as Markdown."""
    given = _options().parse_args(arguments)
    earlier = read_json(given.against) if given.against else None
    workers = given.workers or count_cores()
    found: dict[str, Figures] = {}
    for name, count in counts_of(given).items():
        with tempfile.TemporaryDirectory(prefix="speed-", dir=given.work) as folder:
            print(f"{name}: {count} pictures ...", file=sys.stderr, flush=True)
            found[name] = measure(name, count, Path(folder), find_model(given.model), workers)
    _print(found, earlier)
    if given.json:
        write_json(given.json, found, {"workers": workers, "model": given.model})
    return 0


def _print(found: Mapping[str, Figures], earlier: Mapping[str, Figures] | None) -> None:
    print(f"{max(one.cores for one in found.values())} cores used" if found else "nothing to do")
    for title, rows in tables(found):
        print(f"\n{title}:\n\n{as_markdown(rows)}")
    if earlier is not None:
        print(f"\nBeside the earlier run:\n\n{as_markdown(comparison(earlier, found))}")


if __name__ == "__main__":
    sys.exit(main())
