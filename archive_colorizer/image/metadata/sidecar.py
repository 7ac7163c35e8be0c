"""Sidecar: the metadata of a picture in a file of its own, `name.ext.xmp`.

For formats that hold no XMP, and for archives that read metadata beside their files.
"""

import re
from typing import Final

from archive_colorizer.image.raster import Format
from archive_colorizer.records.paths import sidecar_of

__all__ = ["holds_xmp", "sidecar_for", "sidecar_of"]

_WITHOUT_XMP: Final[frozenset[Format]] = frozenset({"bmp"})
_WRAPPER: Final = re.compile(rb"<\?xpacket\b.*?\?>", re.DOTALL)
_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def holds_xmp(kind: Format) -> bool:
    """Whether files of this format hold the provenance themselves."""
    return kind not in _WITHOUT_XMP


def sidecar_for(packet: bytes) -> bytes:
    """An XMP packet (UTF-8) as a file of its own.

    The packet's wrapper, which lets programs find and rewrite it inside a picture, goes.
    """
    body = _WRAPPER.sub(b"", packet).strip(b"\0 \t\r\n\xef\xbb\xbf")
    return _DECLARATION + body + b"\n"
