"""The shape of pixels in a Matroska file, which the library has no way to be told of.

The track of pictures is written with a name longer than its own; that room takes the display
size (RFC 9559, 5.1.4.1.28) afterwards, so that no byte of the file moves.
"""

import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import OutputError

ROOM: Final = "." * 40

_SEGMENT, _TRACKS, _TRACK = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xae"
_VIDEO, _NAME, _CRC, _VOID = b"\xe0", b"\x53\x6e", b"\xbf", b"\xec"
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
_DISPLAY: Final = (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT)
_HEAD: Final = 12
_LONGEST: Final = 1 << 24


def state_aspect(path: Path, width: int, height: int, aspect: Fraction) -> None:
    """Write the display size of the first track of pictures, whose name ends with `ROOM`.

    aspect: width of a pixel to its height, kept exactly where whole pixels allow it.
    Raises OutputError when the file is not as the library writes it.
    """
    with path.open("r+b") as file:
        found = _find_tracks(file)
        if found is None:
            raise OutputError(f"{path} has no tracks where the pixel aspect belongs")
        at, tracks = found
        wide, high = _display(width, height, aspect)
        display = (_DISPLAY_WIDTH, wide), (_DISPLAY_HEIGHT, high)
        added = b"".join(_element(key, size.to_bytes(4, "big")) for key, size in display)
        file.seek(at)
        file.write(_with_display(tracks, added))


def _display(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Stretched to the side, or down, where only that gives whole pixels."""
    if (width * aspect).denominator != 1 and (height / aspect).denominator == 1:
        return width, int(height / aspect)
    return round(width * aspect), height


def _find_tracks(file: Any) -> tuple[int, bytes] | None:
    """Where the content of Tracks begins, and that content."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(_HEAD)
        if len(head) < _HEAD:
            return None
        key, size, begin = _read_head(head, 0)
        if key == _TRACKS and size < _LONGEST:
            file.seek(at + begin)
            return at + begin, file.read(size)
        # Into the segment, over everything else.
        at += begin if key == _SEGMENT else begin + size


def _with_display(tracks: bytes, added: bytes) -> bytes:
    """The same number of bytes, with the display size and a new checksum."""
    out, done = b"", False
    for key, content, raw in _children(tracks):
        is_pictures = key == _TRACK and any(one == _VIDEO for one, _, _ in _children(content))
        if is_pictures and not done:
            out += raw[: len(raw) - len(content)] + _refit(content, added)
            done = True
        elif key != _CRC:
            out += raw
    checksum = _element(_CRC, zlib.crc32(out).to_bytes(4, "little"))
    return out if len(out) == len(tracks) else checksum + out


def _refit(track: bytes, added: bytes) -> bytes:
    """The content of a track entry: without the room in its name, with the display size."""
    content = b""
    for key, body, raw in _children(track):
        if key == _NAME:
            name = body.removesuffix(ROOM.encode())
            content += _element(key, name) if name else b""
        else:
            content += _element(key, _pixels(body) + added) if key == _VIDEO else raw
    return content + _element(_VOID, bytes(len(track) - len(content) - 2))


def _pixels(video: bytes) -> bytes:
    """What stands of the pictures but for their display size, whose unit is then pixels."""
    return b"".join(raw for key, _, raw in _children(video) if key not in _DISPLAY)


def _children(content: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Identifier, content and all bytes of each element."""
    found, at = [], 0
    while at < len(content):
        key, size, begin = _read_head(content, at)
        found.append((key, content[begin : begin + size], content[at : begin + size]))
        at = begin + size
    return found


def _read_head(data: bytes, at: int) -> tuple[bytes, int, int]:
    """Identifier, size of the content and where that begins."""
    wide = 9 - data[at].bit_length()
    key, at = data[at : at + wide], at + wide
    wide = 9 - data[at].bit_length()
    size = int.from_bytes(data[at : at + wide], "big") & ((1 << (7 * wide)) - 1)
    return key, size, at + wide


def _element(key: bytes, content: bytes) -> bytes:
    wide = 1 if len(content) < 127 else 2
    size = len(content) | (1 << (7 * wide))
    return key + size.to_bytes(wide, "big") + content
