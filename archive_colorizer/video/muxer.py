"""Join the segments of a film with the other streams and the metadata of its source."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from archive_colorizer.video.film import FilmFacts
from archive_colorizer.video.layouts import Container, compute_ticks, has_full_range
from archive_colorizer.video.matroska import NAME_PADDING, scale_times, write_aspect
from archive_colorizer.video.packet_index import read_packets
from archive_colorizer.video.pyav import (
    create_container,
    find_picture_stream,
    load_pyav,
    open_container,
)
from archive_colorizer.video.segments import ScannedSegments
from archive_colorizer.video.writer import tag_colors

_FORMATS: Final[dict[Container, str]] = {"mkv": "matroska", "mov": "mov", "mp4": "mp4"}
_LAYOUTS: Final = {"1 channels": "mono", "2 channels": "stereo"}
"""Names that MP4 and MOV need where AVI has only a number."""

_FILE_KEYS: Final = ("ENCODER", "DURATION", "BPS", "NUMBER_OF_", "_STATISTICS", "MAJOR_BRAND",
                    "MINOR_VERSION", "COMPATIBLE_BRANDS", "VENDOR_ID")  # fmt: skip
"""Beginnings of metadata keys that describe the source's file, not its content."""


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
    code and metadata are copied bit for bit.  (In MKV, times that are not whole milliseconds
    are rounded to 5 microseconds.)
    note: metadata on the algorithmic color; its `comment` follows the source's.
    span: the frames, if not all; the film and its sound then begin at 0.
    Returns sentences on what `container` cannot hold.  Raises SourceError, and OutputError also
    for segments of other frames.
    """
    whole = range(facts.frames)
    span = whole if span is None else span
    scanned = ScannedSegments.scan(segments, span)
    ticks, has_exact_times = compute_ticks(facts, container)
    with (
        open_container(source) as original,
        open_container(segments[0]) as first,
        create_container(target, _FORMATS[container], _build_options(container, facts)) as result,
    ):
        pictures = _add_picture_track(result, first, original, facts)
        copied, warnings = _add_other_tracks(result, original, container)
        if not has_exact_times:
            warnings.append("time stamps were rounded to 1/100,000 second; MP4 keeps them exactly")
        part = None
        if span != whole:
            part = facts.get_seconds(span.start), facts.get_seconds(span.stop - 1)
            pictures.metadata.pop("timecode", None)
        _describe(result, original, note, part)
        has_aspect = container == "mkv" and facts.pixel_aspect != 1
        if has_aspect:
            pictures.metadata["title"] = pictures.metadata.get("title", "") + NAME_PADDING
        picture_packets = scanned.read_packets(facts, span, pictures)
        _write_packets(result, picture_packets, _iter_other_packets(original, copied, part), ticks)
    if ticks > 1:
        scale_times(target, ticks)
    if has_aspect:
        write_aspect(target, facts.width, facts.height, facts.pixel_aspect)
    return tuple(warnings)


def _build_options(container: Container, facts: FilmFacts) -> dict[str, str]:
    if container == "mkv":
        # AAC sound begins before the pictures and must not shift them.
        return {"avoid_negative_ts": "disabled"}
    scale = str(facts.time_base.denominator)
    return {
        # Allows metadata keys of any name, not only those of iTunes.
        "movflags": "use_metadata_tags",
        "video_track_timescale": scale,
        # The film's beginning is stated in these units; milliseconds may be too coarse.
        "movie_timescale": scale,
    }


def _add_picture_track(result: Any, segment: Any, original: Any, facts: FilmFacts) -> Any:
    source_stream = find_picture_stream(original)
    track = result.add_stream_from_template(find_picture_stream(segment), opaque=True)
    track.time_base = facts.time_base
    context = track.codec_context
    rate = source_stream.average_rate if facts.variable else facts.rate
    context.framerate = (rate or facts.rate).limit_denominator(100_000)
    context.sample_aspect_ratio = facts.pixel_aspect
    tag_colors(context, facts, has_full_range(facts, context.name))
    context.field_order = source_stream.codec_context.field_order
    if facts.rotation:
        track.set_display_rotation(-facts.rotation)
    track.metadata.update(_filter_metadata(source_stream.metadata))
    track.disposition = source_stream.disposition
    return track


def _add_other_tracks(
    result: Any, original: Any, container: Container
) -> tuple[dict[int, Any], list[str]]:
    """Add the source's other streams: copies by source index, and sentences on the rest."""
    first = find_picture_stream(original).index
    copied, warnings = {}, []
    for stream in original.streams:
        if stream.index == first:
            continue
        try:
            track = _add_track(result, stream, container)
        except ValueError:
            name = getattr(stream.codec_context, "name", None) or stream.name or "unknown"
            warnings.append(f"{container.upper()} cannot hold {stream.type} ({name}): left out")
            continue
        if track is not None:
            track.metadata.update(_filter_metadata(stream.metadata))
            track.disposition = stream.disposition
            if stream.type != "attachment":
                copied[stream.index] = track
    return copied, warnings


def _add_track(result: Any, stream: Any, container: Container) -> Any:
    """Add a stream like the source's; returns None where metadata suffice.

    Raises ValueError when the container cannot hold it.
    """
    if stream.type == "attachment":
        if container != "mkv":
            raise ValueError
        name = stream.metadata.get("filename", "attachment")
        return result.add_attachment(name, stream.mimetype or "", stream.data)
    if stream.type == "data":
        # FFmpeg itself writes the tracks of time codes and of chapters.
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
    """Copy metadata and chapters of the source, and add the note."""
    metadata = _filter_metadata(original.metadata)
    for key, value in note.items():
        comment = metadata.get(key) if key == "comment" else None
        metadata[key] = f"{comment}\n{value}" if comment else value
    result.metadata.update(metadata)
    if part is None:
        result.set_chapters(original.chapters())


def _filter_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Drop metadata on the source's file, and lower Matroska's capital keys."""
    return {
        key.lower() if key.isupper() else key: text
        for key, text in metadata.items()
        if not key.upper().startswith(_FILE_KEYS)
    }


def _iter_other_packets(
    original: Any, copied: dict[int, Any], part: tuple[Fraction, Fraction] | None
) -> Iterator[Any]:
    """Yield packets of the source's other streams, for the target's streams."""
    streams = [stream for stream in original.streams if stream.index in copied]
    if not streams:
        return
    for packet in read_packets(original, *streams):
        if part is not None:
            begin = packet.pts if packet.pts is not None else packet.dts
            if begin is None or not part[0] <= begin * packet.time_base <= part[1]:
                continue
            shift = round(part[0] / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = copied[packet.stream_index]
        yield packet


def _write_packets(
    result: Any, picture_packets: Iterator[Any], other_packets: Iterator[Any], ticks: int
) -> None:
    """Write packets in the order of time, so that FFmpeg need not buffer them.

    ticks: the factor of `scale_times`, by which times are too long until it is called.
    """
    av = load_pyav()
    timed = _attach_times(picture_packets), _attach_times(other_packets)
    for _, packet in heapq.merge(*timed, key=lambda pair: pair[0]):
        packet.time_base *= ticks
        try:
            result.mux_one(packet)
        except av.error.ArgumentError as error:
            raise av.error.ArgumentError(error.errno, f"packet at {packet.time}") from None


def _attach_times(pending: Iterator[Any]) -> Iterator[tuple[Fraction, Any]]:
    latest = Fraction(-1_000_000)
    for packet in pending:
        time = packet.dts if packet.dts is not None else packet.pts
        if time is not None:
            latest = max(latest, time * packet.time_base)
        yield latest, packet
