"""Color differences as the eye sees them, in a form that gradients flow through."""

import math

import torch
from torch import Tensor

from archive_colorizer.color.space import B_FROM_CB, G_FROM_CB, G_FROM_CR, R_FROM_CR

_WHITE_D65 = (0.95047, 1.0, 1.08883)
_XYZ_OF_SRGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_TINY = 1e-6
_25_7 = 25.0**7


def to_srgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """N x 3 x H x W in [0, 1] of luma, N x 1 x H x W in [0, 1], and CbCr, N x 2 x H x W.

    Colors out of gamut are clipped as the pipeline clips them, but the gradient goes on as
    if they were not, or nothing would ever pull them back.
    """
    cb, cr = chroma[:, :1], chroma[:, 1:]
    green = luma + G_FROM_CB * cb + G_FROM_CR * cr
    rgb = torch.cat([luma + R_FROM_CR * cr, green, luma + B_FROM_CB * cb], 1)
    return rgb + (rgb.clamp(0.0, 1.0) - rgb).detach()


def to_lab(srgb: Tensor) -> Tensor:
    """CIE L*a*b* (D65, 2 degrees; L 0 to 100) of gamma-coded sRGB in [0, 1], N x 3 x H x W.

    IEC 61966-2-1 and CIE 15.
    """
    steep = ((srgb.clamp(min=0.04) + 0.055) / 1.055) ** 2.4
    linear = torch.where(srgb <= 0.04045, srgb / 12.92, steep)
    matrix = srgb.new_tensor(_XYZ_OF_SRGB) / srgb.new_tensor(_WHITE_D65)[:, None]
    xyz = torch.einsum("ij,njhw->nihw", matrix, linear)
    edge = (6.0 / 29.0) ** 3
    f = torch.where(xyz > edge, xyz.clamp(min=edge) ** (1 / 3), xyz * (841.0 / 108.0) + 4.0 / 29.0)
    x, y, z = f.unbind(1)
    return torch.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], 1)


def ciede2000(lab: Tensor, truth: Tensor) -> Tensor:
    """CIEDE2000 color difference, N x H x W, of two L*a*b* pictures, N x 3 x H x W.

    After Sharma, Wu and Dalal, Color Research and Application 30 (2005).  Values are exact
    up to a floor of about 0.001, which keeps the slope finite where the two are equal; the
    gradient takes the mean hue as given, for a hue has none at grey.
    """
    (l1, a1, b1), (l2, a2, b2) = lab.unbind(1), truth.unbind(1)
    mean_seventh = ((_length(a1, b1) + _length(a2, b2)) / 2.0) ** 7
    stretch = 1.5 - 0.5 * torch.sqrt(mean_seventh / (mean_seventh + _25_7) + _TINY)
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = _length(a1, b1), _length(a2, b2)
    mean_c = (c1 + c2) / 2.0
    tone, turn = _hue_terms(a1, b1, a2, b2, mean_c)
    light = ((l1 + l2) / 2.0 - 50.0) ** 2
    dl = (l1 - l2) / (1.0 + 0.015 * light / torch.sqrt(20.0 + light))
    dc = (c1 - c2) / (1.0 + 0.045 * mean_c)
    # Twice the geometric mean of the chromas times the sine of half the angle, without angles.
    squared = (2.0 * (c1 * c2 - a1 * a2 - b1 * b2)).clamp(min=0.0)
    side = torch.sign(a2 * b1 - a1 * b2)
    dh = side * torch.sqrt(squared + _TINY) / (1.0 + 0.015 * mean_c * tone)
    return torch.sqrt((dl * dl + dc * dc + dh * dh + turn * dc * dh).clamp(min=0.0) + _TINY)


def chroma_of(lab: Tensor) -> Tensor:
    """C*ab, the distance from grey, N x H x W, of L*a*b*, N x 3 x H x W."""
    return _length(lab[:, 1], lab[:, 2])


def _length(a: Tensor, b: Tensor) -> Tensor:
    return torch.sqrt(a * a + b * b + _TINY)


@torch.no_grad()
def _hue_terms(a1: Tensor, b1: Tensor, a2: Tensor, b2: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """T and R_T of the standard."""
    h1, h2 = torch.atan2(b1, a1) % (2 * math.pi), torch.atan2(b2, a2) % (2 * math.pi)
    mean = (h1 + h2) / 2.0
    mean = torch.where((h1 - h2).abs() > math.pi, mean + math.pi, mean) % (2 * math.pi)
    degrees = torch.rad2deg(mean)
    tone = (
        1.0
        - 0.17 * torch.cos(mean - math.radians(30.0))
        + 0.24 * torch.cos(2.0 * mean)
        + 0.32 * torch.cos(3.0 * mean + math.radians(6.0))
        - 0.20 * torch.cos(4.0 * mean - math.radians(63.0))
    )
    blue = torch.deg2rad(60.0 * torch.exp(-(((degrees - 275.0) / 25.0) ** 2)))
    seventh = c**7
    return tone, -2.0 * torch.sqrt(seventh / (seventh + _25_7)) * torch.sin(blue)
