"""Compare a restored photograph with the original in color."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import DependencyError

Picture = npt.NDArray[np.uint8]

_HIGHEST = 100.0
"""dB of equal pictures, so that means stay finite."""


@dataclass(frozen=True, slots=True)
class PhotoFigures:
    """Hold the metrics of one restored photograph against the original.

    psnr: dB over R'G'B', peak 255.  ab_psnr: dB over a* and b* of CIE Lab (D65), peak 255,
    the range that they have in 8 bits; lightness has no part in it.  Both are at most 100.
    ssim: over R'G'B', 8-bit range, mean of the channels.  ciede2000: mean color difference.
    colorfulness, truth: after Hasler and Suesstrunk (2003), of the result and of the truth.
    gap: the distance between these two.  b: mean b* of CIE Lab.  luma_error: largest
    difference of Y' in code values.
    """

    psnr: float
    ab_psnr: float
    ssim: float
    ciede2000: float
    colorfulness: float
    truth: float
    gap: float
    b: float
    luma_error: float

    @classmethod
    def compare(cls, result: Picture, truth: Picture) -> "PhotoFigures":
        """Compare H x W x 3 uint8 sRGB pictures, with no side under 7 pixels."""
        from skimage.color import deltaE_ciede2000, rgb2lab
        from skimage.metrics import structural_similarity

        lab, true_lab = rgb2lab(result), rgb2lab(truth)
        exact = result.astype(np.float64) @ [0.299, 0.587, 0.114]
        colorfulness, true_colorfulness = map(_compute_colorfulness, (result, truth))
        return cls(
            psnr=_compute_psnr(truth, result),
            ab_psnr=_compute_psnr(true_lab[..., 1:], lab[..., 1:]),
            ssim=float(structural_similarity(truth, result, channel_axis=2, win_size=7)),
            ciede2000=float(deltaE_ciede2000(true_lab, lab).mean()),
            colorfulness=colorfulness,
            truth=true_colorfulness,
            gap=abs(colorfulness - true_colorfulness),
            b=float(lab[..., 2].mean()),
            luma_error=float(np.abs(exact - compute_luma(truth)).max()),
        )


def _compute_colorfulness(rgb: Picture) -> float:
    """Return M of Hasler and Suesstrunk, Measuring colourfulness in natural images (2003)."""
    red, green, blue = (rgb[..., channel].astype(np.float64) for channel in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    spread, centre = np.hypot(rg.std(), yb.std()), np.hypot(rg.mean(), yb.mean())
    return float(spread + 0.3 * centre)


def require_metrics() -> None:
    """Raise DependencyError, with what to install, if scikit-image is missing."""
    try:
        import skimage  # noqa: F401
    except ImportError:
        raise DependencyError(
            "measuring needs scikit-image; run: pip install 'archive-colorizer[train]'"
        ) from None


def _compute_psnr(truth: npt.NDArray[np.generic], result: npt.NDArray[np.generic]) -> float:
    from skimage.metrics import peak_signal_noise_ratio

    with np.errstate(divide="ignore"):
        return min(_HIGHEST, float(peak_signal_noise_ratio(truth, result, data_range=255)))
