"""Soft light, as in W3C's Compositing and Blending Level 1, section 10.1.9.

https://www.w3.org/TR/compositing-1/#blendingsoftlight
"""

import numpy as np

from archive_colorizer.color.space import FloatArray, chroma_of, rgb_of


def soft_light(backdrop: FloatArray, source: FloatArray) -> FloatArray:
    """The blend of a source layer over a backdrop, both in 0..1 and of shapes that fit."""
    soft = np.where(
        backdrop <= 0.25, ((16 * backdrop - 12) * backdrop + 4) * backdrop, np.sqrt(backdrop)
    )
    darker = backdrop - (1 - 2 * source) * backdrop * (1 - backdrop)
    lighter = backdrop + (2 * source - 1) * (soft - backdrop)
    return np.asarray(np.where(source <= 0.5, darker, lighter), dtype=np.float32)


def soft_light_chroma(chroma: FloatArray, luma: FloatArray) -> FloatArray:
    """The chroma (H x W x 2) that a mask gives as a soft-light layer over its grey picture.

    The layer is the mask as a picture: chroma on luma (H x W, 0..1).  Only the color of the
    blend is taken; its luma is not, since the original's own is attached later.
    """
    layer = np.clip(rgb_of(luma, chroma), 0, 1)
    return chroma_of(soft_light(luma[..., None], np.asarray(layer, dtype=np.float32)))
