"""The packets of a film's segments, with the time stamps of the source."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive_colorizer.errors import OutputError
from archive_colorizer.video.film import FilmFacts
from archive_colorizer.video.packet_index import packets
from archive_colorizer.video.pyav import opened, picture_stream
from archive_colorizer.video.writer import FIRST


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment's frames: `first` is the film's; `shown` their own times, sorted."""

    path: Path
    first: int
    shown: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reel:
    """Segments in order.  `delay`: how many frames decoding has to run ahead of showing."""

    segments: tuple[Segment, ...]
    delay: int


def reel_of(paths: Sequence[Path], span: range) -> Reel:
    """Look through all segments.  Raises OutputError unless they hold exactly `span`."""
    segments: list[Segment] = []
    begin, delay, form = span.start, 0, None
    for path in paths:
        with opened(path, path.name) as container:
            stream = picture_stream(container, path.name)
            first = int(container.metadata.get(FIRST, container.metadata.get(FIRST.upper(), -1)))
            order = [packet.pts for packet in packets(container, None, stream)]
            shape = (stream.codec_context.name, stream.codec_context.extradata)
        if first != begin:
            raise OutputError(f"{path} begins with frame {first}, not {begin}; make it again")
        if form not in (None, shape):
            raise OutputError(f"{path} was encoded with other settings than those before it")
        shown, form = tuple(sorted(order)), shape
        delay = max([delay, *(at - bisect_left(shown, pts) for at, pts in enumerate(order))])
        segments.append(Segment(path, first, shown))
        begin += len(shown)
    if begin != span.stop:
        raise OutputError(f"the segments end before frame {begin}, the film before {span.stop}")
    return Reel(tuple(segments), delay)


def film_packets(reel: Reel, facts: FilmFacts, span: range, stream: Any) -> Iterator[Any]:
    """All packets for the target's `stream`, in the order of decoding, in the film's time.

    A span of a film begins at 0; the whole one when its source does.
    """
    zero = 0 if len(span) == facts.frames else facts.times[span.start]
    step = facts.times[1] - facts.times[0] if facts.frames > 1 else 1
    for segment in reel.segments:
        with opened(segment.path, segment.path.name) as container:
            pictures = picture_stream(container, segment.path.name)
            for at, packet in enumerate(packets(container, None, pictures)):
                shown = segment.first + bisect_left(segment.shown, packet.pts)
                ready = segment.first + at - reel.delay
                early = max(span.start - ready, 0)
                packet.stream = stream
                packet.time_base = facts.time_base
                packet.pts = facts.times[shown] - zero
                packet.dts = facts.times[ready + early] - early * step - zero
                packet.duration = (*facts.times[shown + 1 : shown + 2], facts.end)[0] - (
                    facts.times[shown]
                )
                yield packet
