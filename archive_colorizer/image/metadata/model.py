"""Prepare the metadata of a source for its result."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.metadata.color_space import ColorPlan
from archive_colorizer.image.metadata.xmp import is_sound
from archive_colorizer.image.raster import Metadata

_EXIF_HEADER: Final = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class SourceMetadata:
    """The metadata of a source as its file holds them, unchecked.

    orientation: the container's (TIFF), which overrides EXIF's.
    converted: the pixels are already converted to sRGB, so no profile applies.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    comments: tuple[tuple[str, str], ...] = ()
    orientation: int | None = None
    converted: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreparedMetadata:
    """Metadata for the result, the orientation (1 to 8) to undo, and sentences on losses."""

    metadata: Metadata
    orientation: int
    warnings: tuple[str, ...]


def prepare_metadata(source: SourceMetadata, plan: ColorPlan) -> PreparedMetadata:
    """Check the metadata of a picture whose colors are converted by `plan`.

    EXIF becomes upright, and sRGB where the pixels are.  Damaged metadata are dropped with a
    warning, since the pixels are sound.
    """
    warnings = list(source.warnings)
    orientation, dpi, exif = source.orientation or 1, source.dpi, None
    if source.exif:
        raw = source.exif.removeprefix(_EXIF_HEADER)
        try:
            stream = tiff.TiffStream.open(raw)
            first = stream.read_directory(stream.first)
            exif = tiff.make_upright(raw)
            orientation = source.orientation or tiff.read_orientation(stream, first)
            dpi = dpi or tiff.read_resolution(stream, first)
        except tiff.BrokenDirectory as error:
            warnings.append(f"EXIF is damaged and was dropped ({error})")
    if exif and (plan.source or source.converted):
        exif = tiff.mark_as_srgb(exif)
    warnings.extend(plan.warnings)
    xmp = source.xmp or None
    if xmp and not is_sound(xmp):
        xmp = None
        warnings.append("XMP is broken or hostile and was dropped")
    metadata = Metadata(exif, plan.tag, xmp, source.iptc or None, dpi, source.comments)
    return PreparedMetadata(metadata, orientation, tuple(warnings))


def turn_upright(plane: Plane, orientation: int) -> Plane:
    """Undo an EXIF orientation of 1 to 8; H x W or H x W x C, contiguous."""
    turned: Any = plane.swapaxes(0, 1) if orientation >= 5 else plane
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)
