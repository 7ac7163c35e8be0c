"""Finished frames of a sequence: each a picture like its source, luma kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.correct import in_gamut
from archive_colorizer.color.space import Plane, rgb_of
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs.jpeg import codec as jpeg
from archive_colorizer.image.metadata.model import ProvenanceNote, with_provenance
from archive_colorizer.storage.reading import read_source
from archive_colorizer.video.film import Codes, ColorFrame
from archive_colorizer.video.sequence.dpx import is_dpx, write_dpx

_MAX_PIXELS: Final = 400_000_000
_STRIP: Final = 128


def encode_still(
    frame: ColorFrame, codes: Codes, source: Path, note: ProvenanceNote | None = None
) -> bytes:
    """The file of a finished frame: format, depth, alpha and metadata of its source file.

    frame: full range BT.601; chroma 4:4:4, for JPEG 4:2:0 (see layouts.layout_of).  JPEG is
    encoded at the quality that keeps luma within 1 code value, all others without loss.
    note: goes into the XMP; of DPX, which has none, into the header's field for the creator.
    Raises SourceError when the source has gone, ResultUnwritable.
    """
    data, _ = read_source(source)
    if is_dpx(data):
        creator = "" if note is None else f"{note.software}, color by {note.model}"
        return write_dpx(_rgb(frame, codes), codes.depth, data, creator)
    raster = stills.decode(data, source.name, _MAX_PIXELS, profile="keep")
    metadata = raster.metadata
    if note is not None:
        metadata = replace(metadata, xmp=with_provenance(metadata.xmp, note))
    if raster.format == "jpeg":
        planes = [np.asarray(one, np.uint8) for one in (frame.luma, frame.cb, frame.cr)]
        return jpeg.encode_jpeg(planes[0], planes[1], planes[2], metadata, jpeg.FAITHFUL)
    return stills.encode(_rgb(frame, codes), raster, metadata)


def write_still(
    frame: ColorFrame, codes: Codes, source: Path, target: Path, note: ProvenanceNote | None = None
) -> None:
    """Write the file that `encode_still` makes to the path `target`."""
    target.write_bytes(encode_still(frame, codes, source, note))


def _rgb(frame: ColorFrame, codes: Codes) -> Plane:
    """R'G'B' of 4:4:4 planes whose luma is theirs within 1 code value; color gives way."""
    rgb: npt.NDArray[Any] = np.empty((*frame.luma.shape, 3), dtype=frame.luma.dtype)
    for top in range(0, rgb.shape[0], _STRIP):
        rows = slice(top, top + _STRIP)
        luma = codes.unit_luma(frame.luma[rows])
        chroma = np.stack(
            (codes.unit_chroma(frame.cb[rows]), codes.unit_chroma(frame.cr[rows])), axis=2
        )
        rgb[rows] = codes.luma_codes(rgb_of(luma, in_gamut(chroma, luma)))
    return rgb
