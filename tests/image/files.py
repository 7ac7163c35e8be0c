"""Make picture files for tests with other libraries than those under test."""

import io
import struct
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, ImageCms

from tests.photographs import photograph

LIMIT = 10_000_000
MAKER_NOTE = bytes(range(256)) + b"maker note, absolute offsets inside"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" tiff:Orientation="6"><dc:description><rdf:Alt>'
    b'<rdf:li xml:lang="x-default">Mill at the river</rdf:li><rdf:li xml:lang="de">M\xc3\xbchle'
    b"</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
)
IPTC = b"\x1c\x02\x78\x00\x0eMill, captioned"


def small(name: str = "astronaut") -> npt.NDArray[np.uint8]:
    """Crop a photograph to odd sides, so that nothing depends on multiples of 8."""
    return photograph(name)[60:227, 100:333]


def small_grey() -> npt.NDArray[np.uint8]:
    return small()[..., 1].copy()


def deep(samples: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """Spread samples over all 16 bits."""
    ramp = np.arange(samples.shape[1], dtype=np.uint32) % 257
    shaped = ramp if samples.ndim == 2 else ramp[:, None]
    return np.minimum(samples.astype(np.uint32) * 257 + shaped, 65535).astype(np.uint16)


def saved(samples: npt.NDArray[Any], kind: str, **options: Any) -> bytes:
    """Encode samples with Pillow."""
    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(samples)).save(target, kind, **options)
    return target.getvalue()


def tiff(samples: npt.NDArray[Any], **options: Any) -> bytes:
    """Encode samples with tifffile."""
    target = io.BytesIO()
    tifffile.imwrite(target, samples, metadata=None, **options)
    return target.getvalue()


def exif(orientation: int = 1, order: str = "<", thumbnail: bool = True) -> bytes:
    """Build an EXIF stream with description, orientation, maker note, sides, GPS and thumbnail."""

    def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
        return struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")

    def long(value: int) -> bytes:
        return struct.pack(order + "I", value)

    text = b"Mill at the river\0"
    first = 8 + 2 + 4 * 12 + 4
    details = first + len(text)
    note = details + 2 + 3 * 12 + 4
    gps = note + len(MAKER_NOTE)
    last = gps + 2 + 12 + 4
    stream = b"II*\0" if order == "<" else b"MM\0*"
    stream += long(8) + struct.pack(order + "H", 4)
    stream += entry(270, 2, len(text), long(first))
    stream += entry(274, 3, 1, struct.pack(order + "H", orientation))
    stream += entry(34665, 4, 1, long(details)) + entry(34853, 4, 1, long(gps))
    stream += long(last if thumbnail else 0) + text
    stream += struct.pack(order + "H", 3) + entry(37500, 7, len(MAKER_NOTE), long(note))
    stream += entry(40962, 4, 1, long(233)) + entry(40963, 4, 1, long(167)) + long(0)
    stream += MAKER_NOTE + struct.pack(order + "H", 1) + entry(1, 2, 2, b"N\0") + long(0)
    return (
        stream
        + struct.pack(order + "H", 1)
        + entry(259, 3, 1, struct.pack(order + "H", 6))
        + long(0)
    )


@cache
def srgb_profile() -> bytes:
    """Create LittleCMS's own sRGB profile, which states when it was created."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
