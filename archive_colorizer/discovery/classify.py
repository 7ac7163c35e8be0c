"""Classify a file as a photograph to restore, or say why it is rejected.

The name decides where it promises a picture, the first bytes decide elsewhere.
"""

from collections.abc import Callable
from typing import Final

from archive_colorizer.errors import FailureReason
from archive_colorizer.image.signatures import (
    can_read_raw,
    identify_foreign_format,
    is_foreign_raw,
    sniff,
)
from archive_colorizer.records.jobs import RejectedEntry, Source

_PICTURES: Final = frozenset(
    "jpg jpeg jpe jpf jpx jp2 j2k j2c jpc png tif tiff webp bmp dib avif heic heif hif".split()
)
_UNPROMISED: Final = frozenset("gif jxl psd psb".split())
_RAW: Final = frozenset(
    "dng nef nrw cr2 cr3 crw arw sr2 srf orf rw2 raf pef srw 3fr fff iiq mef erf kdc dcr".split()
)
_APPLEDOUBLE: Final = b"\x00\x05\x16\x07"
"""What macOS writes next to other files."""
_LEFTOVERS: Final = frozenset(("thumbs.db", "desktop.ini", ".ds_store"))


def is_photograph_name(name: str) -> bool:
    """Whether the name of a file promises a picture that may be restored."""
    extension = name.rpartition(".")[2].lower()
    return (extension in _PICTURES or extension in _RAW) and not name.startswith("._")


def classify(
    source: Source, read_beginning: Callable[[Source], bytes], settings_owner: str | None = None
) -> Source | RejectedEntry:
    """Return the source when it is a photograph, else why it is rejected.

    read_beginning: reads the first MAGIC_LENGTH bytes, only of files whose name promises no
    picture; may raise OSError.  settings_owner: what a file of settings is for.
    """
    if settings_owner is not None:
        message = f"{source.relative} holds settings for {settings_owner}"
        return source.reject("settings", message)
    name = source.relative.rpartition("/")[2]
    extension = name.rpartition(".")[2].lower()
    if is_photograph_name(name):
        if extension in _PICTURES or can_read_raw():
            return source
        return _reject_unsupported(source, f"camera raw (.{extension})")
    try:
        return _classify_content(source, extension, read_beginning)
    except OSError as error:
        return source.reject_unreadable(error)


def _classify_content(
    source: Source, extension: str, read_beginning: Callable[[Source], bytes]
) -> Source | RejectedEntry:
    if source.relative.rpartition("/")[2].lower() in _LEFTOVERS:
        return _reject_other(source, "was left by a file browser")
    beginning = read_beginning(source)
    if beginning.startswith(_APPLEDOUBLE):
        return _reject_other(source, "is a shadow file of macOS")
    if sniff(beginning) or extension in _PICTURES:
        return source
    if is_foreign_raw(beginning) and can_read_raw():
        return source
    foreign_format = identify_foreign_format(beginning)
    if foreign_format or extension in _UNPROMISED:
        return _reject_unsupported(source, foreign_format or extension.upper())
    return _reject_other(source, "is no picture")


def _reject_unsupported(source: Source, kind: str) -> RejectedEntry:
    message = (
        f"{source.relative}: {kind} is not read by this version; convert it to TIFF or PNG first"
    )
    if "raw" in kind:
        message = (
            f"{source.relative}: {kind} needs the extra 'raw' "
            "(pip install 'archive-colorizer[raw]'), or develop it to TIFF first"
        )
    return source.reject(FailureReason.UNSUPPORTED, message, failed=True)


def _reject_other(source: Source, why: str) -> RejectedEntry:
    return source.reject(FailureReason.NOT_A_PICTURE, f"{source.relative} {why}")
