"""Pace and memory of `archive-colorize film` against length: `python -m benchmarks.film_run`.

Clips at 25 frames a second, a camera that turns over scikit-image's photographs with a cut every
four seconds (so that the shortest clip, too, gives every worker whole shots) and the grain of an
old print, are restored by the installed command.  Memory is that of all its processes, looked at
twice a second; pages that several of them share count once where the system tells (Linux).
Seconds are wall time with start and join.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
from skimage import data

RATE = 25
SCENES = ("astronaut", "rocket", "coffee", "chelsea")
SCENE_FRAMES = 4 * RATE


def frames(count: int, width: int, height: int) -> Iterator[np.ndarray]:
    """Grey frames of height x width, uint8."""
    chance = np.random.default_rng(1)
    grain = [chance.normal(0, 4, (height, width)).astype(np.float32) for _ in range(8)]
    scenes = [cv2.cvtColor(getattr(data, name)(), cv2.COLOR_RGB2GRAY) for name in SCENES]
    wide = [cv2.resize(scene, (width + 2 * SCENE_FRAMES, height)) for scene in scenes]
    for index in range(count):
        scene, at = divmod(index, SCENE_FRAMES)
        left = 2 * at
        seen = wide[scene % len(wide)][:, left : left + width] + grain[index % len(grain)]
        yield np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def write_clip(path: Path, count: int, width: int, height: int) -> None:
    """A clip of `count` frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE, options={"qscale": "3"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for grey in frames(count, width, height):
            frame = av.VideoFrame.from_ndarray(grey, "gray").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def memory_of(root: psutil.Process) -> list[float]:
    """MB that a process and each of its children hold now."""
    held = []
    with suppress(psutil.Error):
        for one in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                full = one.memory_full_info()
                held.append(getattr(full, "pss", full.rss) / 1e6)
    return held


def restore(clip: Path, output: Path, model: str) -> tuple[float, float, float]:
    """Wall seconds, and the peaks of MB: over all processes, and of the largest one."""
    begun, peak, largest = time.monotonic(), 0.0, 0.0
    command = ["archive-colorize", "film", str(clip), "--output", str(output), "--quiet"]
    command += ["--model", model]
    with subprocess.Popen(command) as running:
        root = psutil.Process(running.pid)
        while running.poll() is None:
            held = memory_of(root)
            peak, largest = max(peak, sum(held)), max(largest, *held, 0.0)
            time.sleep(0.5)
    if running.returncode:
        raise SystemExit(f"the command ended with {running.returncode}")
    return time.monotonic() - begun, peak, largest


def main() -> None:
    """Print a table as Markdown."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, nargs="+", default=[10, 60, 600])
    options.add_argument("--size", default="720x576", help="of the pictures")
    options.add_argument("--model", default="default")
    given = options.parse_args()
    width, height = map(int, given.size.split("x"))
    print("| size | film, s | frames | wall s | frames a second | peak MB | largest process, MB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for length in given.seconds:
            clip = Path(folder, f"clip-{length}.avi")
            write_clip(clip, length * RATE, width, height)
            wall, peak, largest = restore(clip, Path(folder, f"restored-{length}"), given.model)
            count = length * RATE
            row = (given.size, length, count, f"{wall:.0f}", f"{count / wall:.1f}",
                   f"{peak:.0f}", f"{largest:.0f}")  # fmt: skip
            print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
