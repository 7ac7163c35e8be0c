"""Directories of a classic TIFF stream, laid out in bytes."""

import struct

Tag = tuple[int, int, int, bytes]
"""Tag number, type, number of values, and the values in the stream's byte order."""

Tree = tuple[list[Tag], dict[int, list[Tag]]]
"""The tags of a directory, and those of the directories that hang on it, by pointer."""


def pack_tree(tree: Tree, at: int, order: str) -> bytes:
    """A directory and those that hang on it, laid out from offset `at`."""
    tags, below = tree
    size = directory_size([*tags, *((tag, 4, 1, b"\0" * 4) for tag in below)])
    body, pointers = b"", []
    for tag, inner in below.items():
        pointers.append((tag, 4, 1, struct.pack(order + "I", at + size + len(body))))
        body += pack_directory(inner, at + size + len(body), order)
    return pack_directory([*tags, *pointers], at, order) + body


def directory_size(tags: list[Tag]) -> int:
    """Bytes that `pack_directory` takes."""
    return 6 + 12 * len(tags) + sum(_padded(len(raw)) for *_, raw in tags if len(raw) > 4)


def pack_directory(tags: list[Tag], at: int, order: str) -> bytes:
    """A classic directory with its values after it, in ascending order of tags."""
    values = at + 6 + 12 * len(tags)
    head, tail = struct.pack(order + "H", len(tags)), b""
    for tag, kind, count, raw in sorted(tags):
        place = raw.ljust(4, b"\0")
        if len(raw) > 4:
            place = struct.pack(order + "I", values + len(tail))
            tail += raw.ljust(_padded(len(raw)), b"\0")
        head += struct.pack(order + "HHI", tag, kind, count) + place
    return head + b"\0" * 4 + tail


def _padded(size: int) -> int:
    return size + size % 2
