"""Planes of decoded video and of video to encode."""

from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import UnsupportedPicture
from archive_colorizer.video.film import WEIGHTS, Chroma, Codes, ColorFrame, Layout, Matrix
from archive_colorizer.video.pyav import library

_CHROMAS: Final[dict[tuple[int, int], Chroma]] = {
    (2, 2): "4:2:0",
    (2, 1): "4:2:2",
    (1, 1): "4:4:4",
    (4, 1): "4:1:1",
    (1, 2): "4:4:0",
    (4, 4): "4:1:0",
}
"""By columns and rows of luma to one chroma sample."""

_COLOR: Final = 14
_FEW: Final = 0.01


def depth_of(pixels: Any) -> int:
    """Bits of luma that `luma_of_video` gives for an av.VideoFormat."""
    bits = int(pixels.components[0].bits)
    if _is_planar(pixels) or _is_planar_rgb(pixels):
        return bits
    return 8 if bits <= 8 else 16


def chroma_of_video(pixels: Any) -> Chroma:
    """The chroma layout of an av.VideoFormat."""
    colors = [one for one in pixels.components if not one.is_alpha]
    if pixels.is_rgb or pixels.has_palette:
        return "rgb"
    if len(colors) < 3:
        return "4:0:0"
    steps = (-(-64 // pixels.chroma_width(64)), -(-64 // pixels.chroma_height(64)))
    return _CHROMAS.get(steps, "4:2:0")


def luma_of_video(frame: Any, matrix: Matrix, name: str) -> Plane:
    """Y' of an av.VideoFrame at its own depth, as stored; of R'G'B' by `matrix`, full range.

    Raises UnsupportedPicture for floating point samples.
    """
    pixels = frame.format
    if pixels.name.endswith(("f16le", "f16be", "f32le", "f32be")):
        raise UnsupportedPicture(f"{name}: floating point samples are not restored")
    if _is_planar_rgb(pixels):
        green, blue, red = (_plane(frame, at) for at in range(3))
        return _weighed((red, green, blue), matrix, depth_of(pixels))
    if _is_planar(pixels):
        luma = _plane(frame, 0)
        is_high = pixels.name[0] == "p" and pixels.name[1:2].isdigit()
        return (luma >> (16 - depth_of(pixels))).astype(np.uint16) if is_high else luma
    if chroma_of_video(pixels) == "rgb":
        wide = frame.reformat(format="rgb24" if depth_of(pixels) == 8 else "rgb48le")
        rgb = wide.to_ndarray()
        return _weighed((rgb[..., 0], rgb[..., 1], rgb[..., 2]), matrix, depth_of(pixels))
    return _plane(frame.reformat(format=_unpacked(pixels)), 0)


def shows_color(frame: Any) -> bool:
    """Whether more than a few of a frame's parts are colored beyond the noise of a codec."""
    small = frame.reformat(width=64, height=48, format="rgb24").to_ndarray().astype(np.int16)
    return bool(np.mean(small.max(axis=2) - small.min(axis=2) > _COLOR) > _FEW)


def pixel_format(layout: Layout) -> str:
    """FFmpeg's name for the planes of a layout."""
    name = "yuv" + layout.chroma.replace(":", "") + "p"
    return name if layout.codes.depth == 8 else f"{name}{layout.codes.depth}le"


def video_of(frame: ColorFrame, layout: Layout, time_base: Fraction) -> Any:
    """An av.VideoFrame of a frame's planes.  Raises ValueError where their sizes do not fit."""
    height, width = frame.luma.shape
    video = library().VideoFrame(width, height, pixel_format(layout))
    small = layout.chroma_shape(height, width)
    dtype = np.uint8 if layout.codes.depth == 8 else np.dtype("<u2")
    for at, (plane, shape) in enumerate(
        ((frame.luma, (height, width)), (frame.cb, small), (frame.cr, small))
    ):
        if plane.shape != shape or plane.itemsize != np.dtype(dtype).itemsize:
            raise ValueError(f"plane {at} is {plane.dtype} {plane.shape}, not {dtype} {shape}")
        target = video.planes[at]
        rows = np.frombuffer(target, dtype).reshape(-1, target.line_size // plane.itemsize)
        rows[: shape[0], : shape[1]] = plane
    video.pts, video.time_base = frame.pts, time_base
    return video


def _is_planar_rgb(pixels: Any) -> bool:
    return bool(pixels.name.startswith("gbr"))


def _is_planar(pixels: Any) -> bool:
    """Whether plane 0 holds luma and nothing else, in whole bytes."""
    alone = sum(one.plane == 0 for one in pixels.components) == 1
    is_rgb = pixels.is_rgb or pixels.has_palette
    return alone and not is_rgb and not pixels.is_bit_stream


def _unpacked(pixels: Any) -> str:
    """A planar format that holds the luma of a packed one as it is."""
    chroma, depth = chroma_of_video(pixels), depth_of(pixels)
    if chroma == "4:0:0":
        return "gray" if depth == 8 else "gray16le"
    bits = int(pixels.components[0].bits)
    name = "yuv" + chroma.replace(":", "") + "p"
    return name if bits <= 8 else f"{name}16le"


def _plane(frame: Any, at: int) -> Plane:
    pixels, plane = frame.format, frame.planes[at]
    order = ">" if pixels.is_big_endian else "<"
    dtype: Any = np.uint8 if pixels.components[0].bits <= 8 else np.dtype(f"{order}u2")
    rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
    native: Any = np.uint8 if dtype is np.uint8 else np.uint16
    kept: Plane = rows[: plane.height, : plane.width].astype(native)
    return kept


def _weighed(rgb: tuple[Plane, Plane, Plane], matrix: Matrix, depth: int) -> Plane:
    """Luma of planes R', G', B'."""
    red, blue = WEIGHTS[matrix]
    weights = (red, 1 - red - blue, blue)
    exact: npt.NDArray[np.float32] = np.zeros(rgb[0].shape, np.float32)
    for weight, plane in zip(weights, rgb, strict=True):
        exact += np.float32(weight) * plane.astype(np.float32)
    codes = Codes(depth, True, matrix)
    return codes.luma_codes(exact / np.float32(codes.white))
