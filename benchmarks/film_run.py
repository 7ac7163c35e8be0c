"""Pace and memory of `archive-colorize film` against length: `python -m benchmarks.film_run`.

Clips of 720 x 576 at 25 frames a second, a camera that turns over scikit-image's photographs with
a cut every eight seconds and the grain of an old print, are restored by the installed command.
Memory is the sum over all its processes, looked at ten times a second (shared pages count in
each).  Seconds are wall time with start and join.
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

WIDTH, HEIGHT, RATE = 720, 576, 25
SCENES = ("astronaut", "rocket", "coffee", "chelsea")
SCENE_FRAMES = 8 * RATE


def frames(count: int) -> Iterator[np.ndarray]:
    """Grey frames of 576 x 720, uint8."""
    chance = np.random.default_rng(1)
    grain = [chance.normal(0, 4, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(8)]
    scenes = [cv2.cvtColor(getattr(data, name)(), cv2.COLOR_RGB2GRAY) for name in SCENES]
    wide = [cv2.resize(scene, (WIDTH + 2 * SCENE_FRAMES, HEIGHT)) for scene in scenes]
    for index in range(count):
        scene, at = divmod(index, SCENE_FRAMES)
        left = 2 * at
        seen = wide[scene % len(wide)][:, left : left + WIDTH] + grain[index % len(grain)]
        yield np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def write_clip(path: Path, count: int) -> None:
    """A clip of `count` frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE, options={"qscale": "3"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for grey in frames(count):
            frame = av.VideoFrame.from_ndarray(grey, "gray").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def memory_of(root: psutil.Process) -> float:
    """MB that a process and its children hold now."""
    held = 0
    with suppress(psutil.Error):
        for one in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                held += one.memory_info().rss
    return held / 1e6


def restore(clip: Path, output: Path) -> tuple[float, float]:
    """Wall seconds, and the peak of MB over all processes."""
    begun, peak = time.monotonic(), 0.0
    command = ["archive-colorize", "film", str(clip), "--output", str(output), "--quiet"]
    with subprocess.Popen(command) as running:
        root = psutil.Process(running.pid)
        while running.poll() is None:
            peak = max(peak, memory_of(root))
            time.sleep(0.1)
    if running.returncode:
        raise SystemExit(f"the command ended with {running.returncode}")
    return time.monotonic() - begun, peak


def main() -> None:
    """Print a table as Markdown."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, nargs="+", default=[10, 60, 600])
    lengths = options.parse_args().seconds
    print("| film, s | frames | wall s | frames a second | peak MB, all processes |")
    print("|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for length in lengths:
            clip = Path(folder, f"clip-{length}.avi")
            write_clip(clip, length * RATE)
            wall, peak = restore(clip, Path(folder, f"restored-{length}"))
            count = length * RATE
            row = f"| {length} | {count} | {wall:.0f} | {count / wall:.1f} | {peak:.0f} |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
