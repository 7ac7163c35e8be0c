"""The scan of a video file: every packet counted, no header believed."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.video.pyav import library, opened, picture_stream

_SURE_OF_DURATION: Final = ("matroska", "mov", "avi")
"""Whose header states a duration; that of others is an estimate from the last packets."""

_SLACK: Final = Fraction(1, 20)


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """When each frame is shown, and from which frames decoding may begin.

    Without `keys` frames can only be counted from the film's start, since their packets
    do not say when they are shown.
    """

    times: tuple[int, ...]
    keys: tuple[int, ...]

    def beginning(self, first: int) -> int:
        """The frame to decode from so that `first` is whole.

        One key frame further back than needed: in an open group of pictures, frames shown
        after a key frame may lean on what stands before it.
        """
        if not self.keys:
            return 0
        if len(self.keys) == len(self.times):
            return first
        at = bisect_right(self.keys, first) - 2
        return self.keys[at] if at >= 0 else 0

    def place(self, pts: int | None, counted: int) -> int | None:
        """The number of a decoded frame, or None when the film has no frame at that time."""
        if not self.keys:
            return counted
        at = bisect_left(self.times, pts) if pts is not None else len(self.times)
        return at if at < len(self.times) and self.times[at] == pts else None


@dataclass(frozen=True, slots=True)
class Scan:
    """What the packets of a video file say.  `end` is when the last frame ends."""

    index: FrameIndex
    end: int
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    """What is met while packets go by; `shown` holds (pts, dts, duration, is key)."""

    shown: list[tuple[int | None, int | None, int, bool]]
    packets: int = 0
    damaged: int = 0
    longest: Fraction = Fraction(0)
    broke: str = ""


def scan(path: Path, name: str) -> Scan:
    """Read every packet and decode none.  Raises DamagedPicture when there are no pictures."""
    with opened(path, name) as container:
        stream = picture_stream(container, name)
        tally = _tally(container, stream)
        if not tally.shown:
            raise DamagedPicture(f"{name} has no frames; look for a better copy")
        index, end = _index(tally, stream)
        return Scan(index, end, tuple(_doubts(container, stream, tally, end)))


def _tally(container: Any, stream: Any) -> _Tally:
    tally = _Tally([])
    for packet in packets(container, tally):
        times = [one for one in (packet.pts, packet.dts) if one is not None]
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


def packets(container: Any, tally: _Tally | None = None, *streams: Any) -> Iterator[Any]:
    """The packets of the streams (all, when none is given), up to where the file breaks off."""
    pending = container.demux(*streams)
    while True:
        try:
            packet = next(pending, None)
        except library().error.FFmpegError as error:
            if tally is not None:
                tally.broke = str(error.strerror)
            return
        if packet is None:
            return
        if packet.size:
            yield packet


def _index(tally: _Tally, stream: Any) -> tuple[FrameIndex, int]:
    stated = {pts for pts, *_ in tally.shown}
    if None in stated or len(stated) < len(tally.shown):
        return _counted(tally, stream)
    ordered = sorted((pts or 0, duration, key) for pts, _, duration, key in tally.shown)
    times = tuple(pts for pts, _, _ in ordered)
    keys = tuple(at for at, (_, _, key) in enumerate(ordered) if key)
    last = ordered[-1][1] or (times[-1] - times[-2] if len(times) > 1 else 1)
    return FrameIndex(times, keys), times[-1] + last


def _counted(tally: _Tally, stream: Any) -> tuple[FrameIndex, int]:
    """For packets without usable times: those at which they are decoded, or an even pace."""
    decoding = sorted({dts for _, dts, _, _ in tally.shown if dts is not None})
    count = len(tally.shown)
    step = round(1 / (stream.average_rate or Fraction(25)) / stream.time_base) or 1
    if len(decoding) < count:
        begin = decoding[0] if decoding else 0
        decoding = [begin + at * step for at in range(count)]
    return FrameIndex(tuple(decoding), ()), decoding[-1] + step


def _doubts(container: Any, stream: Any, tally: _Tally, end: int) -> Iterator[str]:
    """Sentences on what the header promises and the packets do not hold."""
    if tally.broke:
        yield f"the file breaks off after {tally.packets} frames ({tally.broke})"
    elif 0 < tally.packets < stream.frames:
        yield f"the file is cut: its header says {stream.frames} frames, {tally.packets} are there"
    elif any(one in container.format.name for one in _SURE_OF_DURATION) and container.duration:
        stated = Fraction(container.duration, 1_000_000)
        missing = stated - max(tally.longest, end * stream.time_base)
        if missing > _SLACK + 2 / (stream.average_rate or Fraction(25)):
            yield (
                f"the file is cut: its header says {float(stated):.2f} seconds, "
                f"{float(stated - missing):.2f} are there"
            )
    if tally.damaged:
        yield f"{tally.damaged} frames are stored incompletely"
