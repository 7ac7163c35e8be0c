"""How good the colors are, on photographs kept aside, with the original luma put back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import lab_of, rgb_of
from archive_colorizer.errors import SourceError
from archive_colorizer.training.data.crops import Photo, decode, to_planes

Floats = npt.NDArray[np.float32]
Predict = Callable[[Floats], Floats]
"""Luma, N x 1 x H x W in [0, 1], to CbCr, N x 2 x H x W in [-0.5, 0.5]."""
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over photographs.

    ciede2000: color difference from the truth.  psnr: dB, over RGB.  colorfulness: after
    Hasler and Suesstrunk (2003), as a share of the truth's.  chroma, b: mean CIE Lab
    chroma and b* (cold below 0, warm above).
    """

    ciede2000: float
    psnr: float
    colorfulness: float
    chroma: float
    b: float

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


class Validation:
    """A fixed set of whole squares, and the figures of the truth and of grey beside it."""

    def __init__(self, photos: Sequence[Photo], size: int) -> None:
        squares = [square for photo in photos if (square := _square(photo, size)) is not None]
        planes = [to_planes(square) for square in squares]
        self.luma = np.stack([p[0] for p in planes])[:, None]
        self.chroma = np.stack([p[1] for p in planes])
        self._truth = _to_rgb(self.luma, self.chroma)
        self._lab = _lab(self._truth)
        self._colorfulness = _colorfulness(self._truth)
        self.truth = self._figures(self._truth)
        self.grey = self.measure(lambda luma: np.zeros((len(luma), 2, size, size), np.float32))

    def predict(self, predict: Predict) -> Floats:
        """Chroma for all squares, in small batches."""
        parts = [predict(self.luma[n : n + _BATCH]) for n in range(0, len(self.luma), _BATCH)]
        return np.concatenate(parts)

    def measure(self, predict: Predict) -> Figures:
        """The figures of a network."""
        return self._figures(_to_rgb(self.luma, self.predict(predict)))

    def score(self, figures: Mapping[str, float], weight: float) -> float:
        """One number to rank networks by, the lower the better.

        CIEDE2000 plus `weight` x the gap in colorfulness, as the perceived objective has it:
        by color difference alone, a dull network would be the best one.
        """
        gap = abs(1.0 - figures["colorfulness"]) * self._colorfulness
        return figures["ciede2000"] + weight * gap

    def sheet(self, predict: Predict, path: Path, count: int = 12) -> None:
        """Write a PNG: a row a photo, grey | prediction | truth."""
        luma = self.luma[:count]
        grey = np.repeat(luma.transpose(0, 2, 3, 1), 3, axis=3)
        made = _to_rgb(luma, predict(luma))
        rows = np.concatenate([grey, made, self._truth[:count]], axis=2)
        columns = np.split(rows, 2) if len(rows) % 2 == 0 else [rows]
        picture = np.concatenate([np.concatenate(list(part)) for part in columns], axis=1)
        done, png = cv2.imencode(".png", (picture[..., ::-1] * 255.0 + 0.5).astype(np.uint8))
        if done:
            path.write_bytes(png.tobytes())

    def _figures(self, rgb: Floats) -> Figures:
        from skimage.color import deltaE_ciede2000

        lab = _lab(rgb)
        error = ((rgb - self._truth) ** 2).mean((1, 2, 3))
        return Figures(
            ciede2000=float(deltaE_ciede2000(self._lab, lab).mean()),
            psnr=float(np.mean(-10.0 * np.log10(np.maximum(error, 1e-10)))),
            colorfulness=_colorfulness(rgb) / max(self._colorfulness, 1e-6),
            chroma=float(np.hypot(lab[..., 1], lab[..., 2]).mean()),
            b=float(lab[..., 2].mean()),
        )


def choose_validation(photos: Sequence[Photo], most: int, seed: int) -> list[Photo]:
    """At most `most` photos, the sources in turn, so that no large source drowns the rest."""
    rng = np.random.default_rng(seed)
    queues: dict[str, list[Photo]] = {}
    for index in rng.permutation(len(photos)):
        queues.setdefault(photos[index].source, []).append(photos[index])
    chosen: list[Photo] = []
    while queues and len(chosen) < most:
        for source in sorted(queues):
            chosen.append(queues[source].pop())
            if not queues[source]:
                del queues[source]
    return chosen[:most]


def _square(photo: Photo, size: int) -> npt.NDArray[np.uint8] | None:
    """The middle square of a photo at size x size, or None where it cannot be decoded."""
    content = photo.content
    try:
        picture = decode(content, size)
    except SourceError:
        return None
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = picture[top : top + side, left : left + side]
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cut, (size, size), interpolation=way), np.uint8)


def _to_rgb(luma: Floats, chroma: Floats) -> Floats:
    """N x H x W x 3 in [0, 1], clipped."""
    tall, wide = luma.shape[0] * luma.shape[2], luma.shape[3]
    planes = chroma.transpose(0, 2, 3, 1).reshape(tall, wide, 2)
    rgb = rgb_of(luma.reshape(tall, wide), np.ascontiguousarray(planes))
    return np.clip(rgb, 0.0, 1.0).reshape(*luma[:, 0].shape, 3)


def _lab(rgb: Floats) -> Floats:
    """CIE Lab (D65) of every second pixel, which is enough for a mean."""
    some = np.ascontiguousarray(rgb[:, ::2, ::2])
    return lab_of(some.reshape(-1, some.shape[2], 3)).reshape(some.shape)


def _colorfulness(rgb: Floats) -> float:
    red, green, blue = (rgb[..., channel] * 255.0 for channel in range(3))
    rg, yb = red - green, 0.5 * (red + green) - blue
    spread = np.hypot(rg.std((1, 2)), yb.std((1, 2)))
    return float((spread + 0.3 * np.hypot(rg.mean((1, 2)), yb.mean((1, 2)))).mean())
