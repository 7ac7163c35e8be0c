"""Find the photographs below a root, and account for everything else there."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from archive_colorizer.errors import FixityMismatch, SourceChanged, SourceError
from archive_colorizer.media.companions import WORDS, Companions, find_companions, role_of
from archive_colorizer.media.magic import (
    MAGIC_LENGTH,
    foreign,
    is_appledouble,
    is_foreign_raw,
    raw_is_readable,
    sniff,
)
from archive_colorizer.overrides import SETTINGS
from archive_colorizer.records import Companion, Source, Stamp, Unfit

_PICTURES: Final = frozenset(
    "jpg jpeg jpe jpf jpx jp2 j2k j2c jpc png tif tiff webp bmp dib avif heic heif hif".split()
)
_UNPROMISED: Final = frozenset("gif jxl psd psb".split())
_RAW: Final = frozenset(
    "dng nef nrw cr2 cr3 crw arw sr2 srf orf rw2 raf pef srw 3fr fff iiq mef erf kdc dcr".split()
)
_LEFTOVERS: Final = frozenset(("thumbs.db", "desktop.ini", ".ds_store"))
_OPEN_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""No link is followed, and a fifo put in a file's place between two looks does not block."""


def walk(root: Path, prefix: str = "") -> Iterator[Source | Unfit]:
    """Everything below `root` that is no folder, in an order that is the same everywhere.

    Depth first, names in the order of their bytes.  One `lstat` an entry; only files without
    a picture's extension are opened, for 16 bytes.  Links are never followed below the root.
    A root that is a file yields that file.  Sources name the files of settings for them, which
    the listing of their folder shows; links to some are named, too, and fail when they are read.
    Memory grows with the largest folder, not with the tree.  Raises SourceError when the root
    is missing or cannot be listed.
    """
    top = os.path.abspath(root)  # noqa: PTH100 (Path.absolute keeps "..", which hides overlaps)
    try:
        if stat.S_ISDIR(os.stat(top).st_mode):  # noqa: PTH116
            first = _Folder("", _names(top), ())
        else:
            top, name = os.path.split(top)
            first = _Folder("", [one for one in settings_beside(name) if _is_there(top, one)], ())
            first.names = iter([name])
            first.companions = _beside_one(top, name)
    except OSError as error:
        raise SourceError(f"{root} cannot be read: {error.strerror}; check the path") from None
    yield from _visit(top, first, prefix)


def settings_beside(name: str) -> tuple[str, str]:
    """The names that files of settings for a photograph have in its folder, the nearest last."""
    return SETTINGS, f"{name}.{SETTINGS}"


def _is_there(folder: str, name: str) -> bool:
    return os.path.lexists(os.path.join(folder, name))  # noqa: PTH118 (surrogates)


def accompanied(source: Source) -> Source:
    """A source that was not found by `walk`, with the pictures that lie beside it."""
    found = _beside_one(str(source.path.parent), source.path.name)
    return _accompanied(source, found) if found.of else source


def read_source(path: Path) -> tuple[bytes, Stamp]:
    """A file's whole content and its stamp, from one opening.

    Raises SourceError when it cannot be read or is no regular file, SourceChanged when it
    grew or shrank meanwhile.
    """
    try:
        with open(os.open(path, _OPEN_READ), "rb") as file:  # noqa: PTH123 (own flags)
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{path} is no regular file")
            data = file.read()
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise SourceError(f"{path} cannot be read: {why}") from None
    if len(data) != status.st_size:
        raise SourceChanged(f"{path} was written to while it was read; run again when it rests")
    return data, Stamp.of(status)


def check_fixity(data: bytes, source: Source) -> None:
    """Raise FixityMismatch when the content is not what somebody has vouched for."""
    algorithm, _, digest = source.fixity.partition(":")
    if digest and hashlib.new(algorithm, data).hexdigest() != digest:
        raise FixityMismatch(
            f"{source.name} has not the {algorithm} that its bag gives; look for a better copy"
        )


def check_unchanged(path: Path, stamp: Stamp) -> None:
    """Raise SourceChanged when the file at `path` is not what it was at `stamp`."""
    try:
        now = Stamp.of(os.lstat(path))
    except OSError as error:
        raise SourceChanged(f"{path} went away during its restoration: {error.strerror}") from None
    if now != stamp:
        raise SourceChanged(f"{path} was written to during its restoration; run again")


class _Folder:
    """A folder on the way: the names that are still to be seen, and its files of settings."""

    def __init__(self, path: str, names: list[str], above: tuple[str, ...]) -> None:
        self.path = path
        self.names = iter(names)
        self._own = {name for name in names if name.endswith(f".{SETTINGS}")}
        # Only beside photographs with settings of their own others are looked up.
        self._all = frozenset(names) if self._own else frozenset()
        self._above = (*above, self.below(SETTINGS)) if SETTINGS in names else above
        self.companions = find_companions(names, _is_called_photograph)

    def below(self, name: str) -> str:
        """The path below the root of what is called so here."""
        return f"{self.path}/{name}" if self.path else name

    def overrides_of(self, name: str) -> tuple[str, ...]:
        """The files of settings for what is called so here, the nearest last."""
        own = f"{name}.{SETTINGS}"
        return (*self._above, self.below(own)) if own in self._own else self._above

    def settings_for(self, name: str) -> str | None:
        """Whom a file of settings is for; None for any other file."""
        if name == SETTINGS:
            return "this folder"
        if name not in self._own:
            return None
        whose = name.removesuffix(f".{SETTINGS}")
        return whose if whose in self._all else f"{whose}, which is not there"

    def inside(self, name: str, names: list[str]) -> "_Folder":
        """The folder that is called so here and holds these names."""
        return _Folder(self.below(name), names, self._above)


def _visit(top: str, first: _Folder, prefix: str) -> Iterator[Source | Unfit]:
    """Walk with a stack of its own: Python's would end at some hundred levels."""
    stack = [first]
    while stack:
        folder = stack[-1]
        name = next(folder.names, None)
        if name is None:
            stack.pop()
            continue
        relative = folder.below(name)
        try:
            status = os.lstat(os.path.join(top, relative))  # noqa: PTH118 (surrogates, speed)
            if stat.S_ISDIR(status.st_mode):
                listed = _names(os.path.join(top, relative))  # noqa: PTH118
                stack.append(folder.inside(name, listed))
                continue
        except OSError as error:
            message = f"{relative} cannot be read: {error.strerror}"
            yield Unfit(top, relative, "unreadable", message, failed=True, prefix=prefix)
            continue
        if name in folder.companions.owners:
            yield _belonging(top, relative, folder.companions.owners[name], prefix)
            continue
        found = _judge(top, relative, status, prefix, folder.settings_for(name))
        if isinstance(found, Source) and (overrides := folder.overrides_of(name)):
            found = replace(found, overrides=overrides)
        if isinstance(found, Source) and name in folder.companions.of:
            found = _accompanied(found, folder.companions)
        yield found


def _beside_one(folder: str, name: str) -> Companions:
    """The companions of a single file; none where its folder cannot be listed."""
    with suppress(OSError):
        found = find_companions(_names(folder), _is_called_photograph)
        # Somebody who asks for a companion itself takes it for a photograph.
        return Companions({name: found.of[name]}) if name in found.of else Companions()
    return Companions()


def _is_called_photograph(name: str) -> bool:
    extension = name.rpartition(".")[2].lower()
    return (extension in _PICTURES or extension in _RAW) and not name.startswith("._")


def _belonging(top: str, relative: str, owner: str | None, prefix: str) -> Unfit:
    """A companion, accounted for."""
    role = role_of(relative)
    what = WORDS[role] if role else "a companion"
    said = f"{relative} is {what} of {owner}"
    if owner is None:
        said = f"{relative} is not used: its photograph has one that bears its whole name"
    return Unfit(top, relative, "companion", said, prefix=prefix)


def _accompanied(source: Source, companions: Companions) -> Source:
    """A source with what lies beside it; only here are companions asked for their stamps."""
    beside = []
    for role, name in companions.of[source.path.name]:
        stamp = None
        with suppress(OSError):
            stamp = Stamp.of(os.lstat(source.path.with_name(name)))
        beside.append(Companion(role, name, stamp))
    return replace(source, beside=tuple(beside))


def _names(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted((entry.name for entry in entries), key=os.fsencode)


def _judge(
    top: str, relative: str, status: os.stat_result, prefix: str, whose: str | None
) -> Source | Unfit:
    """What is to become of a file; `whose` tells for whom it is a file of settings."""
    if stat.S_ISLNK(status.st_mode):
        return Unfit(top, relative, "symlink", f"{relative} is a link", prefix=prefix)
    if not stat.S_ISREG(status.st_mode):
        message = f"{relative} is a fifo, socket or device"
        return Unfit(top, relative, "special-file", message, prefix=prefix)
    if whose is not None:
        message = f"{relative} holds settings for {whose}"
        return Unfit(top, relative, "settings", message, prefix=prefix)
    source = Source(top, relative, Stamp.of(status), prefix)
    name = relative.rpartition("/")[2]
    extension = name.rpartition(".")[2].lower()
    if extension in _PICTURES and not name.startswith("._"):
        return source
    if extension in _RAW and not name.startswith("._"):
        return source if raw_is_readable() else _unsupported(source, f"camera raw (.{extension})")
    try:
        return _look_inside(source, extension)
    except OSError as error:
        message = f"{relative} cannot be read: {error.strerror}"
        return Unfit(top, relative, "unreadable", message, failed=True, prefix=prefix)


def _look_inside(source: Source, extension: str) -> Source | Unfit:
    """Judge a file by its first bytes, for its name does not promise a picture."""
    if source.relative.rpartition("/")[2].lower() in _LEFTOVERS:
        return _not_a_picture(source, "was left by a file browser")
    with open(os.open(source.path, _OPEN_READ), "rb", buffering=0) as file:  # noqa: PTH123
        beginning = file.read(MAGIC_LENGTH)
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
