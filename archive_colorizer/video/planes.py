"""Extract planes from PyAV's frames."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import UnsupportedPicture
from archive_colorizer.video.film import STEPS, Chroma, Codes, Matrix

_CHROMAS: Final = {steps: chroma for chroma, steps in STEPS.items()}
_MIN_SPREAD: Final = 14
_MIN_SHARE: Final = 0.01


def get_luma_depth(pixels: Any) -> int:
    """Get the bits of the luma that `extract_luma` extracts from an av.VideoFormat."""
    bits = int(pixels.components[0].bits)
    if _is_planar(pixels) or pixels.name.startswith("gbr"):
        return bits
    return 8 if bits <= 8 else 16


def identify_chroma(pixels: Any) -> Chroma:
    """Identify the chroma subsampling of an av.VideoFormat."""
    colors = [component for component in pixels.components if not component.is_alpha]
    if pixels.is_rgb or pixels.has_palette:
        return "rgb"
    if len(colors) < 3:
        return "4:0:0"
    steps = (-(-64 // pixels.chroma_height(64)), -(-64 // pixels.chroma_width(64)))
    return _CHROMAS.get(steps, "4:2:0")


def extract_luma(frame: Any, matrix: Matrix, name: str) -> Plane:
    """Extract the stored Y' of an av.VideoFrame at its own depth.

    R'G'B' is converted by `matrix`, full range.
    Raises UnsupportedPicture for floating point samples.
    """
    pixels, depth = frame.format, get_luma_depth(frame.format)
    if pixels.name.endswith(("f16le", "f16be", "f32le", "f32be")):
        raise UnsupportedPicture(f"{name}: floating point samples are not restored")
    if pixels.name.startswith("gbr"):
        green, blue, red = (_copy_plane(frame, at) for at in range(3))
        return _compute_luma((red, green, blue), matrix, depth)
    if _is_planar(pixels):
        luma = _copy_plane(frame, 0)
        is_high = pixels.name[0] == "p" and pixels.name[1:2].isdigit()
        return (luma >> (16 - depth)).astype(np.uint16) if is_high else luma
    if identify_chroma(pixels) == "rgb":
        rgb = frame.reformat(format="rgb24" if depth == 8 else "rgb48le").to_ndarray()
        return _compute_luma(np.moveaxis(rgb, 2, 0), matrix, depth)
    return _copy_plane(frame.reformat(format=_choose_planar_format(pixels)), 0)


def has_color(frame: Any) -> bool:
    """Whether an av.VideoFrame is colored."""
    return is_colored(frame.reformat(width=64, height=48, format="rgb24").to_ndarray())


def is_colored(rgb: npt.NDArray[np.uint8]) -> bool:
    """Whether more than a small part of a picture (H x W x 3) is beyond the noise of a codec."""
    spread = np.ptp(rgb.astype(np.int16), axis=2)
    return bool(np.mean(spread > _MIN_SPREAD) > _MIN_SHARE)


def _is_planar(pixels: Any) -> bool:
    """Whether plane 0 holds only luma, in whole bytes."""
    alone = sum(component.plane == 0 for component in pixels.components) == 1
    is_rgb = pixels.is_rgb or pixels.has_palette
    return alone and not is_rgb and not pixels.is_bit_stream


def _choose_planar_format(pixels: Any) -> str:
    """Choose a planar format that keeps the luma of a packed one exactly."""
    chroma, depth = identify_chroma(pixels), get_luma_depth(pixels)
    if chroma == "4:0:0":
        return "gray" if depth == 8 else "gray16le"
    name = "yuv" + chroma.replace(":", "") + "p"
    return name if depth == 8 else f"{name}16le"


def _copy_plane(frame: Any, at: int) -> Plane:
    pixels, plane = frame.format, frame.planes[at]
    order = ">" if pixels.is_big_endian else "<"
    dtype: Any = np.uint8 if pixels.components[0].bits <= 8 else np.dtype(f"{order}u2")
    rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
    native: Any = np.uint8 if dtype is np.uint8 else np.uint16
    return np.asarray(rows[: plane.height, : plane.width].astype(native))


def _compute_luma(rgb: Iterable[Plane], matrix: Matrix, depth: int) -> Plane:
    """Compute luma from planes R', G', B'."""
    codes = Codes(depth, True, matrix)
    red, blue = codes.weights
    weights = (red, 1 - red - blue, blue)
    planes = zip(weights, rgb, strict=True)
    exact: Any = sum(np.float32(weight) * plane.astype(np.float32) for weight, plane in planes)
    return codes.encode_luma(exact / np.float32(codes.white))
