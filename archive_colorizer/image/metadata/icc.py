"""Read and build ICC profiles, among them an RGB profile from a grey one."""

import io
import struct
from functools import cache
from typing import Final

_NO_DEVICE: Final = frozenset((b"link", b"abst", b"nmcl"))
_MAX_SIZE: Final = 16_000_000
"""The limit of JPEG; printers' profiles have about 3 MB."""

_DATE: Final = struct.pack(">6H", 2024, 1, 1, 0, 0, 0)
_D50: Final = (0.9642, 1.0, 0.8249)
_SRGB_PRIMARIES: Final = {
    b"rXYZ": (0.43607, 0.22249, 0.01392),
    b"gXYZ": (0.38515, 0.71687, 0.09708),
    b"bXYZ": (0.14298, 0.06064, 0.7139),
}
"""X, Y, Z of sRGB's red, green and blue, adapted to D50; their sum is the white point."""


def build_rgb_profile(icc: bytes) -> bytes | None:
    """Build an RGB matrix profile with sRGB's primaries and the tone curve of a grey profile.

    R = G = B then has the luminance of that value in the grey profile, at the white of D50.
    Returns None when the grey profile has no tone curve to XYZ.
    """
    curve = _find_tag(icc, b"kTRC")
    if curve is None or curve[:4] not in (b"curv", b"para") or icc[20:24] != b"XYZ ":
        return None
    pack_title, pack_text, version = _pack_description, _pack_text, 0x02400000
    if curve[:4] == b"para":
        pack_title, pack_text, version = _pack_localized, _pack_localized, 0x04200000
    tags = [
        ((b"desc",), pack_title("Grey tone curve on sRGB primaries")),
        ((b"cprt",), pack_text("No copyright")),
        ((b"wtpt",), _pack_xyz(_D50)),
        *(((name,), _pack_xyz(xyz)) for name, xyz in _SRGB_PRIMARIES.items()),
        ((b"rTRC", b"gTRC", b"bTRC"), curve),
    ]
    return _assemble(tags, version)


@cache
def get_srgb_profile() -> bytes:
    """Get the sRGB profile of results: LittleCMS's own with a fixed date, for stable files."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + _DATE + profile[36:84] + b"\0" * 16 + profile[100:]


def read_description(icc: bytes) -> str:
    """Read the name of a profile; "" without one."""
    content = _find_tag(icc, b"desc") or b""
    if content[:4] == b"mluc" and len(content) >= 28:
        size, at = struct.unpack_from(">II", content, 20)
        return content[at : at + size].decode("utf-16-be", "replace")
    return content[12:].split(b"\0")[0].decode("latin-1")


def is_usable(icc: bytes) -> bool:
    """Whether LittleCMS accepts a profile; its length is checked here, as LittleCMS does not."""
    from PIL import ImageCms

    if not 132 <= int.from_bytes(icc[:4], "big") <= len(icc) <= _MAX_SIZE:
        return False
    if icc[36:40] != b"acsp" or icc[12:16] in _NO_DEVICE:
        return False
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (OSError, ValueError):
        return False
    return True


def _find_tag(icc: bytes, name: bytes) -> bytes | None:
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
        table.extend(struct.pack(">4sII", signature, at, len(content)) for signature in signatures)
        body.append(padded)
        at += len(padded)
    header = struct.pack(">I4xI", at, version) + b"mntrRGB XYZ " + _DATE + b"acsp" + bytes(28)
    return b"".join((header, _pack_fixed(_D50), bytes(48), *table, *body))


def _pack_fixed(values: tuple[float, ...]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _pack_xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + _pack_fixed(values)


def _pack_text(text: str) -> bytes:
    return b"text\0\0\0\0" + text.encode("ascii") + b"\0"


def _pack_description(text: str) -> bytes:
    raw = text.encode("ascii") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(raw)) + raw + b"\0" * 78


def _pack_localized(text: str) -> bytes:
    raw = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(raw), 28) + raw
