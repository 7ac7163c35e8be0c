"""Prepare the metadata of a source for its result."""

from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.metadata.color_space import ColorPlan, plan_color
from archive_colorizer.image.metadata.exif_patch import make_upright
from archive_colorizer.image.metadata.icc import get_srgb_profile
from archive_colorizer.image.metadata.xmp import is_sound
from archive_colorizer.image.raster import Metadata, ProfileRule, Raster

_Array = TypeVar("_Array", bound=npt.NDArray[Any])
_EXIF_HEADER: Final = b"Exif\0\0"
_OPPOSITES: Final = {6: 8, 8: 6}
"""Orientations that a turn in the other direction undoes; the same turn undoes any other."""


@dataclass(frozen=True, slots=True)
class _PreparedMetadata:
    """Metadata for the result, the orientation (1 to 8) to undo, and sentences on losses."""

    metadata: Metadata
    orientation: int
    warnings: tuple[str, ...]

    def attach_to(self, raster: Raster) -> Raster:
        """Turn the raster upright and add its metadata and their warnings."""

        def turn(plane: Plane | None) -> Any:
            return None if plane is None else turn_upright(plane, self.orientation)

        return replace(
            raster,
            luma=turn(raster.luma),
            preview=turn(raster.preview),
            alpha=turn(raster.alpha),
            metadata=self.metadata,
            warnings=raster.warnings + self.warnings,
        )


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

    def add_warning(self, warning: str) -> "SourceMetadata":
        return replace(self, warnings=(*self.warnings, warning))

    def plan_conversion(self, color: bool, rule: ProfileRule) -> ColorPlan:
        """Plan the color conversion; pixels that were already converted are tagged as sRGB."""
        if self.converted:
            return ColorPlan(None, get_srgb_profile())
        return plan_color(self.icc, color, rule)

    def prepare(self, plan: ColorPlan) -> _PreparedMetadata:
        """Check the metadata of a picture whose colors are converted by `plan`.

        EXIF becomes upright, and sRGB where the pixels are.  Damaged metadata are dropped with a
        warning, since the pixels are sound.
        """
        warnings = list(self.warnings)
        orientation, dpi, exif = self.orientation or 1, self.dpi, None
        if self.exif:
            raw = self.exif.removeprefix(_EXIF_HEADER)
            try:
                stream = tiff.TiffStream.open(raw)
                first = stream.read_directory(stream.first)
                stream.check_values(first)
                exif = make_upright(raw, bool(plan.source) or self.converted)
                orientation = self.orientation or stream.read_orientation(first)
                dpi = dpi or stream.read_resolution(first)
            except tiff.BrokenDirectory as error:
                warnings.append(f"EXIF is damaged and was dropped ({error})")
        warnings.extend(plan.warnings)
        xmp = self.xmp or None
        if xmp and not is_sound(xmp):
            xmp = None
            warnings.append("XMP is broken or hostile and was dropped")
        metadata = Metadata(exif, plan.tag, xmp, self.iptc or None, dpi, self.comments)
        return _PreparedMetadata(metadata, orientation, tuple(warnings))


def turn_upright(plane: Plane, orientation: int) -> Plane:
    """Undo an EXIF orientation of 1 to 8; H x W or H x W x C, contiguous."""
    turned: Any = plane.swapaxes(0, 1) if orientation >= 5 else plane
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def turn_as_stored(upright: _Array, orientation: int) -> _Array:
    """Turn an upright H x W or H x W x C array to the orientation in its file."""
    pixels: Any = upright
    stored: Any = turn_upright(pixels, _OPPOSITES.get(orientation, orientation))
    return cast(_Array, stored)
