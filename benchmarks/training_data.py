"""What photographs cost a training run before any network: memory, and crops a second.

    python -m benchmarks.training_data [COUNT ...]

Writes a tar of COUNT small photographs (crops of scikit-image's, of some 6 kB each) into a
temporary folder, and reads crops of 128 x 128 from it: held in memory, left on disk, and by
two processes.
"""

import io
import itertools
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
import simplejpeg
from skimage import data

from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data.crops import CropSampler
from archive_colorizer.training.data.loader import BatchLoader
from archive_colorizer.training.data.scan import index_photos
from archive_colorizer.training.data.store import PhotoIndex

_COUNTS = (2_000, 20_000, 200_000)
_BATCH, _SIZE, _SECONDS = 16, 128, 8.0
_HEAD = ("photos", "way", "tar MB", "index s", "index B/photo", "held MB", "RSS MB", "crops/s")


def main() -> None:
    """Print the table, a row as soon as it is known."""
    print(" | ".join(_HEAD))
    counts = [int(one) for one in sys.argv[1:]] or _COUNTS
    for count in counts:
        with TemporaryDirectory() as folder:
            tar = _write_tar(Path(folder) / "faces.tar", count)
            for row in _rows(tar):
                print(" | ".join(row), flush=True)


def _write_tar(path: Path, count: int) -> Path:
    pictures = list(_pictures())
    with tarfile.open(path, "w") as archive:
        for number, jpeg in zip(range(count), itertools.cycle(pictures), strict=False):
            entry = tarfile.TarInfo(f"faces/{number // 1000:04d}/face_{number:08d}.jpg")
            entry.size = len(jpeg)
            archive.addfile(entry, io.BytesIO(jpeg))
    return path


def _pictures() -> Iterator[bytes]:
    for picture in (data.astronaut(), data.chelsea(), data.coffee(), data.rocket()):
        for top, left in itertools.product(range(0, 120, 40), repeat=2):
            crop = np.ascontiguousarray(picture[top : top + 178, left : left + 178])
            yield simplejpeg.encode_jpeg(crop, quality=75)


def _rows(tar: Path) -> Iterator[list[str]]:
    began = time.monotonic()
    photos = index_photos([tar])
    indexed = time.monotonic() - began
    for way, readers in (("on disk", 0), ("on disk, 2 readers", 2), ("in memory", 0)):
        if way == "in memory":
            photos.load_into_memory(photos.total_bytes)
        yield [
            str(len(photos)),
            way,
            f"{tar.stat().st_size / 1e6:.0f}",
            f"{indexed:.1f}",
            f"{photos.index_bytes / len(photos):.0f}",
            f"{photos.memory_bytes / 1e6:.0f}",
            *_read(photos, readers),
        ]


def _read(photos: PhotoIndex, readers: int) -> tuple[str, str]:
    """Resident memory of this process and its readers in MB, and crops a second."""
    crops = CropSampler(photos, TrainingRecipe())
    with BatchLoader(crops, readers) as stream:
        numbers = itertools.count(0, _BATCH)
        while not stream.is_full:
            stream.request(next(numbers), _BATCH, _SIZE)
        stream.get()  # readers take a second to start
        began, taken = time.monotonic(), 0
        while time.monotonic() - began < _SECONDS:
            stream.request(next(numbers), _BATCH, _SIZE)
            stream.get()
            taken += _BATCH
        seconds = time.monotonic() - began
        own = psutil.Process()
        family = [own, *own.children(recursive=True)]
        resident = sum(process.memory_info().rss for process in family)
    return f"{resident / 1e6:.0f}", f"{taken / seconds:.0f}"


if __name__ == "__main__":
    main()
