"""The door to PyAV, which is FFmpeg's libraries in Python: opened files, named failures."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import (
    DamagedPicture,
    DependencyError,
    OutputError,
    SourceError,
    UnsupportedPicture,
)

_FORMATS: Final = "mov,mp4,matroska,webm,avi,mpeg,mpegts,mxf,dv,nut,asf,ogg,flv"
"""Demuxers that read nothing but the file they are given; playlists open others."""

_OPTIONS: Final = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}


@cache
def library() -> Any:
    """The av module.  Raises DependencyError when it is not installed."""
    try:
        import av
        import av.logging
    except ImportError:
        raise DependencyError(
            "film needs PyAV, which is not installed; run pip install 'archive-colorizer[film]'"
        ) from None
    logging.getLogger("libav").addHandler(logging.NullHandler())
    # Errors and no more: the FFV1 decoder says only there that a checksum is wrong.
    av.logging.set_level(av.logging.ERROR)
    return av


@contextmanager
def opened(path: Path, name: str) -> Iterator[Any]:
    """A container to read.  Raises SourceError, DamagedPicture when it is none or is cut.

    What FFmpeg finds wrong while it is open is raised as DamagedPicture.
    """
    av = library()
    try:
        # An absolute path: "a:b.mkv" would be taken for a protocol.
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
def created(path: Path, kind: str, options: dict[str, str] | None = None) -> Iterator[Any]:
    """A container to write, of FFmpeg's format `kind`.  Raises OutputError; see `failures`."""
    av = library()
    with (
        failures(path),
        av.open(str(path.absolute()), "w", format=kind, container_options=options or {}) as target,
    ):
        yield target


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Raise what FFmpeg or the system finds wrong in writing `path` as OutputError."""
    av = library()
    try:
        yield
    except (OSError, av.error.FFmpegError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"cannot write {path}: {why}; mend that and run again") from None


def picture_stream(container: Any, name: str) -> Any:
    """The first stream of moving pictures.  Raises UnsupportedPicture when there is none."""
    av = library()
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            if stream.codec_context is None:
                raise UnsupportedPicture(f"{name}: its codec is not known; convert it to FFV1")
            return stream
    there = sorted({stream.type for stream in container.streams}) or ["nothing"]
    raise UnsupportedPicture(f"{name} has no pictures: it holds {' and '.join(there)} only")
