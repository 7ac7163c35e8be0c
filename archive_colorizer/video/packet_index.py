"""Index the frames of a video file by reading every packet, not by trusting headers."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.video.pyav import find_picture_stream, load_pyav, open_container

_STATES_DURATION: Final = ("matroska", "mov", "avi")
"""Formats that state a duration; FFmpeg estimates that of others from the last packets."""

_SLACK: Final = Fraction(1, 20)


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The time of each frame, and the frames at which decoding may begin.

    Without `keys` frames can only be counted from the film's start, since their packets have
    no time stamps.
    """

    times: tuple[int, ...]
    keys: tuple[int, ...]

    def find_decode_start(self, first: int) -> int:
        """Find the frame at which decoding must begin to make `first` complete.

        It is one key frame earlier than it seems: in an open group of pictures, frames shown
        after a key frame may depend on earlier ones.
        """
        if not self.keys:
            return 0
        if len(self.keys) == len(self.times):
            return first
        at = bisect_right(self.keys, first) - 2
        return self.keys[at] if at >= 0 else 0

    def find_frame(self, pts: int | None, counted: int) -> int | None:
        """Find the number of a decoded frame; None if the film has no frame at that time."""
        if not self.keys:
            return counted
        at = bisect_left(self.times, pts) if pts is not None else len(self.times)
        return at if at < len(self.times) and self.times[at] == pts else None


@dataclass(slots=True)
class _PacketTally:
    """A tally of packets; `shown` holds (pts, dts, duration, is key)."""

    shown: list[tuple[int | None, int | None, int, bool]]
    packets: int = 0
    damaged: int = 0
    longest: Fraction = Fraction(0)
    failure: str = ""


def scan_packets(path: Path) -> tuple[FrameIndex, int, tuple[str, ...]]:
    """Read every packet and decode none.  Raises DamagedPicture for a film without frames.

    Returns the index, the time at which the last frame ends, and warnings.
    """
    with open_container(path) as container:
        stream = find_picture_stream(container)
        tally = _tally_packets(container, stream)
        if not tally.shown:
            raise DamagedPicture(f"{path.name} has no frames; look for a better copy")
        index, end = _build_index(tally, stream)
        return index, end, tuple(_find_faults(container, stream, tally, end))


def _tally_packets(container: Any, stream: Any) -> _PacketTally:
    tally = _PacketTally([])
    for packet in read_packets(container, tally=tally):
        times = [timestamp for timestamp in (packet.pts, packet.dts) if timestamp is not None]
        if times:
            ends = (max(times) + (packet.duration or 0)) * packet.time_base
            tally.longest = max(tally.longest, ends)
        if packet.stream_index == stream.index:
            tally.packets += 1
            tally.damaged += packet.is_corrupt
            if not packet.is_discard:
                facts = (packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe)
                tally.shown.append(facts)
    return tally


def read_packets(container: Any, *streams: Any, tally: _PacketTally | None = None) -> Iterator[Any]:
    """Yield the packets of the streams (by default all) until the file breaks off."""
    try:
        for packet in container.demux(*streams):
            if packet.size:
                yield packet
    except load_pyav().error.FFmpegError as error:
        if tally is not None:
            tally.failure = str(error.strerror)


def _build_index(tally: _PacketTally, stream: Any) -> tuple[FrameIndex, int]:
    stated = {pts for pts, *_ in tally.shown}
    if None in stated or len(stated) < len(tally.shown):
        return _build_counted_index(tally, stream)
    ordered = sorted((pts or 0, duration, key) for pts, _, duration, key in tally.shown)
    times = tuple(pts for pts, _, _ in ordered)
    keys = tuple(at for at, (_, _, key) in enumerate(ordered) if key)
    last = ordered[-1][1] or (times[-1] - times[-2] if len(times) > 1 else 1)
    return FrameIndex(times, keys), times[-1] + last


def _build_counted_index(tally: _PacketTally, stream: Any) -> tuple[FrameIndex, int]:
    """Index packets without time stamps by their decoding times, or at an even pace."""
    decoding = sorted({dts for _, dts, _, _ in tally.shown if dts is not None})
    count = len(tally.shown)
    step = round(1 / (stream.average_rate or Fraction(25)) / stream.time_base) or 1
    if len(decoding) < count:
        begin = decoding[0] if decoding else 0
        decoding = [begin + at * step for at in range(count)]
    return FrameIndex(tuple(decoding), ()), decoding[-1] + step


def _find_faults(container: Any, stream: Any, tally: _PacketTally, end: int) -> Iterator[str]:
    """Describe what the header promises and the packets lack."""
    if tally.failure:
        yield f"the file breaks off after {tally.packets} frames ({tally.failure})"
    elif 0 < tally.packets < stream.frames:
        yield f"the file is cut: its header says {stream.frames} frames, {tally.packets} are there"
    elif container.duration and any(name in container.format.name for name in _STATES_DURATION):
        stated = Fraction(container.duration, 1_000_000)
        missing = stated - max(tally.longest, end * stream.time_base)
        if missing > _SLACK + 2 / (stream.average_rate or Fraction(25)):
            yield (
                f"the file is cut: its header says {float(stated):.2f} seconds, "
                f"{float(stated - missing):.2f} are there"
            )
    if tally.damaged:
        yield f"{tally.damaged} frames are stored incompletely"
