"""Decode video by frame number, whatever order the frames are stored in."""

from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.video.film import FilmFacts
from archive_colorizer.video.packet_index import FrameIndex, read_packets
from archive_colorizer.video.pyav import find_picture_stream, load_pyav, open_container
from archive_colorizer.video.sequence.source import list_frame_paths

_CHECKSUM_ERROR: Final = "CRC mismatch"


def decode_color_frames(
    path: Path, facts: FilmFacts, span: range
) -> Iterator[npt.NDArray[np.uint8]]:
    """Decode the frames `span` of a film to R'G'B' (H x W x 3, 8 bit), as stored.

    Raises DamagedPicture, and UnsupportedPicture for DPX.
    """
    if facts.kind == "sequence":
        files = list_frame_paths(path)
        for at in span:
            yield _read_still(files[at])
        return
    index = FrameIndex(facts.times, facts.keys)
    for at, frame in decode_span(path, index, span):
        if frame is None:
            raise DamagedPicture(f"{facts.name}: frame {at} cannot be decoded")
        yield np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def _read_still(path: Path) -> npt.NDArray[np.uint8]:
    picture: Any = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if picture is None:
        raise UnsupportedPicture(f"{path.name} cannot be shown; compare as PNG, TIFF or JPEG")
    if picture.dtype == np.uint16:
        picture = (picture // 257).astype(np.uint8)
    return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)


def decode_span(
    path: Path, index: FrameIndex, span: range, threads: int = 1
) -> Generator[tuple[int, Any], None, None]:
    """Yield number and av.VideoFrame of each frame of `span`; None for a lost or damaged one.

    The file is open during the iteration, and a few frames are in memory.
    """
    if not span:
        return
    expected = span.start
    frames = _seek_and_decode(path, index, expected, threads)
    for at, frame in chain(frames, [(span.stop, None)]):
        if at < expected:
            continue
        for missing in range(expected, min(at, span.stop)):
            yield missing, None
        if at < span.stop:
            yield at, frame
        expected = at + 1
        if expected >= span.stop:
            return


def _seek_and_decode(
    path: Path, index: FrameIndex, first: int, threads: int
) -> Iterator[tuple[int, Any]]:
    """Yield numbers and frames from some frame at or before `first`."""
    begin = index.find_decode_start(first)
    if begin:
        run = _decode_from(path, index, begin, threads)
        head = next(run, None)
        if head is not None and head[0] <= begin:
            yield from chain([head], run)
            return
        # A wrong index in the file makes the seek go too far.
        run.close()
    yield from _decode_from(path, index, 0, threads)


def _decode_from(
    path: Path, index: FrameIndex, begin: int, threads: int
) -> Generator[tuple[int, Any], None, None]:
    counted = 0
    with open_container(path) as container:
        stream = find_picture_stream(container)
        if begin:
            container.seek(index.times[begin], stream=stream, backward=True)
        for frame, is_sound in _decode_packets(container, stream, threads):
            at = index.find_frame(frame.pts, counted)
            counted += 1
            if at is not None:
                yield at, frame if is_sound else None


def _decode_packets(container: Any, stream: Any, threads: int) -> Iterator[tuple[Any, bool]]:
    """Yield frames in the decoder's order, and whether they are intact."""
    av = load_pyav()
    context = stream.codec_context
    checks = context.name == "ffv1"
    context.thread_count = 1 if checks else threads
    for packet in chain(read_packets(container, stream), (None,)):
        try:
            # Messages of a decoder's own threads cannot be attributed, hence one thread.
            with av.logging.Capture() as messages:
                frames = context.decode(packet)
        except av.error.FFmpegError:
            continue
        broken = checks and any(_CHECKSUM_ERROR in message for _, _, message in messages)
        for frame in frames:
            yield frame, not (broken or frame.is_corrupt)
