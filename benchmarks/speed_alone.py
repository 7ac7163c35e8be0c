"""CPU time of the bare minimum and of a plain peer, photo after photo, in this process.

`python -m benchmarks.speed_alone floor|peer FOLDER PHOTOS MODEL` prints one JSON object; it is
started by `python -m benchmarks`.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

# As in a worker with one core.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", VIPS_CONCURRENCY="1")

import cv2
import numpy as np
import simplejpeg

from archive_colorizer.color.blend import blend_planes, blend_rgb
from archive_colorizer.color.resample import shrink
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs.jpeg import codec as jpeg
from archive_colorizer.image.codecs.jpeg.scan_transfer import carry_scan
from archive_colorizer.image.raster import Metadata, Raster
from archive_colorizer.model.colorizer import Colorizer, open_colorizer
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.restore.colorize import correct_mask
from benchmarks.fidelity_peers import ddcolor_way

Times = dict[str, float]
_TIMES = 3


def floor_of(path: Path, colorizer: Colorizer) -> Times:
    """CPU seconds of decoding to grey, of the network, and of encoding the very result.

    Beside them that of writing it with the source's coded luma, where a run does that; else 0.

    The codecs and their settings are those of a run; each is the least of three.
    """
    data = path.read_bytes()
    raster = stills.decode(data, path.name, 10**9)
    painter = Ensemble((colorizer,))
    seen = shrink(raster.luma, *painter.inputs[0].compute_working_size(*raster.luma.shape))
    inference, (mask,) = _least(lambda: list(painter.infer_masks([(seen,)])))
    field = correct_mask(mask, seen, Recipe())
    carrying = 0.0
    if raster.format == "jpeg":
        luma = np.asarray(raster.luma, dtype=np.uint8)
        planes = blend_planes(luma, field)
        decoding, _ = _least(lambda: simplejpeg.decode_jpeg(data, "GRAY"))
        encoding, _ = _least(
            lambda: simplejpeg.encode_jpeg_yuv_planes(luma, *planes, quality=jpeg.FAITHFUL_QUALITY)
        )
        if raster.as_coded:
            carrying, _ = _least(lambda: carry_scan(data, *planes, path.name))
    else:
        rgb = blend_rgb(raster.luma, field)
        decoding, _ = _least(lambda: stills.decode(data, path.name, 10**9))
        bare = Raster(luma=raster.luma, format=raster.format)
        encoding, _ = _least(lambda: stills.encode(rgb, bare, Metadata()))
    parts = {"decode": decoding, "inference": inference, "encode": encoding}
    return {**parts, "carried": carrying}


def peer_of(path: Path, colorizer: Colorizer) -> Times:
    """CPU seconds of the plain way: OpenCV, float Lab at full size, nearest, OpenCV."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, path.name)
        begun = time.process_time()
        ddcolor_way(path, target, colorizer)
        return {"cpu": time.process_time() - begun}


WAYS: dict[str, Callable[[Path, Colorizer], Times]] = {"floor": floor_of, "peer": peer_of}


def _least(work: Callable[[], Any]) -> tuple[float, Any]:
    spent = []
    for _ in range(_TIMES):
        begun = time.process_time()
        result = work()
        spent.append(time.process_time() - begun)
    return min(spent), result


def measure(way: str, paths: Sequence[Path], model: Path) -> dict[str, float]:
    """Means over the photos in seconds of CPU, and the peak of this process in MB."""
    cv2.setNumThreads(1)
    colorizer = open_colorizer(model, device="cpu")
    found = [WAYS[way](path, colorizer) for path in paths]
    # Kilobytes on Linux, bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    parts = {part: fmean(one[part] for one in found) for part in found[0]}
    return {**parts, "peak_mb": peak}


def main() -> None:
    """Print the means of the first photos of a folder."""
    way, folder, photos, model = sys.argv[1:]
    paths = sorted(Path(folder).iterdir())[: int(photos)]
    print(json.dumps(measure(way, paths, Path(model))))


if __name__ == "__main__":
    main()
