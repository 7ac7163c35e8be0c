"""JPEG to JPEG, luma encoded again and luma kept bit for bit: size, error and CPU time.

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
from archive_colorizer.image.codecs.jpeg.codec import encode_jpeg
from archive_colorizer.image.codecs.jpeg.lossless import encode_lossless, read_luma
from archive_colorizer.image.codecs.jpeg.metadata import insert_metadata
from archive_colorizer.image.codecs.jpeg.scan_transfer import carry_scan
from archive_colorizer.image.codecs.jpeg.segments import JpegFrame
from archive_colorizer.image.raster import Metadata

HEAD = (
    "source", "kept by being", "encoded / source", "kept / source", "encoded: luma error",
    "kept: luma error", "coefficients", "CPU to read and write, kept / encoded",
    "CPU to read, blend and write, kept / encoded", "CPU to decode, kept / encoded",
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
    is_carried = JpegFrame.read(source, name).is_grey_baseline
    other, kept = cpu(lambda: (read(), keep(source, cb, cr, name, is_carried))[1])
    same = np.array_equal(read_luma(source, name).blocks, read_luma(kept, name).blocks)
    shown = [cpu(lambda one=one: simplejpeg.decode_jpeg(one, "RGB"))[0] for one in (kept, encoded)]
    return (
        name,
        "carried" if is_carried else "lossless",
        f"{len(encoded) / len(source):.2f}",
        f"{len(kept) / len(source):.2f}",
        *(said_error(luma, result) for result in (encoded, kept)),
        "identical" if same else "DIFFERENT",
        f"{other / one:.2f}",
        f"{(other + blending) / (one + blending):.2f}",
        f"{shown[0] / shown[1]:.2f}",
    )


def keep(source: bytes, cb: Any, cr: Any, name: str, is_carried: bool) -> bytes:
    """The result with the source's luma."""
    if is_carried:
        return insert_metadata(carry_scan(source, cb, cr, name), Metadata())
    return encode_lossless(source, cb, cr, Metadata(), name)


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
    for said, picture, options in (
        ("progressive", Image.fromarray(grainy()), {"progressive": True}),
        ("stored as color", Image.fromarray(grainy()).convert("RGB"), {}),
    ):
        target = io.BytesIO()
        picture.save(target, "JPEG", quality=90, **options)
        made.append((f"12 MP grey, quality 90, {said}", target.getvalue()))
    return made


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    print("| " + " | ".join(HEAD) + " |")
    print("|" + " --- |" * len(HEAD))
    for name, source in sources():
        print("| " + " | ".join(row(name, source)) + " |", flush=True)


if __name__ == "__main__":
    main()
