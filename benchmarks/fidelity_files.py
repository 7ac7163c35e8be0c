"""Sixty grey scans of many kinds, made the same way each time from scikit-image's photographs."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, PngImagePlugin

from archive_colorizer.color.space import Plane, compute_luma

Make = Callable[[Path, Plane], None]
"""Writes one file from a grey picture."""

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "camera", "moon", "coins")
SIDES = ((301, 233), (256, 320), (287, 299), (240, 368))
"""Heights and widths, most of them odd, so that nothing depends on multiples of 8."""

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="Oberhausen">'
    b'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Mill at the river</rdf:li></rdf:Alt>'
    b"</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def make_files(folder: Path, count: int) -> list[Path]:
    """Write `count` of the files, spread evenly over the kinds, and give their paths.

    Raises ValueError when more are asked for than there are kinds.
    """
    kinds = list(_kinds())
    if not 0 < count <= len(kinds):
        raise ValueError(f"--files must be 1 to {len(kinds)}, not {count}")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for at in (turn * len(kinds) // count for turn in range(count)):
        name, make = kinds[at]
        paths.append(folder / f"{at:02d}-{name}")
        make(paths[-1], grey(at))
    return paths


@cache
def grey(at: int) -> Plane:
    """A grey cut of a photograph, H x W uint8; other numbers give other cuts."""
    from skimage import data

    picture = getattr(data, NAMES[at % len(NAMES)])()
    plane = compute_luma(picture) if picture.ndim == 3 else picture
    height, width = SIDES[at % len(SIDES)]
    top = (plane.shape[0] - min(height, plane.shape[0])) // 2
    left = (plane.shape[1] - min(width, plane.shape[1])) // 2
    return np.ascontiguousarray(plane[top : top + height, left : left + width], dtype=np.uint8)


def deep(plane: Plane) -> Plane:
    """16 bits that are all used: a ramp below the 8 bits of the photograph."""
    ramp = np.arange(plane.shape[1], dtype=np.uint32) % 257
    return np.minimum(plane.astype(np.uint32) * 257 + ramp, 65535).astype(np.uint16)


def exif(orientation: int = 1, **more: bytes) -> bytes:
    """A stream with a date, a place and an orientation; TIFF keeps its XMP there, too."""
    said = Image.Exif()
    said[270] = "Mill at the river"
    said[274] = orientation
    said[34665] = {36867: "1931:05:01 09:00:00", 36868: "1998:02:03 04:05:06"}
    said[34853] = {1: "N", 2: (48.0, 8.0, 13.5), 3: "E", 4: (11.0, 34.0, 34.25)}
    if "xmp" in more:
        said[700] = more["xmp"]
    return said.tobytes()


@cache
def profile(kind: str, gamma: float | None = None) -> bytes:
    """An ICC profile by LittleCMS, without the moment of its making."""
    made = bytearray(imagecodecs.cms_profile(kind, gamma=gamma))
    made[24:36] = bytes((7, 228, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    made[84:100] = bytes(16)
    return bytes(made)


def _kinds() -> Iterator[tuple[str, Make]]:
    yield from _jpegs()
    yield from _pngs()
    yield from _tiffs()
    yield "lossy.webp", partial(_pillow, channels=3, quality=80)
    yield "exif.webp", partial(_pillow, channels=3, lossless=True, exif=exif())
    yield "grey.bmp", _pillow
    yield "rgb.bmp", partial(_pillow, channels=3)
    yield "grey.jp2", partial(_jp2, bits=8)
    yield "deep.jp2", partial(_jp2, bits=16)


def _jpegs() -> Iterator[tuple[str, Make]]:
    for quality in (75, 85, 90, 95, 100):
        yield f"grey-{quality}.jpg", partial(_pillow, quality=quality)
    for quality in (80, 90, 97):
        yield f"progressive-{quality}.jpg", partial(_pillow, quality=quality, progressive=True)
    for named, sampling in (("420", 2), ("444", 0)):
        for quality in (75, 90, 97):
            how = {"channels": 3, "quality": quality, "subsampling": sampling}
            yield f"rgb-{named}-{quality}.jpg", partial(_pillow, **how)
    for quality in (75, 90):
        how = {"channels": 3, "quality": quality, "progressive": True}
        yield f"rgb-progressive-{quality}.jpg", partial(_pillow, **how)
    for orientation in range(1, 9):
        said = exif(orientation)
        yield f"turned-{orientation}.jpg", partial(_pillow, quality=90, exif=said)
    for gamma in (1.8, 2.2):
        yield f"gamma-{gamma}.jpg", partial(_pillow, quality=90, icc_profile=profile("gray", gamma))
    for quality in (85, 95):
        how = {"channels": 3, "quality": quality, "icc_profile": profile("adobergb")}
        yield f"adobe-rgb-{quality}.jpg", partial(_pillow, **how)
    for quality in (85, 95):
        yield f"xmp-{quality}.jpg", partial(_pillow, quality=quality, exif=exif(), xmp=XMP)


def _pngs() -> Iterator[tuple[str, Make]]:
    yield "grey.png", _pillow
    yield "grey-again.png", _pillow
    yield "rgb.png", partial(_pillow, channels=3)
    for name in ("deep", "deep-again"):
        yield f"{name}.png", _deep_png
    yield "deep-gamma-2.2.png", partial(_deep_png, icc_profile=profile("gray", 2.2))
    yield "palette.png", _palette
    yield "grey-alpha.png", partial(_alpha, channels=1)
    yield "rgb-alpha.png", partial(_alpha, channels=3)
    yield "deep-alpha.png", _deep_alpha
    yield "turned-6-xmp.png", _told_png
    yield "gamma-2.2.png", partial(_pillow, icc_profile=profile("gray", 2.2))


def _tiffs() -> Iterator[tuple[str, Make]]:
    yield "exif.tif", partial(_pillow, exif=exif(xmp=XMP))
    yield "turned-6-exif.tif", partial(_pillow, exif=exif(6, xmp=XMP))
    yield "deep-exif.tif", _deep_exif_tiff
    for compression in ("lzw", "deflate"):
        yield f"{compression}.tif", partial(_tiff, bits=8, compression=compression)
        yield f"deep-{compression}.tif", partial(_tiff, bits=16, compression=compression)
    yield "tiled.tif", partial(_tiff, bits=8, tile=(64, 64))
    yield "deep-tiled.tif", partial(_tiff, bits=16, tile=(64, 64), compression="deflate")
    yield "deep-rgb.tif", partial(_tiff, bits=16, channels=3)
    yield "two-pages.tif", partial(_two_pages, bits=8)
    yield "deep-two-pages.tif", partial(_two_pages, bits=16)


def _pillow(path: Path, plane: Plane, channels: int = 1, **options: Any) -> None:
    Image.fromarray(_channels(plane, channels)).save(path, **options)


def _channels(plane: Plane, channels: int) -> npt.NDArray[Any]:
    return plane if channels == 1 else np.dstack([plane] * channels)


def _slope(plane: Plane) -> Plane:
    """An alpha plane that runs from clear to opaque."""
    white = np.iinfo(plane.dtype).max
    row = np.linspace(0, white, plane.shape[1]).astype(plane.dtype)
    return np.ascontiguousarray(np.broadcast_to(row, plane.shape))


def _palette(path: Path, plane: Plane) -> None:
    picture = Image.fromarray(plane).quantize(64)
    picture.save(path)


def _alpha(path: Path, plane: Plane, channels: int) -> None:
    Image.fromarray(np.dstack([plane] * channels + [_slope(plane)])).save(path)


def _deep_alpha(path: Path, plane: Plane) -> None:
    wide = deep(plane)
    path.write_bytes(imagecodecs.png_encode(np.dstack([wide, wide, wide, _slope(wide)])))


def _deep_png(path: Path, plane: Plane, **options: Any) -> None:
    Image.fromarray(deep(plane)).save(path, **options)


def _told_png(path: Path, plane: Plane) -> None:
    words = PngImagePlugin.PngInfo()
    words.add_itxt("XML:com.adobe.xmp", XMP.decode())
    Image.fromarray(plane).save(path, pnginfo=words, exif=exif(6))


def _deep_exif_tiff(path: Path, plane: Plane) -> None:
    Image.fromarray(deep(plane)).save(path, exif=exif(xmp=XMP))


def _tiff(path: Path, plane: Plane, bits: int, channels: int = 1, **options: Any) -> None:
    wide = plane if bits == 8 else deep(plane)
    kind = "rgb" if channels == 3 else "minisblack"
    samples = _channels(wide, channels)
    tifffile.imwrite(path, samples, photometric=kind, metadata=None, **options)


def _two_pages(path: Path, plane: Plane, bits: int) -> None:
    wide = plane if bits == 8 else deep(plane)
    with tifffile.TiffWriter(path) as pages:
        for page in (wide, np.ascontiguousarray(wide[::-1])):
            pages.write(page, photometric="minisblack", metadata=None)


def _jp2(path: Path, plane: Plane, bits: int) -> None:
    wide = plane if bits == 8 else deep(plane)
    path.write_bytes(imagecodecs.jpeg2k_encode(wide, level=0, codecformat="jp2"))
