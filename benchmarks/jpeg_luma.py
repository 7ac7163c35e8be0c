"""JPEG to JPEG, luma encoded again and luma carried over: size, error and CPU time.

Run `python benchmarks/jpeg_luma.py [JPEG ...]`; without files it makes a grey photograph of
12 megapixels with grain.  CPU times are of this process, the least of five, and are given as
shares of the encoded way in the same run; the network is left out of both.
"""

import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# As in a worker: one thread, or the waiting of others would count as work.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import cv2
import numpy as np
import simplejpeg
from PIL import Image
from skimage import data

from archive_colorizer.color.blend import ChromaField, blend_planes
from archive_colorizer.media.jpeg import encode_jpeg
from archive_colorizer.media.jpeg_lossless import encode_lossless, read_luma
from archive_colorizer.media.raster import Metadata

HEAD = (
    "source", "bytes", "encoded / source", "lossless / source", "encoded: luma error",
    "lossless: luma error", "coefficients", "CPU to read and write, lossless / encoded",
    "CPU to read, blend and write, lossless / encoded",
)  # fmt: skip


def grainy() -> np.ndarray:
    """A grey photograph of 4000 x 3000 pixels with the grain of film."""
    grey = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
    large = cv2.resize(grey, (4000, 3000), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain = np.random.default_rng(12).normal(0, 5, large.shape)
    return np.clip(np.rint(large + cv2.GaussianBlur(grain, (0, 0), 0.8) * 2), 0, 255).astype("u1")


def field() -> ChromaField:
    """Colors of a photograph as a network gives them: small and smooth."""
    ycc = cv2.cvtColor(cv2.resize(data.astronaut(), (256, 256)), cv2.COLOR_RGB2YCrCb)
    chroma = cv2.GaussianBlur(ycc[..., [2, 1]].astype(np.float32) / 255 - 128 / 255, (0, 0), 2)
    return ChromaField(np.concatenate([np.zeros_like(chroma), chroma], axis=2))


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """The least CPU seconds of five, and the result."""
    times = []
    for _ in range(5):
        begun = time.process_time()
        result = work()
        times.append(time.process_time() - begun)
    return min(times), result


def row(name: str, source: bytes) -> tuple[str, ...]:
    """One line of the table."""
    luma = simplejpeg.decode_jpeg(source, "GRAY")[..., 0]
    blending, (cb, cr) = cpu(lambda: blend_planes(luma, field()))

    def read() -> np.ndarray:
        return simplejpeg.decode_jpeg(source, "GRAY")[..., 0]

    one, encoded = cpu(lambda: encode_jpeg(read(), cb, cr, Metadata(), 100))
    other, lossless = cpu(lambda: (read(), encode_lossless(source, cb, cr, Metadata(), name))[1])
    same = np.array_equal(read_luma(source, name).blocks, read_luma(lossless, name).blocks)
    return (
        name,
        f"{len(source):,}",
        f"{len(encoded) / len(source):.3f}",
        f"{len(lossless) / len(source):.3f}",
        *(said_error(luma, result) for result in (encoded, lossless)),
        "identical" if same else "DIFFERENT",
        f"{other / one:.1f}",
        f"{(other + blending) / (one + blending):.2f}",
    )


def said_error(luma: np.ndarray, result: bytes) -> str:
    """The mean and the greatest difference from `luma`."""
    off = np.abs(simplejpeg.decode_jpeg(result, "GRAY")[..., 0].astype(int) - luma)
    return f"{off.mean():.4f}, {off.max()}"


def sources() -> list[tuple[str, bytes]]:
    """The files named, or photographs made here."""
    if sys.argv[1:]:
        return [(Path(name).name, Path(name).read_bytes()) for name in sys.argv[1:]]
    made = []
    for quality in (75, 90, 95, 100):
        target = io.BytesIO()
        Image.fromarray(grainy()).save(target, "JPEG", quality=quality)
        made.append((f"12 MP grey, quality {quality}", target.getvalue()))
    target = io.BytesIO()
    Image.fromarray(grainy()).save(target, "JPEG", quality=90, progressive=True)
    return [*made, ("12 MP grey, quality 90, progressive", target.getvalue())]


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    print("| " + " | ".join(HEAD) + " |")
    print("|" + " --- |" * len(HEAD))
    for name, source in sources():
        print("| " + " | ".join(row(name, source)) + " |", flush=True)


if __name__ == "__main__":
    main()
