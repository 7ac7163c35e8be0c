"""What a picture file shows and says, and how much of a source is in its result.

Read with libpng, OpenJPEG and tifffile (through imagecodecs) and with Pillow; nothing of the
program under test is used.
"""

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import ExifTags, Image

Samples = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

UNREADABLE: Final = (
    OSError, EOFError, ValueError, TypeError, RuntimeError, LookupError, SyntaxError, MemoryError,
    struct.error, tifffile.TiffFileError, Image.DecompressionBombError,
)  # fmt: skip
"""What readers raise for a file that they cannot read."""

_ALIKE: Final = 0.95
"""Correlation of two pictures from which on they show the same way up."""

_TURNS: Final = {
    1: lambda plane: plane,
    2: np.fliplr,
    3: lambda plane: np.rot90(plane, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda plane: np.rot90(plane, -1),
    7: lambda plane: np.rot90(np.transpose(plane), 2),
    8: np.rot90,
}


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A file as a careful reader sees it.

    luma, alpha: H x W at the file's own depth, uint8 or uint16, as stored; of a JPEG the Y
    plane.  turn: EXIF orientation.  date, place: of EXIF.  xmp: the packet as text.
    """

    kind: str
    luma: Samples
    channels: int
    alpha: Samples | None
    turn: int
    icc: bytes | None
    date: str | None
    place: tuple[float, ...] | None
    xmp: str | None
    pages: int

    @property
    def upright(self) -> Samples:
        return np.ascontiguousarray(_TURNS[self.turn](self.luma))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one source; None where the source had nothing of the kind.

    luma_mean, luma_max: difference in code values at the source's depth (`bits`).
    """

    name: str
    jpeg: bool
    bits: int
    done: bool
    luma_mean: float | None = None
    luma_max: float | None = None
    depth: bool | None = None
    icc: bool | None = None
    exif: bool | None = None
    xmp: bool | None = None
    upright: bool | None = None
    alpha: bool | None = None
    pages: bool | None = None


def look(path: Path) -> Shown:
    """Read a file; raises one of UNREADABLE."""
    with Image.open(path) as picture:
        kind = str(picture.format)
        said = picture.getexif()
        details = said.get_ifd(ExifTags.IFD.Exif)
        place = said.get_ifd(ExifTags.IFD.GPSInfo).get(ExifTags.GPS.GPSLatitude)
        turn = int(said.get(ExifTags.Base.Orientation, 1))
        samples = _samples(path, picture, kind)
        channels = 1 if samples.ndim == 2 else samples.shape[2]
        return Shown(
            kind=kind,
            luma=_luma(samples, kind),
            channels=channels,
            alpha=samples[..., -1] if channels in (2, 4) else None,
            turn=turn if turn in _TURNS else 1,
            icc=picture.info.get("icc_profile") or None,
            date=details.get(ExifTags.Base.DateTimeOriginal),
            place=tuple(float(part) for part in place) if place else None,
            xmp=_xmp(path),
            pages=int(getattr(picture, "n_frames", 1)),
        )


def judge(name: str, source: Shown, result: Shown | None, said: str = "") -> Verdict:
    """Compare; `description` are the words about this file.

    Where there is no result, nothing that the source had is kept.
    """
    difference = None if result is None else _difference(source, result)
    had = {
        "depth": source.luma.dtype.itemsize > 1,
        "icc": source.icc is not None,
        "exif": source.date is not None or source.place is not None,
        "xmp": source.xmp is not None,
        "upright": source.turn != 1,
        "alpha": source.alpha is not None,
        "pages": source.pages > 1,
    }
    kept = {} if result is None else _kept(source, result, difference, said)
    return Verdict(
        name=name,
        jpeg=source.kind == "JPEG",
        bits=8 * source.luma.dtype.itemsize,
        done=result is not None,
        luma_mean=None if difference is None else round(float(difference.mean()), 4),
        luma_max=None if difference is None else round(float(difference.max()), 4),
        **{what: kept.get(what, False) if asked else None for what, asked in had.items()},
    )


def _kept(source: Shown, result: Shown, difference: Floats | None, said: str) -> dict[str, bool]:
    pairs = ((source.date, result.date), (source.place, result.place))
    return {
        "depth": result.luma.dtype == source.luma.dtype,
        "icc": _icc_fits(source, result, difference),
        "exif": all(after == before for before, after in pairs if before is not None),
        "xmp": source.xmp is not None and _words_kept(source.xmp, result.xmp),
        "upright": _same_way_up(source, result),
        "alpha": _alpha_kept(source, result),
        "pages": result.pages == source.pages or "page" in said,
    }


def _samples(path: Path, picture: Image.Image, kind: str) -> Samples:
    if kind == "JPEG":
        picture.draft("YCbCr", picture.size)
        return np.asarray(picture if picture.mode in ("L", "YCbCr") else picture.convert("RGB"))
    if kind == "PNG":
        return np.asarray(imagecodecs.png_decode(path.read_bytes()))
    if kind == "JPEG2000":
        data = path.read_bytes()
        # The bare codestream: of a whole JP2, imagecodecs gives pixels converted by its profile.
        return np.asarray(imagecodecs.jpeg2k_decode(data[data.index(b"\xff\x4f\xff\x51") :]))
    if kind == "TIFF":
        with tifffile.TiffFile(path) as pages:
            page = pages.pages.first
            plain = page.photometric.name in ("MINISBLACK", "RGB") and page.planarconfig == 1
            if plain and page.dtype in (np.uint8, np.uint16):
                return np.asarray(page.asarray())
    keeps = picture.mode in ("L", "LA", "RGB", "RGBA")
    return np.asarray(picture if keeps else picture.convert("RGB"))


def _luma(samples: Samples, kind: str) -> Samples:
    if samples.ndim == 2:
        return samples
    if samples.shape[2] == 2 or kind == "JPEG":
        return samples[..., 0]
    exact = samples[..., :3].astype(np.float64) @ [0.299, 0.587, 0.114]
    return np.asarray(np.rint(exact).astype(samples.dtype))


def _xmp(path: Path) -> str | None:
    found = re.search(rb"<x:xmpmeta.*?</x:xmpmeta>", path.read_bytes(), re.DOTALL)
    return found.group().decode("utf-8", "replace") if found else None


def _words_kept(before: str, after: str | None) -> bool:
    """Whether every text and every longer value of a packet stands in the other, too."""
    words = re.findall(r">([^<>]*\S[^<>]*)<", before)
    values = re.findall(r'="([^"]{4,})"', re.sub(r'(xmlns|xml)(:\w+)?="[^"]*"', "", before))
    return after is not None and all(one.strip() in after for one in (*words, *values))


def _in_space_of(source: Shown, result: Shown) -> Samples:
    """The source's luma, upright, in the color space that the result says it is in."""
    fits = result.icc is not None and result.icc[16:20] == b"RGB "
    if source.icc is None or not fits or result.icc == source.icc:
        return source.upright
    grey = source.icc[16:20] == b"GRAY"
    plane = source.upright
    shown = imagecodecs.cms_transform(
        plane if grey else np.dstack([plane] * 3),
        source.icc,
        result.icc,
        colorspace="gray" if grey else "rgb",
        outcolorspace="rgb",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION | imagecodecs.CMS.FLAGS.NOOPTIMIZE,
    )
    return np.asarray(shown[..., 1])


def _same_way_up(source: Shown, result: Shown) -> bool:
    one, other = _in_space_of(source, result), result.upright
    if one.shape != other.shape:
        return False
    if one.std() == 0 or other.std() == 0:
        return bool(one.std() == other.std())
    return bool(np.corrcoef(one.ravel(), other.ravel())[0, 1] > _ALIKE)


def _difference(source: Shown, result: Shown) -> Floats | None:
    """Of luma, at the source's depth; a turn that was not made is no difference here."""
    wanted, found = _in_space_of(source, result), result.upright
    if source.turn != 1 and not _same_way_up(source, result):
        wanted = source.luma
    if wanted.shape != found.shape:
        return None
    scale = np.iinfo(wanted.dtype).max / np.iinfo(found.dtype).max
    return np.abs(found.astype(np.float64) * scale - wanted)


def _icc_fits(source: Shown, result: Shown, difference: Floats | None) -> bool:
    """Whether the result has a profile for its channels and looks in it like the source."""
    wanted = b"GRAY" if result.channels < 3 else b"RGB "
    if result.icc is None or result.icc[16:20] != wanted or difference is None:
        return False
    white = float(np.iinfo(source.luma.dtype).max)
    return result.icc == source.icc or bool(difference.mean() <= white / 128)


def _alpha_kept(source: Shown, result: Shown) -> bool:
    if source.alpha is None or result.alpha is None:
        return False
    return result.alpha.dtype == source.alpha.dtype and bool((result.alpha == source.alpha).all())
