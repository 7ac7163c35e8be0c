"""The limit on pixels, held before anything is decoded."""

from archive_colorizer.errors import DamagedPicture, PictureTooLarge


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """Raise PictureTooLarge above `max_pixels`, DamagedPicture for a picture without pixels."""
    if width <= 0 or height <= 0:
        raise DamagedPicture(f"{name}: its header says {width} x {height} pixels; it is corrupt")
    if width * height > max_pixels:
        raise PictureTooLarge(
            f"{name}: {width} x {height} pixels are more than the limit of "
            f"{max_pixels / 1e6:g} megapixels; raise it with --max-megapixels"
        )
