"""Decoding of video by frame numbers, exact whatever order the frames are stored in."""

from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.video.film import FilmFacts
from archive_colorizer.video.packet_index import FrameIndex, packets
from archive_colorizer.video.pyav import library, opened, picture_stream
from archive_colorizer.video.sequence.source import frame_paths


def color_frames(path: Path, facts: FilmFacts, span: range) -> Iterator[npt.NDArray[np.uint8]]:
    """R'G'B' of 8 bits (H x W x 3), as stored, of the frames `span` of a film.

    Raises DamagedPicture, which names the frame, and UnsupportedPicture for DPX.
    """
    if facts.kind == "sequence":
        files = frame_paths(path)
        for at in span:
            yield _still(files[at])
        return
    index = FrameIndex(facts.times, facts.keys)
    for at, frame in pictures(path, facts.name, index, span):
        if frame is None:
            raise DamagedPicture(f"{facts.name}: frame {at} cannot be decoded")
        yield np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def _still(path: Path) -> npt.NDArray[np.uint8]:
    picture: Any = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if picture is None:
        raise UnsupportedPicture(f"{path.name} cannot be shown; compare as PNG, TIFF or JPEG")
    if picture.dtype == np.uint16:
        picture = (picture // 257).astype(np.uint8)
    return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)


_CHECKSUM: Final = "CRC mismatch"


def pictures(
    path: Path, name: str, index: FrameIndex, span: range, threads: int = 1
) -> Generator[tuple[int, Any], None, None]:
    """Number and av.VideoFrame of each frame of `span`; None for one that is lost or damaged.

    The file is open while this runs, and a few frames are in memory.
    """
    if not span:
        return
    wanted = span.start
    for at, frame in _placed(path, name, index, wanted, threads):
        if at < wanted:
            continue
        for missing in range(wanted, min(at, span.stop)):
            yield missing, None
        if at < span.stop:
            yield at, frame
        wanted = at + 1
        if wanted >= span.stop:
            return
    for missing in range(wanted, span.stop):
        yield missing, None


def _placed(
    path: Path, name: str, index: FrameIndex, first: int, threads: int
) -> Iterator[tuple[int, Any]]:
    """Frames with their numbers from somewhere at or before `first`."""
    begin = index.beginning(first)
    if begin:
        run = _run(path, name, index, begin, threads)
        head = next(run, None)
        if head is not None and head[0] <= begin:
            yield from chain([head], run)
            return
        # The seek went too far, as it does where a file's own index is wrong.
        run.close()
    yield from _run(path, name, index, 0, threads)


def _run(
    path: Path, name: str, index: FrameIndex, begin: int, threads: int
) -> Generator[tuple[int, Any], None, None]:
    counted = 0
    with opened(path, name) as container:
        stream = picture_stream(container, name)
        if begin:
            container.seek(index.times[begin], stream=stream, backward=True)
        for frame, is_sound in _decoded(container, stream, threads):
            at = index.place(frame.pts, counted)
            counted += 1
            if at is not None:
                yield at, frame if is_sound else None


def _decoded(container: Any, stream: Any, threads: int) -> Iterator[tuple[Any, bool]]:
    """Frames as they come out of the decoder, and whether they are whole."""
    av = library()
    context = stream.codec_context
    checks = context.name == "ffv1"
    context.thread_count = 1 if checks else threads
    for packet in chain(packets(container, None, stream), (None,)):
        try:
            # One thread: messages of a decoder's own threads cannot be told apart.
            with av.logging.Capture() as said:
                frames = context.decode(packet)
        except av.error.FFmpegError:
            continue
        broken = checks and any(_CHECKSUM in message for _, _, message in said)
        for frame in frames:
            yield frame, not (broken or frame.is_corrupt)
