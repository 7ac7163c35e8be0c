"""Read and write DPX (SMPTE ST 268-1), the frames of film scanners, at their own depth.

FFmpeg codes the pixels; the header stays the source's, with its time code, film edge numbers
and transfer characteristic.
"""

import struct
from fractions import Fraction
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, ResultUnwritable, UnsupportedPicture
from archive_colorizer.video.planes import extract_luma, get_luma_depth, has_color, identify_chroma
from archive_colorizer.video.pyav import load_pyav

_HEADER: Final = 2048
_ORDERS: Final = {b"SDPX": ">", b"XPDS": "<"}
_OFFSET, _FILE_SIZE, _USER_SIZE, _CREATOR = 4, 16, 32, 160
_ELEMENTS, _WIDTH, _HEIGHT = 770, 772, 776
_DESCRIPTOR, _BITS, _PACKING, _ENCODING, _DATA, _LINE_PAD, _IMAGE_PAD = (
    800, 803, 804, 806, 808, 812, 816,
)  # fmt: skip
_RGB: Final = 50
_FORMATS: Final = {8: "rgb24", 10: "gbrp10", 12: "gbrp12", 16: "rgb48"}
_UNSET: Final = 0xFFFFFFFF


def is_dpx(data: bytes) -> bool:
    """Whether `data` begins a DPX."""
    return data[:4] in _ORDERS


def read_dpx_size(header: bytes, name: str) -> tuple[int, int, int]:
    """Read width, height and bits from the first 2048 bytes.  Raises DamagedPicture."""
    if not is_dpx(header) or len(header) < _HEADER:
        raise DamagedPicture(f"{name}: cut within its header, or no DPX; look for a better copy")
    order = _ORDERS[header[:4]]
    width, height = struct.unpack_from(f"{order}2I", header, _WIDTH)
    return width, height, header[_BITS]


def read_dpx(data: bytes, name: str) -> tuple[Plane, int, bool]:
    """Decode a DPX of grey or R'G'B' to full-range luma, its bits, and whether it shows color.

    Raises DamagedPicture, or UnsupportedPicture for Y'CbCr.
    """
    av = load_pyav()
    read_dpx_size(data[:_HEADER], name)
    try:
        codec = av.CodecContext.create("dpx", "r")
        frames = codec.decode(av.Packet(data)) + codec.decode(None)
    except av.error.FFmpegError as error:
        kind = UnsupportedPicture if "implement" in str(error.strerror) else DamagedPicture
        raise kind(f"{name} cannot be decoded ({error.strerror})") from None
    if not frames:
        raise DamagedPicture(f"{name} holds no picture; look for a better copy")
    pixels = frames[0].format
    if identify_chroma(pixels) not in ("rgb", "4:0:0"):
        raise UnsupportedPicture(f"{name}: a DPX of Y'CbCr is not restored; convert it to R'G'B'")
    luma = extract_luma(frames[0], "bt601", name)
    return luma, get_luma_depth(pixels), has_color(frames[0])


def write_dpx(rgb: Plane, depth: int, source: bytes, creator: str) -> bytes:
    """Encode `rgb` (H x W x 3) as a DPX with the header and the byte order of `source`.

    creator: the header's field of 99 bytes.  Raises ResultUnwritable.
    """
    if depth not in _FORMATS:
        raise ResultUnwritable(f"a DPX of {depth} bit is not written; convert the source to 10")
    order = _ORDERS[source[:4]]
    encoded = _encode_pixels(rgb, depth, order)
    encoded_order = _ORDERS[encoded[:4]]
    (user,) = struct.unpack_from(f"{order}I", source, _USER_SIZE)
    (begin,) = struct.unpack_from(f"{encoded_order}I", encoded, _OFFSET)
    user = 0 if user == _UNSET else min(user, max(len(source) - _HEADER, 0), 1 << 20)
    header = bytearray(source[: _HEADER + user])
    pixels = encoded[begin:]
    for at, value in (
        (_OFFSET, len(header)),
        (_FILE_SIZE, len(header) + len(pixels)),
        (_DATA, len(header)),
        (_LINE_PAD, 0),
        (_IMAGE_PAD, 0),
    ):
        struct.pack_into(f"{order}I", header, at, value)
    for at in (_PACKING, _ENCODING):
        struct.pack_into(
            f"{order}H", header, at, *struct.unpack_from(f"{encoded_order}H", encoded, at)
        )
    struct.pack_into(f"{order}H", header, _ELEMENTS, 1)
    header[_DESCRIPTOR], header[_BITS] = _RGB, depth
    header[_CREATOR : _CREATOR + 100] = creator.encode()[:99].ljust(100, b"\0")
    return bytes(header) + pixels


def _encode_pixels(rgb: Plane, depth: int, order: str) -> bytes:
    av = load_pyav()
    height, width = rgb.shape[:2]
    name = _FORMATS[depth] if depth == 8 else _FORMATS[depth] + ("be" if order == ">" else "le")
    codec = av.CodecContext.create("dpx", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, name
    codec.time_base = Fraction(1, 24)
    frame = av.VideoFrame(width, height, name)
    dtype: Any = np.uint8 if depth == 8 else np.dtype(f"{order}u2")
    # FFmpeg orders its planes G, B, R.
    planes = (
        [rgb.reshape(height, -1)] if name.startswith("rgb") else [rgb[..., at] for at in (1, 2, 0)]
    )
    for plane, target in zip(planes, frame.planes, strict=True):
        rows = np.frombuffer(target, dtype).reshape(height, -1)
        rows[:, : plane.shape[1]] = plane
    frame.pts = 0
    try:
        return b"".join(bytes(packet) for packet in codec.encode(frame) + codec.encode(None))
    except av.error.FFmpegError as error:
        raise ResultUnwritable(f"a DPX cannot be written: {error.strerror}") from None
