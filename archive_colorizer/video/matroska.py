"""What a Matroska file says and the library has no way to be told of: pixels, and fine times.

The track of pictures is written with a name longer than its own; that room takes the display
size (RFC 9559, 5.1.4.1.28) afterwards, so that no byte of the file moves.

The library counts whole milliseconds.  It is given times that are `finer` times too long; then
TimestampScale (5.1.2.9) is made as much smaller, by which all times are what they should be.
"""

import re
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import OutputError

ROOM: Final = "." * 40

FINE: Final = 100
"""Ticks to a millisecond in a file of fine times.

More would leave too little room: a block's time is 16 bit of ticks around that of its cluster.
"""

_SEGMENT, _TRACKS, _TRACK = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xae"
_INFO, _SCALE = b"\x15\x49\xa9\x66", b"\x2a\xd7\xb1"
_TAGS, _TAG, _SIMPLE, _TEXT = b"\x12\x54\xc3\x67", b"\x73\x73", b"\x67\xc8", b"\x44\x87"
_VIDEO, _NAME, _CRC, _VOID = b"\xe0", b"\x53\x6e", b"\xbf", b"\xec"
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
_DISPLAY: Final = (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT)
_HEAD: Final = 12
_LONGEST: Final = 1 << 24
_CLOCK: Final = re.compile(rb"(\d+):(\d\d):(\d\d)\.(\d{9})")


def state_aspect(path: Path, width: int, height: int, aspect: Fraction) -> None:
    """Write the display size of the first track of pictures, whose name ends with `ROOM`.

    aspect: width of a pixel to its height, kept exactly where whole pixels allow it.
    Raises OutputError when the file is not as the library writes it.
    """
    wide, high = _display(width, height, aspect)
    display = (_DISPLAY_WIDTH, wide), (_DISPLAY_HEIGHT, high)
    added = b"".join(_element(key, size.to_bytes(4, "big")) for key, size in display)
    _change(path, _TRACKS, partial(_with_display, added=added))


def state_finer_times(path: Path, finer: int) -> None:
    """Say that times in the file are `finer` times as fine as the library has written them.

    finer: a divisor of a million.  Raises OutputError as `state_aspect` does.
    """
    _change(path, _INFO, partial(_with_scale, finer=finer))
    _change(path, _TAGS, partial(_with_durations, finer=finer))


def _change(path: Path, key: bytes, change: Callable[[bytes], bytes]) -> None:
    """Write other content, of the same length, into the first element `key` of the segment."""
    with path.open("r+b") as file:
        found = _find(file, key)
        if found is None:
            raise OutputError(f"{path} is not as the library writes Matroska; report this")
        at, content = found
        changed = change(content)
        if len(changed) != len(content):
            raise OutputError(f"{path} has no room where its facts belong; report this")
        file.seek(at)
        file.write(changed)


def _display(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Stretched to the side, or down, where only that gives whole pixels."""
    if (width * aspect).denominator != 1 and (height / aspect).denominator == 1:
        return width, int(height / aspect)
    return round(width * aspect), height


def _find(file: Any, wanted: bytes) -> tuple[int, bytes] | None:
    """Where the content of an element of the segment begins, and that content."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(_HEAD)
        if len(head) < _HEAD:
            return None
        key, size, begin = _read_head(head, 0)
        if key == wanted and size < _LONGEST:
            file.seek(at + begin)
            return at + begin, file.read(size)
        # Into the segment, over everything else.
        at += begin if key == _SEGMENT else begin + size


def _with_display(tracks: bytes, added: bytes) -> bytes:
    """With the display size in the first track of pictures."""
    out, done = b"", False
    for key, content, raw in _children(tracks):
        is_pictures = key == _TRACK and any(one == _VIDEO for one, _, _ in _children(content))
        if is_pictures and not done:
            out += raw[: len(raw) - len(content)] + _refit(content, added)
            done = True
        elif key != _CRC:
            out += raw
    return _sealed(out, tracks)


def _with_scale(info: bytes, finer: int) -> bytes:
    out = b""
    for key, content, raw in _children(info):
        if key == _SCALE:
            scale = int.from_bytes(content, "big") // finer
            out += raw[: len(raw) - len(content)] + scale.to_bytes(len(content), "big")
        elif key != _CRC:
            out += raw
    return _sealed(out, info)


def _with_durations(tags: bytes, finer: int) -> bytes:
    """With the right length in the tags DURATION, which the library writes for each track."""
    out = b""
    for key, content, raw in _children(tags):
        if key in (_TAGS, _TAG, _SIMPLE):
            out += raw[: len(raw) - len(content)] + _with_durations(content, finer)
        elif key == _TEXT and b"DURATION" in tags:
            out += raw[: len(raw) - len(content)] + _shortened(content, finer)
        elif key != _CRC:
            out += raw
    return _sealed(out, tags)


def _shortened(clock: bytes, finer: int) -> bytes:
    """A time as hh:mm:ss.nnnnnnnnn, padded with zeros, divided."""
    match = _CLOCK.match(clock)
    if match is None:
        return clock
    hours, minutes, seconds, rest = map(int, match.groups())
    whole = ((hours * 60 + minutes) * 60 + seconds) * 10**9 + rest
    seconds, rest = divmod(whole // finer, 10**9)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:09}"
    return text.encode().ljust(len(clock), b"\0")


def _sealed(content: bytes, before: bytes) -> bytes:
    """The content with its checksum, if it had one before."""
    checksum = _element(_CRC, zlib.crc32(content).to_bytes(4, "little"))
    return checksum + content if before.startswith(_CRC) else content


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
