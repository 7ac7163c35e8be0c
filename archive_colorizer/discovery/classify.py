"""Judge what was found below a root: a photograph to restore, or why it is none.

By its name where that promises a picture, and by its first bytes elsewhere.
"""

from collections.abc import Callable
from typing import Final

from archive_colorizer.image.signatures import (
    foreign,
    is_appledouble,
    is_foreign_raw,
    raw_is_readable,
    sniff,
)
from archive_colorizer.records.jobs import Source, Unfit

_PICTURES: Final = frozenset(
    "jpg jpeg jpe jpf jpx jp2 j2k j2c jpc png tif tiff webp bmp dib avif heic heif hif".split()
)
_UNPROMISED: Final = frozenset("gif jxl psd psb".split())
_RAW: Final = frozenset(
    "dng nef nrw cr2 cr3 crw arw sr2 srf orf rw2 raf pef srw 3fr fff iiq mef erf kdc dcr".split()
)
_LEFTOVERS: Final = frozenset(("thumbs.db", "desktop.ini", ".ds_store"))


def is_called_photograph(name: str) -> bool:
    """Whether the name of a file promises a picture that may be restored."""
    extension = name.rpartition(".")[2].lower()
    return (extension in _PICTURES or extension in _RAW) and not name.startswith("._")


def judge(
    source: Source, beginning: Callable[[Source], bytes], whose: str | None = None
) -> Source | Unfit:
    """The source, or what it is instead; `beginning` gives its first MAGIC_LENGTH bytes.

    It is asked only for names that promise no picture, and raises OSError when it cannot.
    `whose` tells for whom it is a file of settings, if it is one.
    """
    if whose is not None:
        message = f"{source.relative} holds settings for {whose}"
        where = (source.root, source.relative)
        return Unfit(*where, "settings", message, prefix=source.prefix)
    name = source.relative.rpartition("/")[2]
    extension = name.rpartition(".")[2].lower()
    if extension in _PICTURES and not name.startswith("._"):
        return source
    if extension in _RAW and not name.startswith("._"):
        return source if raw_is_readable() else _unsupported(source, f"camera raw (.{extension})")
    try:
        return _look_inside(source, extension, beginning)
    except OSError as error:
        return unreadable(source, error)


def unreadable(source: Source, error: OSError) -> Unfit:
    """What to say of a source whose first bytes cannot be had."""
    message = f"{source.relative} cannot be read: {error.strerror}"
    where = (source.root, source.relative)
    return Unfit(*where, "unreadable", message, failed=True, prefix=source.prefix)


def _look_inside(source: Source, extension: str, read: Callable[[Source], bytes]) -> Source | Unfit:
    """Judge a file by its first bytes, for its name does not promise a picture."""
    if source.relative.rpartition("/")[2].lower() in _LEFTOVERS:
        return _not_a_picture(source, "was left by a file browser")
    beginning = read(source)
    if is_appledouble(beginning):
        return _not_a_picture(source, "is a shadow file of macOS")
    if sniff(beginning) or extension in _PICTURES:
        return source
    if is_foreign_raw(beginning) and raw_is_readable():
        return source
    known = foreign(beginning)
    if known or extension in _UNPROMISED:
        return _unsupported(source, known or extension.upper())
    return _not_a_picture(source, "is no picture")


def _unsupported(source: Source, kind: str) -> Unfit:
    message = (
        f"{source.relative}: {kind} is not read by this version; convert it to TIFF or PNG first"
    )
    if "raw" in kind:
        message = (
            f"{source.relative}: {kind} needs the extra 'raw' "
            "(pip install 'archive-colorizer[raw]'), or develop it to TIFF first"
        )
    where = (source.root, source.relative)
    return Unfit(*where, "unsupported", message, failed=True, prefix=source.prefix)


def _not_a_picture(source: Source, why: str) -> Unfit:
    message = f"{source.relative} {why}"
    return Unfit(source.root, source.relative, "not-a-picture", message, prefix=source.prefix)
