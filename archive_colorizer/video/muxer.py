"""The join: the segments of a film's shots, and all else that its source holds, in one file."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from archive_colorizer.video.film import FilmFacts
from archive_colorizer.video.layouts import Container, held_range, tells_times, ticks_of
from archive_colorizer.video.matroska import ROOM, state_aspect, state_finer_times
from archive_colorizer.video.packet_index import packets
from archive_colorizer.video.pyav import created, library, opened, picture_stream
from archive_colorizer.video.segments import film_packets, reel_of
from archive_colorizer.video.writer import tag_colors

_FORMATS: Final[dict[Container, str]] = {"mkv": "matroska", "mov": "mov", "mp4": "mp4"}
_OPTIONS: Final[dict[Container, dict[str, str]]] = {
    # Sound that begins before the pictures, as AAC's does, must not move them.
    "mkv": {"avoid_negative_ts": "disabled"},
    # Keys of any name, not the handful that iTunes knows.
    "mov": {"movflags": "use_metadata_tags"},
    "mp4": {"movflags": "use_metadata_tags"},
}
_LAYOUTS: Final = {"1 channels": "mono", "2 channels": "stereo"}
"""What MP4 and MOV want to be told where AVI says no more than a number."""

_OWN_KEYS: Final = ("ENCODER", "DURATION", "BPS", "NUMBER_OF_", "_STATISTICS", "MAJOR_BRAND",
                    "MINOR_VERSION", "COMPATIBLE_BRANDS", "VENDOR_ID")  # fmt: skip
"""What a source's file says of its own making, not of its content."""


def join_segments(
    source: Path,
    facts: FilmFacts,
    segments: Sequence[Path],
    target: Path,
    container: Container,
    note: Mapping[str, str],
    span: range | None = None,
) -> tuple[str, ...]:
    """Copy the packets of `segments` and of the source's other streams into `target`.

    Frames get the source's exact time stamps; audio, subtitles, chapters, attachments, time
    code and metadata come from the source bit for bit.  (In MKV, times that are no whole
    milliseconds are kept to 5 microseconds.)  note: metadata of the file, which say
    that color is algorithmic; its `comment` goes after the source's.  span: frames, when not
    all; the film and its sound then begin at 0.  Returns sentences on what `container` cannot
    hold.  Raises OutputError, also when the segments are not the film's, and SourceError.
    """
    whole = range(facts.frames)
    span = whole if span is None else span
    reel = reel_of(segments, span)
    with (
        opened(source, facts.name) as original,
        opened(reel.segments[0].path, reel.segments[0].path.name) as first,
        created(target, _FORMATS[container], _options(container, facts)) as result,
    ):
        pictures = _picture_track(result, first, original, facts)
        copied, warnings = _other_tracks(result, original, container)
        if not tells_times(facts, container):
            warnings.append("time stamps were rounded to 1/100,000 second; MP4 keeps them exactly")
        part = (facts.seconds(span.start), facts.seconds(span.stop - 1)) if span != whole else None
        _describe(result, original, note, part)
        if part is not None:
            pictures.metadata.pop("timecode", None)
        shaped = container == "mkv" and facts.pixel_aspect != 1
        if shaped:
            pictures.metadata["title"] = pictures.metadata.get("title", "") + ROOM
        ticks = ticks_of(facts, container)
        shown, heard = film_packets(reel, facts, span, pictures), _sounds(original, copied, part)
        _copy(result, shown, heard, ticks)
    if ticks > 1:
        state_finer_times(target, ticks)
    if shaped:
        state_aspect(target, facts.width, facts.height, facts.pixel_aspect)
    return tuple(warnings)


def _options(container: Container, facts: FilmFacts) -> dict[str, str]:
    options = dict(_OPTIONS[container])
    if container != "mkv":
        options["video_track_timescale"] = str(facts.time_base.denominator)
        # The film's beginning is written in units of the file, and may be no whole millisecond.
        options["movie_timescale"] = str(facts.time_base.denominator)
    return options


def _picture_track(result: Any, segment: Any, original: Any, facts: FilmFacts) -> Any:
    theirs = picture_stream(original, facts.name)
    track = result.add_stream_from_template(picture_stream(segment, "the segment"), opaque=True)
    track.time_base = facts.time_base
    context = track.codec_context
    rate = theirs.average_rate if facts.variable else facts.rate
    context.framerate = (rate or facts.rate).limit_denominator(100_000)
    context.sample_aspect_ratio = facts.pixel_aspect
    tag_colors(context, facts, held_range(facts, context.name))
    context.field_order = theirs.codec_context.field_order
    if facts.rotation:
        track.set_display_rotation(-facts.rotation)
    track.metadata.update(_kept(theirs.metadata))
    track.disposition = theirs.disposition
    return track


def _other_tracks(
    result: Any, original: Any, container: Container
) -> tuple[dict[int, Any], list[str]]:
    """The target's stream for each of the source's that is copied, and what cannot be."""
    first = picture_stream(original, "").index
    copied, warnings = {}, []
    for stream in original.streams:
        if stream.index == first:
            continue
        try:
            track = _track(result, stream, container)
        except ValueError:
            name = getattr(stream.codec_context, "name", None) or stream.name or "unknown"
            warnings.append(f"{container.upper()} cannot hold {stream.type} ({name}): left out")
            continue
        if track is not None:
            track.metadata.update(_kept(stream.metadata))
            track.disposition = stream.disposition
            copied[stream.index] = track
    return copied, warnings


def _track(result: Any, stream: Any, container: Container) -> Any:
    """A stream of the target like that of the source; None where metadata do for it.

    Raises ValueError when the container has no place for it.
    """
    if stream.type == "attachment":
        if container != "mkv":
            raise ValueError
        name = stream.metadata.get("filename", "attachment")
        return result.add_attachment(name, stream.mimetype or "", stream.data)
    if stream.type == "data":
        # FFmpeg writes the tracks of a time code and of chapters from what it knows of them.
        if "timecode" in stream.metadata or (
            stream.name == "bin_data" and stream.container.chapters()
        ):
            return None
        raise ValueError
    track = result.add_stream_from_template(stream, opaque=True)
    if stream.type == "audio" and stream.codec_context.layout.name in _LAYOUTS:
        track.codec_context.layout = _LAYOUTS[stream.codec_context.layout.name]
    return track


def _describe(
    result: Any, original: Any, note: Mapping[str, str], part: tuple[Fraction, Fraction] | None
) -> None:
    """Metadata and chapters of the source, and the note."""
    metadata = _kept(original.metadata)
    for key, value in note.items():
        known = metadata.get(key) if key == "comment" else None
        metadata[key] = f"{known}\n{value}" if known else value
    result.metadata.update(metadata)
    chapters = original.chapters()
    if part is None:
        result.set_chapters(chapters)


def _kept(metadata: Mapping[str, str]) -> dict[str, str]:
    """Without what speaks of the file itself; Matroska's capitals as other containers have it."""
    return {
        key.lower() if key.isupper() else key: text
        for key, text in metadata.items()
        if not key.upper().startswith(_OWN_KEYS)
    }


def _sounds(
    original: Any, copied: dict[int, Any], part: tuple[Fraction, Fraction] | None
) -> Iterator[Any]:
    """Packets of the source's other streams, at their own times, for the target's streams."""
    streams = [one for one in original.streams if one.index in copied and one.type != "attachment"]
    if not streams:
        return
    for packet in packets(original, None, *streams):
        if part is not None:
            begin = packet.pts if packet.pts is not None else packet.dts
            if begin is None or not part[0] <= begin * packet.time_base <= part[1]:
                continue
            shift = round(part[0] / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = copied[packet.stream_index]
        yield packet


def _copy(result: Any, pictures: Iterator[Any], others: Iterator[Any], ticks: int) -> None:
    """Write packets in the order of time, so that the library need not hold them back.

    ticks: how many times too long their times are stated; see `state_finer_times`.
    """
    av = library()
    for _, packet in heapq.merge(_timed(pictures), _timed(others), key=lambda pair: pair[0]):
        packet.time_base *= ticks
        try:
            result.mux_one(packet)
        except av.error.ArgumentError as error:
            raise av.error.ArgumentError(error.errno, f"packet at {packet.time}") from None


def _timed(pending: Iterator[Any]) -> Iterator[tuple[Fraction, Any]]:
    latest = Fraction(-1_000_000)
    for packet in pending:
        time = packet.dts if packet.dts is not None else packet.pts
        if time is not None:
            latest = max(latest, time * packet.time_base)
        yield latest, packet
