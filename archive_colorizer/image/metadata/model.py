"""What a picture's file says beside its pixels, made ready for the result's file."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.metadata.color_space import ColorPlan
from archive_colorizer.image.metadata.xmp import ProvenanceNote, is_sound, with_provenance
from archive_colorizer.image.raster import Metadata

__all__ = ["Found", "ProvenanceNote", "read_metadata", "upright", "with_provenance"]

_EXIF_HEADER: Final = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class Found:
    """The metadata of a source as its file holds it, before anything is believed.

    orientation: stated by the container (TIFF) and stronger than EXIF's.
    converted: the pixels were already brought to sRGB, so that no profile applies.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    comments: tuple[tuple[str, str], ...] = ()
    orientation: int | None = None
    converted: bool = False
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Reading:
    """Metadata for the result, the orientation (1 to 8) to undo, and sentences on losses."""

    metadata: Metadata
    orientation: int
    warnings: tuple[str, ...]


def read_metadata(found: Found, plan: ColorPlan) -> Reading:
    """Judge the metadata of a picture whose colors are treated after `plan`.

    EXIF is made upright and says sRGB where the pixels were brought there; what is damaged
    is dropped with a warning, for the pixels are sound.
    """
    warnings = list(found.warnings)
    orientation, dpi, exif = found.orientation or 1, found.dpi, None
    if found.exif:
        raw = found.exif.removeprefix(_EXIF_HEADER)
        try:
            stream = tiff.TiffStream.open(raw)
            first = stream.directory(stream.first)
            exif = tiff.make_upright(raw)
            orientation = found.orientation or tiff.orientation_of(stream, first)
            dpi = dpi or tiff.resolution_of(stream, first)
        except tiff.BrokenDirectory as error:
            warnings.append(f"EXIF is damaged and was dropped ({error})")
    if exif and (plan.source or found.converted):
        exif = tiff.say_srgb(exif)
    warnings.extend(plan.warnings)
    xmp = found.xmp or None
    if xmp and not is_sound(xmp):
        xmp = None
        warnings.append("XMP is broken or hostile and was dropped")
    metadata = Metadata(exif, plan.tag, xmp, found.iptc or None, dpi, found.comments)
    return Reading(metadata, orientation, tuple(warnings))


def upright(plane: Plane, orientation: int) -> Plane:
    """The picture as seen: EXIF orientation 1 to 8 undone, H x W or H x W x C, contiguous."""
    turned: Any = plane.swapaxes(0, 1) if orientation >= 5 else plane
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    upright: Plane = np.ascontiguousarray(turned)
    return upright
