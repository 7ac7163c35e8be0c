"""Patch what FFmpeg cannot write into Matroska: the aspect of pixels, and fine times.

The video track is written with a padded name; the display size (RFC 9559, 5.1.4.1.28) later
replaces the padding, so that no byte of the file moves.

FFmpeg counts whole milliseconds.  The muxer passes times that are `finer` times too long, and
dividing TimestampScale (5.1.2.9) by the same factor then corrects all of them.
"""

import re
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import OutputError

NAME_PADDING: Final = "." * 40

FINE_TICKS: Final = 100
"""Ticks per millisecond in a file of fine times.

More would overflow the time of a block, which is 16 bit of ticks relative to its cluster's.
"""

_SEGMENT, _TRACKS, _TRACK = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xae"
_INFO, _SCALE = b"\x15\x49\xa9\x66", b"\x2a\xd7\xb1"
_TAGS, _TAG, _SIMPLE, _TEXT = b"\x12\x54\xc3\x67", b"\x73\x73", b"\x67\xc8", b"\x44\x87"
_VIDEO, _NAME, _CRC, _VOID = b"\xe0", b"\x53\x6e", b"\xbf", b"\xec"
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
_DISPLAY: Final = (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT)
_HEAD: Final = 12
_MAX_LENGTH: Final = 1 << 24
_CLOCK: Final = re.compile(rb"(\d+):(\d\d):(\d\d)\.(\d{9})")


def write_aspect(path: Path, width: int, height: int, aspect: Fraction) -> None:
    """Write the display size of the first video track, whose name ends with `NAME_PADDING`.

    aspect: width of a pixel to its height, kept exactly where whole pixels allow it.
    Raises OutputError for a file of unexpected structure.
    """
    wide, high = _compute_display_size(width, height, aspect)
    display = (_DISPLAY_WIDTH, wide), (_DISPLAY_HEIGHT, high)
    added = b"".join(_build_element(key, size.to_bytes(4, "big")) for key, size in display)
    _rewrite_element(path, _TRACKS, partial(_insert_display, added=added))


def scale_times(path: Path, finer: int) -> None:
    """Divide all times in the file by `finer`, a divisor of a million.

    Raises OutputError for a file of unexpected structure.
    """
    for key in (_INFO, _TAGS):
        _rewrite_element(path, key, partial(_divide_times, finer=finer))


def _rewrite_element(path: Path, key: bytes, change: Callable[[bytes], bytes]) -> None:
    """Replace the content of the segment's first element `key` by one of the same length."""
    with path.open("r+b") as file:
        element = _find_element(file, key)
        if element is None:
            raise OutputError(f"{path} is not as FFmpeg writes Matroska; report this")
        at, content = element
        changed = change(content)
        if len(changed) != len(content):
            raise OutputError(f"{path} has no room for its display size or times; report this")
        file.seek(at)
        file.write(changed)


def _compute_display_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Stretch to the side, or downwards if only that gives whole pixels."""
    if (width * aspect).denominator != 1 and (height / aspect).denominator == 1:
        return width, int(height / aspect)
    return round(width * aspect), height


def _find_element(file: Any, target: bytes) -> tuple[int, bytes] | None:
    """Find an element of the segment; returns the offset of its content, and the content."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(_HEAD)
        if len(head) < _HEAD:
            return None
        key, size, begin = _read_head(head, 0)
        if key == target and size < _MAX_LENGTH:
            file.seek(at + begin)
            return at + begin, file.read(size)
        # Enter the segment, and skip every other element.
        at += begin if key == _SEGMENT else begin + size


def _insert_display(tracks: bytes, added: bytes) -> bytes:
    """Insert the display size into the first video track."""
    done = False

    def change(key: bytes, track: bytes) -> bytes:
        nonlocal done
        if done or key != _TRACK or all(child != _VIDEO for child, *_ in _parse_children(track)):
            return track
        done = True
        return _rewrite_track(track, added)

    return _change_children(tracks, change)


def _divide_times(parent: bytes, finer: int) -> bytes:
    """Divide TimestampScale, and the DURATION tags that FFmpeg writes for each track."""

    def change(key: bytes, content: bytes) -> bytes:
        if key == _SCALE:
            return (int.from_bytes(content, "big") // finer).to_bytes(len(content), "big")
        if key in (_TAG, _SIMPLE):
            return _divide_times(content, finer)
        return _divide_clock(content, finer) if key == _TEXT and b"DURATION" in parent else content

    return _change_children(parent, change)


def _change_children(parent: bytes, change: Callable[[bytes, bytes], bytes]) -> bytes:
    """Change the content of each child, keeping its length, and renew the checksum, if any."""
    changed = b"".join(
        raw[: len(raw) - len(content)] + change(key, content)
        for key, content, raw in _parse_children(parent)
        if key != _CRC
    )
    checksum = _build_element(_CRC, zlib.crc32(changed).to_bytes(4, "little"))
    return checksum + changed if parent.startswith(_CRC) else changed


def _divide_clock(clock: bytes, finer: int) -> bytes:
    """Divide a time of the form hh:mm:ss.nnnnnnnnn, padded with zeros."""
    match = _CLOCK.match(clock)
    if match is None:
        return clock
    hours, minutes, seconds, rest = map(int, match.groups())
    whole = ((hours * 60 + minutes) * 60 + seconds) * 10**9 + rest
    seconds, rest = divmod(whole // finer, 10**9)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:09}"
    return text.encode().ljust(len(clock), b"\0")


def _rewrite_track(track: bytes, added: bytes) -> bytes:
    """Remove the padding from a track's name, and add the display size."""
    content = b""
    for key, body, raw in _parse_children(track):
        if key == _NAME:
            name = body.removesuffix(NAME_PADDING.encode())
            content += _build_element(key, name) if name else b""
        elif key == _VIDEO:
            pixels = [child for key, _, child in _parse_children(body) if key not in _DISPLAY]
            content += _build_element(_VIDEO, b"".join((*pixels, added)))
        else:
            content += raw
    return content + _build_element(_VOID, bytes(len(track) - len(content) - 2))


def _parse_children(content: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Split content into elements: identifier, content and all bytes of each."""
    children, at = [], 0
    while at < len(content):
        key, size, begin = _read_head(content, at)
        children.append((key, content[begin : begin + size], content[at : begin + size]))
        at = begin + size
    return children


def _read_head(data: bytes, at: int) -> tuple[bytes, int, int]:
    """Read an element's identifier, and the size and the offset of its content."""
    wide = 9 - data[at].bit_length()
    key, at = data[at : at + wide], at + wide
    wide = 9 - data[at].bit_length()
    size = int.from_bytes(data[at : at + wide], "big") & ((1 << (7 * wide)) - 1)
    return key, size, at + wide


def _build_element(key: bytes, content: bytes) -> bytes:
    wide = 1 if len(content) < 127 else 2
    size = len(content) | (1 << (7 * wide))
    return key + size.to_bytes(wide, "big") + content
