"""An example of workflows/clusters as an operator has it: a copy with other constants."""

import json
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from tests.locations import REPOSITORY_ROOT
from tests.photographs import NAMES, photograph

WORKFLOWS = REPOSITORY_ROOT / "workflows"


def example(name: str, place: Path, constants: dict[str, str]) -> Path:
    """The script's copy in the folder `dataset`; each constant stands in it exactly once."""
    text = (WORKFLOWS / "clusters" / name).read_text()
    for theirs, ours in constants.items():
        assert text.count(theirs) == 1, theirs
        text = text.replace(theirs, ours)
    copy = place / name
    copy.write_text(text)
    return copy


def lay_scans(folder: Path, count: int) -> Path:
    """Grey photographs in three folders, no two of them the same."""
    for number in range(count):
        grey = photograph(NAMES[number % len(NAMES)]).mean(axis=2).astype(np.uint8)
        path = folder / f"box {number % 3}" / f"photo_{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(grey, number, axis=1)[:280, :400]).save(path)
    return folder


def restored(output: Path) -> list[str]:
    """The names of finished results."""
    return [path.name for path in output.rglob("photo_*.jpg") if ".work" not in path.parts]


def states(output: Path) -> dict[str, list[str]]:
    """Of each file, the states of all its outcomes in the manifest."""
    found: dict[str, list[str]] = {}
    for line in map(json.loads, (output / "manifest.jsonl").read_text().splitlines()):
        if line["kind"] == "outcome":
            found.setdefault(line["name"], []).append(line["state"])
    return found


def make_certificates(folder: Path) -> Path:
    """A folder with the files that scheduler, workers and run show one another."""
    script = WORKFLOWS / "clusters" / "make_certificates.sh"
    subprocess.run(["sh", script, folder], check=True, capture_output=True, timeout=60)
    return folder
