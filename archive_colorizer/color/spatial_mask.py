"""Shares of the color at full size: where a picture stays grey, and where its color is weak.

A share is a plane of uint8, 0 for grey and 255 for all of the color, of any size: it is spread
over the picture strip by strip, so that none of full size is made.
"""

from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.resample import enlarge, rows_among
from archive_colorizer.color.space import FloatArray, Plane

_ROUND: Final = 0.0015
"""Of the short side: how far the color fades on the colored side of an edge."""


def share_of(plane: Plane, height: int, width: int) -> Plane:
    """A mask (h x w, uint8 or uint16, white for all of the color) for a picture of that size.

    It is made no larger than the picture.  At an edge the color fades on the colored side only:
    what is 0 in the mask is 0 in the share.
    """
    eight = np.asarray(plane if plane.dtype == np.uint8 else plane // 257, dtype=np.uint8)
    size = min(eight.shape[0], height), min(eight.shape[1], width)
    if size != eight.shape:
        smaller = cv2.resize(eight, size[::-1], interpolation=cv2.INTER_AREA)
        eight = np.asarray(smaller, dtype=np.uint8)
    reach = max(1, round(_ROUND * min(size)))
    sides = (2 * reach + 1, 2 * reach + 1)
    # Beyond the mask lies what lies at its rim.
    faded = cv2.erode(eight, np.ones(sides, np.uint8), borderType=cv2.BORDER_REPLICATE)
    faded = cv2.blur(faded, sides, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.min(faded, eight, dst=faded), dtype=np.uint8)


def share_rows(share: Plane, top: int, count: int, height: int, width: int) -> FloatArray:
    """The share, 0..1, for `count` rows from `top` of a picture of height x width."""
    known = share.shape[0]
    if share.shape == (height, width):
        rows: FloatArray = share[top : top + count].astype(np.float32)
    else:
        at = rows_among(known, top, count, height)
        above = at.astype(np.intp)
        below = np.minimum(above + 1, known - 1)
        weight = (at - above)[:, None]
        mixed = share[above] * (1 - weight) + share[below] * weight
        rows = enlarge(mixed.astype(np.float32), count, width)
    return rows / np.float32(255)
