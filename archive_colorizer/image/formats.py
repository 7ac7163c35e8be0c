"""Choose the format and the file name of a result."""

from typing import Final, Literal, TypeAlias

import numpy as np

from archive_colorizer.image.raster import Format, Metadata, Raster

FormatChoice: TypeAlias = Literal["same", "tiff", "png", "jpeg", "webp", "jp2"]
"""The user's choices; "same" is the source's format where it can hold the result."""

EXTENSIONS: Final[dict[Format, tuple[str, ...]]] = {
    "jpeg": (".jpg", ".jpeg", ".jpe"),
    "png": (".png",),
    "tiff": (".tif", ".tiff"),
    "webp": (".webp",),
    "bmp": (".bmp", ".dib"),
    "jp2": (".jp2", ".jpx", ".jpf", ".j2k", ".j2c", ".jpc"),
}
"""The extensions of each format that is written; new names get the first."""

_NEAREST: Final[dict[Format, Format]] = {"avif": "png", "heif": "png", "raw": "tiff"}
_ALL_METADATA: Final = frozenset(("EXIF", "XMP", "IPTC-IIM", "comments", "resolution"))
_SUPPORTED_METADATA: Final[dict[Format, frozenset[str]]] = {
    "jpeg": _ALL_METADATA,
    "png": _ALL_METADATA,
    "tiff": _ALL_METADATA - {"comments"},
    "webp": frozenset(("EXIF", "XMP")),
    "jp2": _ALL_METADATA - {"comments"},
    "bmp": frozenset(("resolution",)),
}
EIGHT_BIT: Final[frozenset[Format]] = frozenset(("jpeg", "webp", "bmp"))
_MAX_SIDE: Final[dict[Format, int]] = {"webp": 16383, "jpeg": 65500}


def choose_format(raster: Raster, choice: FormatChoice = "same") -> tuple[Format, tuple[str, ...]]:
    """Choose the format of a result; the second value lists deviations and losses as sentences.

    "same" never loses depth or alpha.  An explicit choice is followed even where that format
    holds less than the source (8 bit, no alpha), unless the picture is too large for it: then
    the result is a PNG.
    """
    nearest = _NEAREST.get(raster.format, raster.format)
    chosen: Format = nearest if choice == "same" else choice
    is_deep = raster.luma.dtype == np.uint16
    notes: list[str] = []
    limit = _MAX_SIDE.get(chosen)
    if limit is not None and max(raster.luma.shape) > limit:
        notes.append(f"{chosen.upper()} ends at {limit} pixels a side: written as PNG")
        chosen = "png"
    elif choice == "same" and chosen != raster.format:
        notes.append(f"{raster.format.upper()} is not written: the result is {chosen.upper()}")
    if choice == "same" and is_deep and chosen in EIGHT_BIT:
        notes.append(f"{chosen.upper()} holds 8 bit only: written as PNG")
        chosen = "png"
    if is_deep and chosen in EIGHT_BIT:
        notes.append(f"16 bit were reduced to the 8 of {chosen.upper()}")
    if raster.alpha is not None and chosen == "jpeg":
        notes.append("JPEG has no alpha: it was left out")
    if chosen == "jpeg" and raster.format != "jpeg":
        notes.append("JPEG is lossy: luma is within 1 code value of the source's 8 bit")
    return chosen, (*notes, *_list_metadata_losses(raster.metadata, chosen))


def _list_metadata_losses(metadata: Metadata, chosen: Format) -> tuple[str, ...]:
    """Describe the metadata that a result in `chosen` cannot carry, one sentence each."""
    name = chosen.upper()
    supported = _SUPPORTED_METADATA[chosen]
    contents = {
        "EXIF": metadata.exif,
        "XMP": metadata.xmp,
        "IPTC-IIM": metadata.iptc,
        "comments": metadata.comments,
        # Other formats take the resolution from EXIF.
        "resolution": metadata.dpi if not metadata.exif or chosen == "bmp" else None,
    }
    notes = [
        f"{name} cannot hold {kind}: dropped"
        for kind in contents
        if contents[kind] and kind not in supported
    ]
    if chosen == "jpeg":
        limits = (("EXIF", metadata.exif, 65527), ("IPTC-IIM", metadata.iptc, 65507))
        notes += [
            f"{kind} is longer than a JPEG holds: dropped"
            for kind, content, limit in limits
            if content and len(content) > limit
        ]
    return tuple(notes)


def name_result(name: str, source: Format, result: Format) -> str:
    """Name the file of a result: append an extension unless the source's own already fits.

    `scan.avif` becomes `scan.avif.png`, so that two sources never get the same name.
    """
    if source == result or name.lower().endswith(EXTENSIONS[result]):
        return name
    return name + EXTENSIONS[result][0]
