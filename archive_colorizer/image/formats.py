"""Which format a result is written in, and what its file is called."""

from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from archive_colorizer.image.raster import Format, Metadata, Raster
from archive_colorizer.image.signatures import is_foreign_raw, sniff

Wanted: TypeAlias = Literal["same", "tiff", "png", "jpeg", "webp", "jp2"]
"""What a user may ask for; "same" is the source's format where it can hold the result."""

WANTED: Final[tuple[Wanted, ...]] = get_args(Wanted)

EXTENSIONS: Final[dict[Format, tuple[str, ...]]] = {
    "jpeg": (".jpg", ".jpeg", ".jpe"),
    "png": (".png",),
    "tiff": (".tif", ".tiff"),
    "webp": (".webp",),
    "bmp": (".bmp", ".dib"),
    "jp2": (".jp2", ".jpx", ".jpf", ".j2k", ".j2c", ".jpc"),
}
"""The extensions of each format that is written; the first is the one that new names get."""

_NEAREST: Final[dict[Format, Format]] = {"avif": "png", "heif": "png", "raw": "tiff"}
_ALL: Final = frozenset(("EXIF", "XMP", "IPTC-IIM", "comments", "resolution"))
_HELD: Final[dict[Format, frozenset[str]]] = {
    "jpeg": _ALL,
    "png": _ALL,
    "tiff": _ALL - {"comments"},
    "webp": frozenset(("EXIF", "XMP")),
    "jp2": _ALL - {"comments"},
    "bmp": frozenset(("resolution",)),
}
EIGHT_BIT: Final[frozenset[Format]] = frozenset(("jpeg", "webp", "bmp"))
_WEBP_SIDE: Final = 16383
_JPEG_SIDE: Final = 65500


def planned_format(source: Format, wanted: Wanted) -> Format:
    """The format of a result by what is known before its source is decoded."""
    return _NEAREST.get(source, source) if wanted == "same" else wanted


def result_format(raster: Raster, wanted: Wanted = "same") -> tuple[Format, tuple[str, ...]]:
    """The format for a picture's result, and sentences on what is not as asked or gets lost.

    "same" never loses depth or alpha.  A format that was asked for is written even where it
    holds less than the source (8 bit, no alpha), and that is said; only a picture that is too
    large for it becomes PNG.
    """
    chosen = planned_format(raster.format, wanted)
    notes: list[str] = []
    limit = {"webp": _WEBP_SIDE, "jpeg": _JPEG_SIDE}.get(chosen)
    if limit is not None and max(raster.luma.shape) > limit:
        notes.append(f"{chosen.upper()} ends at {limit} pixels a side: written as PNG")
        chosen = "png"
    elif wanted == "same" and chosen != raster.format:
        notes.append(f"{raster.format.upper()} is not written: the result is {chosen.upper()}")
    if wanted == "same" and raster.luma.dtype == np.uint16 and chosen in EIGHT_BIT:
        notes.append(f"{chosen.upper()} holds 8 bit only: written as PNG")
        chosen = "png"
    return chosen, (*notes, *_losses(raster, chosen), *metadata_losses(raster.metadata, chosen))


def metadata_losses(metadata: Metadata, chosen: Format) -> tuple[str, ...]:
    """Sentences on the metadata that a result in `chosen` cannot carry."""
    name = chosen.upper()
    held = _HELD[chosen]
    given = {
        "EXIF": metadata.exif,
        "XMP": metadata.xmp,
        "IPTC-IIM": metadata.iptc,
        "comments": metadata.comments,
        # In other formats it stands in EXIF.
        "resolution": metadata.dpi if not metadata.exif or chosen == "bmp" else None,
    }
    notes = [
        f"{name} cannot hold {kind}: dropped" for kind in given if given[kind] and kind not in held
    ]
    if chosen == "jpeg":
        limits = (("EXIF", metadata.exif, 65527), ("IPTC-IIM", metadata.iptc, 65507))
        notes += [
            f"{kind} is longer than a JPEG holds: dropped"
            for kind, content, most in limits
            if content and len(content) > most
        ]
    return tuple(notes)


def _losses(raster: Raster, chosen: Format) -> list[str]:
    notes = []
    if raster.luma.dtype == np.uint16 and chosen in EIGHT_BIT:
        notes.append(f"16 bit were reduced to the 8 of {chosen.upper()}")
    if raster.alpha is not None and chosen == "jpeg":
        notes.append("JPEG has no alpha: it was left out")
    if chosen == "jpeg" and raster.format != "jpeg":
        notes.append("JPEG is lossy: luma is within 1 code value of the source's 8 bit")
    return notes


def target_name(name: str, source: Format, result: Format) -> str:
    """The file name of a result: the source's own, or with the result's extension after it.

    `scan.avif` gives `scan.avif.png`, so that two sources never meet in one name, and
    `scan.JPG` of a JPEG result stays as it is.
    """
    if source == result or name.lower().endswith(EXTENSIONS[result]):
        return name
    return name + EXTENSIONS[result][0]


def planned_name(name: str, beginning: bytes, wanted: Wanted = "same") -> str:
    """`target_name` by what a plan can know: a source's name and its first 16 bytes.

    A camera's raw file that begins like a TIFF is told by its name.
    """
    source = sniff(beginning)
    looks_raw = source == "tiff" and not name.lower().endswith(EXTENSIONS["tiff"])
    if is_foreign_raw(beginning) or looks_raw:
        source = "raw"
    if source is None:
        return name
    return target_name(name, source, planned_format(source, wanted))
