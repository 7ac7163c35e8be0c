"""Load PyAV, Python's FFmpeg, open its containers, and translate its errors."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import (
    DamagedPicture,
    DependencyError,
    SourceError,
    UnsupportedPicture,
)
from archive_colorizer.storage.atomic import describe_write_error

_FORMATS: Final = "mov,mp4,matroska,webm,avi,mpeg,mpegts,mxf,dv,nut,asf,ogg,flv"
"""Demuxers that read a single file; those of playlists open others."""

_OPTIONS: Final = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}


@cache
def load_pyav() -> Any:
    """Import the av module.  Raises DependencyError when it is not installed."""
    try:
        import av
        import av.logging
    except ImportError:
        raise DependencyError(
            "film needs PyAV, which is not installed; run pip install 'archive-colorizer[film]'"
        ) from None
    logging.getLogger("libav").addHandler(logging.NullHandler())
    # The FFV1 decoder reports a wrong checksum only as a message at this level.
    av.logging.set_level(av.logging.ERROR)
    return av


@contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Open a container to read.  Raises SourceError, and DamagedPicture if it is not intact.

    FFmpeg's errors in the body of the `with` also become DamagedPicture.
    """
    av, name = load_pyav(), path.name
    try:
        # FFmpeg would take the relative path "a:b.mkv" for a protocol.
        container = av.open(str(path.absolute()), container_options=_OPTIONS)
    except av.error.InvalidDataError:
        raise DamagedPicture(
            f"{name} cannot be opened: it is no video, or cut, or its index is damaged; "
            "look for a better copy"
        ) from None
    except av.error.EOFError:
        raise DamagedPicture(
            f"{name} has no frames: it ends where they should begin; look for a better copy"
        ) from None
    except av.error.ArgumentError:
        raise UnsupportedPicture(
            f"{name} is a kind of video file that is not read; bring it into MKV or MOV first"
        ) from None
    except (OSError, av.error.FFmpegError) as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}") from None
    try:
        with container:
            yield container
    except av.error.FFmpegError as error:
        raise DamagedPicture(f"{name}: cut or corrupt ({error.strerror})") from None


@contextmanager
def create_container(path: Path, kind: str, options: dict[str, str] | None = None) -> Iterator[Any]:
    """Create a container of FFmpeg's format `kind`.  Raises OutputError."""
    av = load_pyav()
    absolute = str(path.absolute())
    try:
        with av.open(absolute, "w", format=kind, container_options=options or {}) as target:
            yield target
    except (OSError, av.error.FFmpegError) as error:
        raise describe_write_error(path, error) from None


def find_picture_stream(container: Any) -> Any:
    """Find the first video stream that is no cover.  Raises UnsupportedPicture without one."""
    av, name = load_pyav(), Path(container.name).name
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            if stream.codec_context is None:
                raise UnsupportedPicture(f"{name}: its codec is not known; convert it to FFV1")
            return stream
    stream_types = sorted({stream.type for stream in container.streams}) or ["nothing"]
    raise UnsupportedPicture(f"{name} has no pictures: it holds {' and '.join(stream_types)} only")
