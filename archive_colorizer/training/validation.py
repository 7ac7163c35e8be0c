"""Measure predicted colors on validation photographs, with the original luma attached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from archive_colorizer.color.space import ByteArray, FloatArray, compute_rgb, convert_rgb_to_lab
from archive_colorizer.errors import SourceError
from archive_colorizer.training.data.crops import TrainingPhoto, decode_photo, to_planes

Predict = Callable[[FloatArray], FloatArray]
"""A function from luma, N x 1 x H x W in [0, 1], to CbCr, N x 2 x H x W in [-0.5, 0.5]."""
_BATCH = 8


@dataclass(frozen=True, slots=True)
class ValidationFigures:
    """Hold means over photographs.

    ciede2000: color difference from the truth.  psnr: dB, over RGB.  colorfulness: by Hasler
    and Suesstrunk (2003), relative to the truth.  chroma, b: mean CIE Lab chroma and b* (cold
    below 0, warm above).
    """

    ciede2000: float
    psnr: float
    colorfulness: float
    chroma: float
    b: float

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


class ValidationSet:
    """Hold a fixed set of square photographs, and the figures of the truth and of grey."""

    def __init__(self, photos: Sequence[TrainingPhoto], size: int) -> None:
        squares = [square for photo in photos if (square := _crop_square(photo, size)) is not None]
        planes = [to_planes(square) for square in squares]
        self.luma = np.stack([p[0] for p in planes])[:, None]
        self.chroma = np.stack([p[1] for p in planes])
        self._truth = _to_rgb(self.luma, self.chroma)
        self._lab = _compute_lab(self._truth)
        self._colorfulness = _compute_colorfulness(self._truth)
        self.truth = self._compute_figures(self._truth)
        self.grey = self.measure(lambda luma: np.zeros((len(luma), 2, size, size), np.float32))

    def measure(self, predict: Predict) -> ValidationFigures:
        parts = [predict(self.luma[n : n + _BATCH]) for n in range(0, len(self.luma), _BATCH)]
        return self._compute_figures(_to_rgb(self.luma, np.concatenate(parts)))

    def score(self, figures: Mapping[str, float], weight: float) -> float:
        """Rank figures by CIEDE2000 plus `weight` x the gap in colorfulness; lower is better."""
        gap = abs(1.0 - figures["colorfulness"]) * self._colorfulness
        return figures["ciede2000"] + weight * gap

    def write_sheet(self, predict: Predict, path: Path, count: int = 12) -> None:
        """Write a PNG with one row for each photo: grey | prediction | truth."""
        luma = self.luma[:count]
        grey = np.repeat(luma.transpose(0, 2, 3, 1), 3, axis=3)
        predicted = _to_rgb(luma, predict(luma))
        rows = np.concatenate([grey, predicted, self._truth[:count]], axis=2)
        columns = np.split(rows, 2) if len(rows) % 2 == 0 else [rows]
        picture = np.concatenate([np.concatenate(list(part)) for part in columns], axis=1)
        is_encoded, png = cv2.imencode(".png", (picture[..., ::-1] * 255.0 + 0.5).astype(np.uint8))
        if is_encoded:
            path.write_bytes(png.tobytes())

    def _compute_figures(self, rgb: FloatArray) -> ValidationFigures:
        from skimage.color import deltaE_ciede2000

        lab = _compute_lab(rgb)
        error = ((rgb - self._truth) ** 2).mean((1, 2, 3))
        return ValidationFigures(
            ciede2000=float(deltaE_ciede2000(self._lab, lab).mean()),
            psnr=float(np.mean(-10.0 * np.log10(np.maximum(error, 1e-10)))),
            colorfulness=_compute_colorfulness(rgb) / max(self._colorfulness, 1e-6),
            chroma=float(np.hypot(lab[..., 1], lab[..., 2]).mean()),
            b=float(lab[..., 2].mean()),
        )


def choose_validation_photos(
    photos: Sequence[TrainingPhoto], limit: int, seed: int
) -> list[TrainingPhoto]:
    """Choose photos from all sources in turn, so that no large source dominates."""
    rng = np.random.default_rng(seed)
    queues: dict[str, list[TrainingPhoto]] = {}
    for index in rng.permutation(len(photos)):
        queues.setdefault(photos[index].source, []).append(photos[index])
    chosen: list[TrainingPhoto] = []
    while queues and len(chosen) < limit:
        for source in sorted(queues):
            chosen.append(queues[source].pop())
            if not queues[source]:
                del queues[source]
    return chosen[:limit]


def _crop_square(photo: TrainingPhoto, size: int) -> ByteArray | None:
    """Return the middle square of a photo at size x size, or None if it cannot be decoded."""
    content = photo.content
    try:
        picture = decode_photo(content, size)
    except SourceError:
        return None
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=interpolation), np.uint8)


def _to_rgb(luma: FloatArray, chroma: FloatArray) -> FloatArray:
    """Convert to R'G'B', N x H x W x 3, clipped to [0, 1]."""
    tall, wide = luma.shape[0] * luma.shape[2], luma.shape[3]
    planes = chroma.transpose(0, 2, 3, 1).reshape(tall, wide, 2)
    rgb = compute_rgb(luma.reshape(tall, wide), np.ascontiguousarray(planes))
    return np.clip(rgb, 0.0, 1.0).reshape(*luma[:, 0].shape, 3)


def _compute_lab(rgb: FloatArray) -> FloatArray:
    """Convert every second pixel, which suffices for a mean, to CIE Lab (D65)."""
    subsampled = np.ascontiguousarray(rgb[:, ::2, ::2])
    rows = subsampled.reshape(-1, subsampled.shape[2], 3)
    return convert_rgb_to_lab(rows).reshape(subsampled.shape)


def _compute_colorfulness(rgb: FloatArray) -> float:
    red, green, blue = (rgb[..., channel] * 255.0 for channel in range(3))
    rg, yb = red - green, 0.5 * (red + green) - blue
    spread = np.hypot(rg.std((1, 2)), yb.std((1, 2)))
    return float((spread + 0.3 * np.hypot(rg.mean((1, 2)), yb.mean((1, 2)))).mean())
