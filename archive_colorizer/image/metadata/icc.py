"""ICC profiles: which one fits the result, and an RGB profile made of a grey one."""

import io
import struct
from functools import cache
from typing import Final

_TYPES: Final = {b"RGB ", b"GRAY", b"CMYK"}
_NO_DEVICE: Final = frozenset((b"link", b"abst", b"nmcl"))
_LARGEST: Final = 16_000_000
"""As much as a JPEG can hold; printers' profiles have some 3 MB."""

_DATE: Final = struct.pack(">6H", 2024, 1, 1, 0, 0, 0)
_D50: Final = (0.9642, 1.0, 0.8249)
_SRGB_PRIMARIES: Final = (
    (0.43607, 0.22249, 0.01392),
    (0.38515, 0.71687, 0.09708),
    (0.14298, 0.06064, 0.7139),
)
"""X, Y, Z of sRGB's red, green and blue, adapted to D50; they add up to the white point."""


def for_rgb(icc: bytes, color: bool) -> tuple[bytes | None, str | None]:
    """The profile for a result in RGB, and a sentence when the source's cannot be used.

    An RGB profile is kept as it is, on grey pictures, too (many scanners write that).  A grey
    profile on a grey picture becomes an RGB one with the same neutral axis.
    """
    space = icc[16:20]
    if icc[36:40] != b"acsp" or space not in _TYPES or not opens(icc):
        return None, "the ICC profile is damaged and was dropped"
    if space == b"RGB ":
        return icc, None
    if space == b"GRAY" and not color:
        built = rgb_from_grey(icc)
        return built, None if built else "the grey ICC profile is of a rare kind and was dropped"
    return None, "the ICC profile does not fit the picture's channels and was dropped"


def rgb_from_grey(icc: bytes) -> bytes | None:
    """An RGB matrix profile with sRGB's primaries and the tone curve of a grey profile.

    R = G = B then has the luminance that the grey profile gives to that value, at the white
    of D50.  None when the grey profile has no tone curve to XYZ.
    """
    curve = _tag(icc, b"kTRC")
    if curve is None or curve[:4] not in (b"curv", b"para") or icc[20:24] != b"XYZ ":
        return None
    modern = curve[:4] == b"para"
    title = "Grey tone curve on sRGB primaries"
    text = _localized if modern else _described
    tags = [
        ((b"desc",), text(title)),
        ((b"cprt",), _localized("No copyright") if modern else _plain("No copyright")),
        ((b"wtpt",), _xyz(_D50)),
        *(((name,), _xyz(xyz)) for name, xyz in zip(_COLORANTS, _SRGB_PRIMARIES, strict=True)),
        ((b"rTRC", b"gTRC", b"bTRC"), curve),
    ]
    return _assemble(tags, 0x04200000 if modern else 0x02400000)


_COLORANTS: Final = (b"rXYZ", b"gXYZ", b"bXYZ")


@cache
def srgb() -> bytes:
    """The sRGB profile that results are tagged with: LittleCMS's own, without its date.

    The date is that of its making, so that the same picture would never be the same file.
    """
    from PIL import ImageCms

    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made[:24] + _DATE + made[36:84] + b"\0" * 16 + made[100:]


def description(icc: bytes) -> str:
    """What a profile calls itself, or nothing."""
    content = _tag(icc, b"desc") or b""
    if content[:4] == b"mluc" and len(content) >= 28:
        size, at = struct.unpack_from(">II", content, 20)
        return content[at : at + size].decode("utf-16-be", "replace")
    return content[12:].split(b"\0")[0].decode("latin-1")


def opens(icc: bytes) -> bool:
    """Whether LittleCMS takes it; of a cut profile it would notice only later."""
    from PIL import ImageCms

    if not 132 <= int.from_bytes(icc[:4], "big") <= len(icc) <= _LARGEST:
        return False
    if icc[36:40] != b"acsp" or icc[12:16] in _NO_DEVICE:
        return False
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (OSError, ValueError):
        return False
    return True


def _tag(icc: bytes, name: bytes) -> bytes | None:
    count = int.from_bytes(icc[128:132], "big")
    for index in range(min(count, (len(icc) - 132) // 12)):
        signature, at, size = struct.unpack_from(">4sII", icc, 132 + 12 * index)
        if signature == name and at + size <= len(icc) and size >= 12:
            return icc[at : at + size]
    return None


def _assemble(tags: list[tuple[tuple[bytes, ...], bytes]], version: int) -> bytes:
    names = sum(len(signatures) for signatures, _ in tags)
    at = 132 + 12 * names
    table, body = [struct.pack(">I", names)], []
    for signatures, content in tags:
        padded = content + b"\0" * (-len(content) % 4)
        table.extend(struct.pack(">4sII", one, at, len(content)) for one in signatures)
        body.append(padded)
        at += len(padded)
    header = struct.pack(
        ">I4sI4s4s4s12s4s28s12s48s",
        at,
        b"",
        version,
        b"mntr",
        b"RGB ",
        b"XYZ ",
        _DATE,
        b"acsp",
        b"",
        _fixed(_D50),
        b"",
    )
    return b"".join((header, *table, *body))


def _fixed(values: tuple[float, ...]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _plain(text: str) -> bytes:
    return b"text\0\0\0\0" + text.encode("ascii") + b"\0"


def _described(text: str) -> bytes:
    raw = text.encode("ascii") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(raw)) + raw + b"\0" * 78


def _localized(text: str) -> bytes:
    raw = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(raw), 28) + raw
