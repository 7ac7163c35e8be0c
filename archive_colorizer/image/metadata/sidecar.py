"""Build sidecars: the XMP of a picture in a file of its own, `name.ext.xmp`.

They serve formats without XMP, and archives that read metadata from separate files.
"""

import re
from typing import Final

from archive_colorizer.image.raster import Format

_WITHOUT_XMP: Final[frozenset[Format]] = frozenset({"bmp"})
_WRAPPER: Final = re.compile(rb"<\?xpacket\b.*?\?>", re.DOTALL)
_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def can_hold_xmp(file_format: Format) -> bool:
    """Whether files of this format can hold the provenance themselves."""
    return file_format not in _WITHOUT_XMP


def build_sidecar(packet: bytes) -> bytes:
    """Turn an XMP packet (UTF-8) into a file: without the wrapper that marks it in a picture."""
    body = _WRAPPER.sub(b"", packet).strip(b"\0 \t\r\n\xef\xbb\xbf")
    return _DECLARATION + body + b"\n"
