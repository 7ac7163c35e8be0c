"""Figures of speed as tables and as JSON, and two runs of the benchmark beside one another."""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any, Final

VERSION: Final = 1
_LIBRARIES: Final = (
    "numpy opencv-python-headless onnxruntime onnxruntime-gpu simplejpeg pyvips-binary"
)
_ALWAYS_MB: Final = 250.0
_A_PIXEL: Final = 6.0
"""The bar for a worker: 250 MB and 6 bytes a pixel of its largest picture."""

Table = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one kind of picture took; times are seconds for each picture, with the start apart.

    start, start_cpu: a run over one small picture.  first: seconds to the first result.
    floor: CPU of decoding, network and encoding.  carried: CPU of writing the result with the
    source's coded luma, which takes the place of encoding where that is done; or 0.
    peer: CPU of the plain way.
    """

    pictures: int
    pixels: int
    cores: int
    wall: float
    cpu: float
    start: float
    start_cpu: float
    first: float
    parent_mb: float
    worker_mb: float
    decode: float
    inference: float
    encode: float
    peer: float
    peer_mb: float
    carried: float = 0.0

    @property
    def floor(self) -> float:
        return self.decode + self.inference + self.encode

    @property
    def over_floor(self) -> float:
        """Wall over that of the floor on as many cores."""
        return self.wall * self.cores / self.floor

    @property
    def over_least(self) -> float:
        """Wall over that of the floor on as many cores, with luma carried where it is."""
        return self.wall * self.cores / (self.decode + self.inference + self.write)

    @property
    def write(self) -> float:
        return self.carried or self.encode

    @property
    def cpu_over_floor(self) -> float:
        return self.cpu / self.floor

    @property
    def over_peer(self) -> float:
        """How many times as many pictures for one second of CPU."""
        return self.peer / self.cpu

    @property
    def bytes_a_pixel(self) -> float:
        """What a worker's peak is beyond 250 MB, for each pixel."""
        return (self.worker_mb - _ALWAYS_MB) * 1e6 / self.pixels


def tables(found: Mapping[str, Figures]) -> Iterator[tuple[str, Table]]:
    """Title and rows (the first is the head) of each table."""
    yield "Time a picture, start apart", _times(found)
    yield "The start", _starts(found)
    yield "Peak memory of each process, MB", _memory(found)


def _times(found: Mapping[str, Figures]) -> Table:
    head = ("kind", "MP", "pictures", "floor: decode + network + encode, ms CPU", "run: ms CPU",
            "run: ms wall", "peer: ms CPU", "wall / floor", "CPU / floor",
            "writing as a run does: ms CPU", "wall / floor with that",
            "peer / run, CPU")  # fmt: skip
    rows = [
        (
            name,
            f"{one.pixels / 1e6:.1f}",
            str(one.pictures),
            f"{_ms(one.decode)} + {_ms(one.inference)} + {_ms(one.encode)} = {_ms(one.floor)}",
            _ms(one.cpu),
            _ms(one.wall),
            _ms(one.peer),
            f"{one.over_floor:.2f}",
            f"{one.cpu_over_floor:.2f}",
            _ms(one.write),
            f"{one.over_least:.2f}",
            f"{one.over_peer:.1f}",
        )
        for name, one in found.items()
    ]
    return [head, *rows]


def _starts(found: Mapping[str, Figures]) -> Table:
    head = ("kind", "one small picture: s wall", "s CPU", "first result: s")
    rows = [
        (name, f"{one.start:.2f}", f"{one.start_cpu:.2f}", f"{one.first:.2f}")
        for name, one in found.items()
    ]
    return [head, *rows]


def _memory(found: Mapping[str, Figures]) -> Table:
    head = ("kind", "run: parent", "run: largest worker", "bytes a pixel beyond 250 MB",
            f"bar: {_ALWAYS_MB:.0f} MB + {_A_PIXEL:.0f} bytes a pixel", "peer")  # fmt: skip
    rows = [
        (
            name,
            f"{one.parent_mb:.0f}",
            f"{one.worker_mb:.0f}",
            f"{one.bytes_a_pixel:.1f}",
            f"{_ALWAYS_MB + _A_PIXEL * one.pixels / 1e6:.0f}",
            f"{one.peer_mb:.0f}",
        )
        for name, one in found.items()
    ]
    return [head, *rows]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f}" if seconds >= 0.02 else f"{seconds * 1e3:.1f}"


COMPARED: Final = ("wall", "cpu", "over_floor", "over_least", "cpu_over_floor", "over_peer",
                   "start", "first", "worker_mb", "parent_mb")  # fmt: skip


def comparison(then: Mapping[str, Figures], now: Mapping[str, Figures]) -> Table:
    """Figures of two runs and what became of them; ratios only where both have a kind.

    Of another machine or hour, only what is itself a ratio can be compared.
    """
    head = ("kind", "figure", "then", "now", "now / then")
    rows = [
        (name, figure, f"{before:.4g}", f"{after:.4g}", f"{after / before:.2f}" if before else "-")
        for name in now
        if name in then
        for figure in COMPARED
        for before, after in [(getattr(then[name], figure), getattr(now[name], figure))]
    ]
    return [head, *rows]


def as_markdown(rows: Table) -> str:
    """A table whose first row is its head."""
    lines = [rows[0], ("---",) * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_json(path: Path, found: Mapping[str, Figures], settings: Mapping[str, Any]) -> None:
    """Everything measured, with machine and settings, for a later comparison."""
    said = {
        "version": VERSION,
        "machine": machine(),
        "settings": dict(settings),
        "kinds": {name: asdict(one) for name, one in found.items()},
    }
    path.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Figures]:
    """What `write_json` wrote; raises SystemExit where it is something else."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["version"] != VERSION:
            raise ValueError(f"version {said['version']}")
        names = {one.name for one in fields(Figures)}
        return {
            kind: Figures(**{name: value for name, value in one.items() if name in names})
            for kind, one in said["kinds"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemExit(f"{path}: no figures of this benchmark ({error})") from None


def machine() -> dict[str, Any]:
    """What ratios of wall time depend on."""
    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "libraries": dict(_versions()),
    }


def _versions() -> Iterator[tuple[str, str]]:
    for name in _LIBRARIES.split():
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
