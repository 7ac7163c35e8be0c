"""Shrink color photographs for a training elsewhere, into folders small enough to send.

    python workflows/training/shrink_photographs.py photos/*.tar --output pack --short-side 176

Every tar of DATA becomes a tar of the same name, so that sources and their weights in a training
recipe stay as they are.  `pack/part-1`, `pack/part-2` and so on hold these tars; send
the parts one by one, and give all of them to `train.sh`.  Photographs that a training would skip
(grey ones, damaged ones) are left out.
"""

import io
import tarfile
from pathlib import Path

import click
import cv2
import numpy as np

from archive_colorizer.errors import SourceError
from archive_colorizer.training.data.crops import decode_photo, read_photos

_MIB = 2**20


def shrink(content: bytes, short_side: int, quality: int) -> bytes | None:
    """Encode a photograph as a JPEG with a shorter side of at most `short_side` pixels.

    Returns None if it cannot be decoded.
    """
    try:
        picture = decode_photo(content, short_side)
    except SourceError:
        return None
    scale = short_side / min(picture.shape[:2])
    if scale < 1.0:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    bgr = np.ascontiguousarray(picture[..., ::-1])
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def pack_source(data: Path, short_side: int, quality: int) -> bytes:
    """Return an uncompressed tar of the shrunk photographs of a tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for photo in read_photos([data]):
            if content := shrink(photo.content, short_side, quality):
                member = tarfile.TarInfo(str(Path(photo.name).with_suffix(".jpg")))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@click.command()
@click.argument(
    "data", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--output", required=True, type=click.Path(path_type=Path))
@click.option("--short-side", default=176, show_default=True, type=click.IntRange(64))
@click.option("--quality", default=88, show_default=True, type=click.IntRange(1, 100))
@click.option("--part-mib", default=60, show_default=True, type=click.IntRange(1))
def main(
    data: tuple[Path, ...], output: Path, short_side: int, quality: int, part_mib: int
) -> None:
    """Write the photographs of DATA, shrunk, to numbered folders of at most --part-mib each."""
    if output.exists():
        raise click.ClickException(f"{output} exists; give a new --output, or remove it")
    part, used = 1, 0
    for source in data:
        packed = pack_source(source, short_side, quality)
        if len(packed) > part_mib * _MIB:
            raise click.ClickException(
                f"{source.name} would have {len(packed) / _MIB:.0f} MiB, more than a part; give "
                "a smaller --short-side or --quality, or split it"
            )
        if used + len(packed) > part_mib * _MIB:
            part, used = part + 1, 0
        folder = output / f"part-{part}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / source.name).write_bytes(packed)
        used += len(packed)
    click.echo(f"{part} parts in {output}")


if __name__ == "__main__":
    main()
