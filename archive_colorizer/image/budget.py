"""Limit what one file may cost, also where its header asks for few pixels or its bytes are few."""

from dataclasses import dataclass
from typing import Final

from archive_colorizer.errors import DamagedPicture, PictureTooCostly, PictureTooLarge

_SCANS: Final = 20
"""Scans of the largest picture; encoders write 10, optimizers up to 15."""
_SCAN_PIXELS: Final = 1 << 16
"""Pixels whose decoding takes as long as preparing a scan."""

_SPARSE_SHARE: Final = 12
_PIXELS_PER_BYTE: Final = 200
"""Photographs of the worst quality have 80 pixels a byte in WebP and 160 in AVIF."""

_METADATA_BYTES: Final = 100_000_000
_PARTS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Budget:
    """What decoding one file may cost; more is refused before the work begins.

    All limits except those of metadata grow with `max_pixels`.
    name: of the source, for messages.
    """

    name: str
    max_pixels: int

    def check_size(self, width: int, height: int) -> None:
        """Raise PictureTooLarge above `max_pixels`, and DamagedPicture for a zero size."""
        if width <= 0 or height <= 0:
            raise DamagedPicture(
                f"{self.name}: its header says {width} x {height} pixels; it is corrupt"
            )
        if width * height > self.max_pixels:
            raise PictureTooLarge(
                f"{self.name}: {width} x {height} pixels are more than the limit of "
                f"{self.max_pixels / 1e6:g} megapixels; raise it with --max-megapixels"
            )

    def check_whole(self, width: int, height: int, stored: int) -> None:
        """Check the size of a picture that its decoder holds whole, in a file of `stored` bytes.

        Raises PictureTooCostly for many pixels in few bytes, and what `check_size` raises.
        """
        self.check_size(width, height)
        allowed = self.max_pixels // _SPARSE_SHARE + _PIXELS_PER_BYTE * stored
        if width * height > allowed:
            raise PictureTooCostly(
                f"{self.name}: {width} x {height} pixels in {stored} bytes, which are allowed "
                f"{allowed / 1e6:.3g} megapixels in this format; if it is sound, convert it to "
                "TIFF or raise --max-megapixels, with which this limit grows"
            )

    def check_scans(self, scans: int, width: int, height: int) -> None:
        """Raise PictureTooCostly for a JPEG whose scans take too long; each costs its pixels."""
        allowed = _SCANS * self.max_pixels // max(width * height, _SCAN_PIXELS)
        if scans > max(allowed, _SCANS):
            raise PictureTooCostly(
                f"{self.name}: its {width} x {height} pixels are coded in {scans} scans, of which "
                f"{max(allowed, _SCANS)} are allowed at this size; if it is sound, save it again "
                "as a baseline JPEG (jpegtran) or raise --max-megapixels, with which this limit "
                "grows"
            )

    def check_metadata(self, size: int) -> None:
        """Raise PictureTooCostly for too many bytes of texts, tags and profiles in memory."""
        if size > _METADATA_BYTES:
            raise PictureTooCostly(
                f"{self.name}: its metadata take at least {size / 1e6:.0f} MB of memory, of which "
                f"{_METADATA_BYTES / 1e6:.0f} are allowed; remove them from a copy (exiftool -all=)"
            )

    def check_parts(self, count: int) -> None:
        """Raise PictureTooCostly for too many chunks, segments or tags, however small."""
        if count > _PARTS:
            raise PictureTooCostly(
                f"{self.name}: its metadata have at least {count} parts, of which {_PARTS} are "
                "allowed; remove them from a copy (exiftool -all=)"
            )
