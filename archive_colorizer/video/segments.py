"""Read the packets of a film's segments, with the time stamps of the source."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive_colorizer.errors import OutputError
from archive_colorizer.video.film import FilmFacts
from archive_colorizer.video.packet_index import read_packets
from archive_colorizer.video.pyav import find_picture_stream, open_container
from archive_colorizer.video.writer import FIRST_FRAME_KEY


@dataclass(frozen=True, slots=True)
class _Segment:
    """A segment: the film's number of its first frame, and its own time stamps, sorted."""

    path: Path
    first: int
    times: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScannedSegments:
    """Segments in order; `delay` is how many frames decoding is ahead of presentation."""

    segments: tuple[_Segment, ...]
    delay: int

    @classmethod
    def scan(cls, paths: Sequence[Path], span: range) -> "ScannedSegments":
        """Scan all segments.  Raises OutputError unless they hold exactly `span`."""
        segments: list[_Segment] = []
        begin, delay, form = span.start, 0, None
        for path in paths:
            with open_container(path) as container:
                stream = find_picture_stream(container)
                # Some containers write keys in capitals.
                metadata = {key.lower(): value for key, value in container.metadata.items()}
                first = int(metadata.get(FIRST_FRAME_KEY, -1))
                order = [packet.pts for packet in read_packets(container, stream)]
                shape = (stream.codec_context.name, stream.codec_context.extradata)
            if first != begin:
                raise OutputError(f"{path} begins with frame {first}, not {begin}; make it again")
            if form not in (None, shape):
                raise OutputError(f"{path} was encoded with other settings than those before it")
            shown, form = tuple(sorted(order)), shape
            delay = max([delay, *(at - bisect_left(shown, pts) for at, pts in enumerate(order))])
            segments.append(_Segment(path, first, shown))
            begin += len(shown)
        if begin != span.stop:
            raise OutputError(f"the segments end before frame {begin}, the film before {span.stop}")
        return cls(tuple(segments), delay)

    def read_packets(self, facts: FilmFacts, span: range, stream: Any) -> Iterator[Any]:
        """Yield all packets for the target's `stream` in the order of decoding.

        They have the film's times: a part begins at 0, the whole film when its source does.
        """
        zero = 0 if len(span) == facts.frames else facts.times[span.start]
        ends = (*facts.times[1:], facts.end)
        step = facts.times[1] - facts.times[0] if facts.frames > 1 else 1
        for segment in self.segments:
            with open_container(segment.path) as container:
                pictures = find_picture_stream(container)
                for at, packet in enumerate(read_packets(container, pictures)):
                    shown = segment.first + bisect_left(segment.times, packet.pts)
                    ready = segment.first + at - self.delay
                    early = max(span.start - ready, 0)
                    packet.stream = stream
                    packet.time_base = facts.time_base
                    packet.pts = facts.times[shown] - zero
                    packet.dts = facts.times[ready + early] - early * step - zero
                    packet.duration = ends[shown] - facts.times[shown]
                    yield packet
