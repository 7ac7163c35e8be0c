"""ICC profiles for tests, made from the published figures of their color spaces."""

import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def encode_gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def encode_samples(curve: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]) -> bytes:
    table = np.rint(65535 * curve(np.linspace(0, 1, 1024))).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", 1024) + table.tobytes()


def encode_parametric(value: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HHi", 0, 0, round(value * 65536))


def encode_dot_gain() -> bytes:
    """Dot gain 20 %: half the ink covers 70 % of the paper (Murray-Davies)."""
    return encode_samples(lambda value: 1 - ((1 - value) + 0.8 * value * (1 - value)))


def encode_lightness() -> bytes:
    """L* as in eciRGB v2."""
    return encode_samples(
        lambda value: np.where(value > 0.08, ((value + 0.16) / 1.16) ** 3, value / 9.033)
    )


def build_grey_profile(curve: bytes, version: int = 0x02400000, space: bytes = b"XYZ ") -> bytes:
    tags = [(b"wtpt", _pack_xyz(D50)), (b"kTRC", curve)]
    return _pack_profile(b"GRAY", space, version, tags)


def build_rgb_profile(
    primaries: tuple[float, ...], white: tuple[float, float], curve: bytes
) -> bytes:
    """A matrix profile from x, y of red, green, blue and of white."""
    xyz = np.array([_convert_xy(*primaries[at : at + 2]) for at in (0, 2, 4)]).T
    matrix = xyz * np.linalg.solve(xyz, _convert_xy(*white))
    cones = (_BRADFORD @ D50) / (_BRADFORD @ _convert_xy(*white))
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ matrix
    colorants = zip((b"rXYZ", b"gXYZ", b"bXYZ"), adapted.T, strict=True)
    tags = [(b"wtpt", _pack_xyz(D50)), *((name, _pack_xyz(column)) for name, column in colorants)]
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    return _pack_profile(b"RGB ", b"XYZ ", 0x02400000, tags)


def _convert_xy(x: float, y: float) -> npt.NDArray[np.float64]:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _pack_xyz(values: tuple[float, ...] | npt.NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _pack_profile(space: bytes, pcs: bytes, version: int, tags: list[tuple[bytes, bytes]]) -> bytes:
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78
    tags = [(b"desc", name), (b"cprt", b"text\0\0\0\0none\0"), *tags]
    at, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for signature, content in tags:
        table += struct.pack(">4sII", signature, at + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    dated = struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"", version, b"mntr", space, pcs)
    head += dated + b"acsp" + b"\0" * 28 + _pack_xyz(D50)[8:] + b"\0" * 48
    return head + table + body


D65 = (0.3127, 0.3290)
D50_XY = (0.34567, 0.35850)
RGB = {
    "adobe rgb": build_rgb_profile(
        (0.64, 0.33, 0.21, 0.71, 0.15, 0.06), D65, encode_gamma(2.19921875)
    ),
    "eci rgb": build_rgb_profile((0.67, 0.33, 0.21, 0.71, 0.14, 0.08), D50_XY, encode_lightness()),
    "prophoto": build_rgb_profile(
        (0.734699, 0.265301, 0.159597, 0.840403, 0.036598, 0.000105), D50_XY, encode_gamma(1.8)
    ),
}
GREY = {
    "gamma 2.2": build_grey_profile(encode_gamma(2.2)),
    "gamma 1.8": build_grey_profile(encode_gamma(1.8)),
    "dot gain": build_grey_profile(encode_dot_gain()),
    "linear": build_grey_profile(b"curv\0\0\0\0\0\0\0\0"),
    "parametric": build_grey_profile(encode_parametric(2.4), 0x04200000),
}
