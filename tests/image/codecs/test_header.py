"""What headers tell of memory, of files that other libraries have written."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from archive_colorizer.image.codecs.header import PictureSize, estimate_picture_memory

HEIGHT, WIDTH = 37, 53
GREY = np.full((HEIGHT, WIDTH), 90, np.uint8)
RGB = np.dstack([GREY] * 3)
CLEAR = np.dstack([RGB, GREY // 2])


def tiff(samples: np.ndarray, **how: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, **how)  # type: ignore[arg-type]
    return stream.getvalue()


def pillow(samples: np.ndarray, mode: str, kind: str, **how: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(samples).convert(mode).save(stream, kind, **how)
    return stream.getvalue()


def opencv(samples: np.ndarray, extension: str) -> bytes:
    return cv2.imencode(extension, samples)[1].tobytes()


def laced(png: bytes) -> bytes:
    """With the header of an interlaced one."""
    return png[:28] + b"\1" + png[29:]


FILES = {
    "grey JPEG": (pillow(GREY, "L", "jpeg"), 1, 1),
    "JPEG": (pillow(RGB, "RGB", "jpeg"), 3, 1),
    "JPEG behind metadata": (pillow(RGB, "RGB", "jpeg", icc_profile=bytes(150_000)), 3, 1),
    "1-bit PNG": (pillow(GREY, "1", "png"), 1, 1),
    "palette PNG": (pillow(RGB, "P", "png"), 3, 1),
    "PNG with alpha": (pillow(RGB, "RGBA", "png"), 4, 1),
    "16-bit PNG": (opencv(RGB.astype(np.uint16), ".png"), 3, 2),
    "grey TIFF": (tiff(GREY), 1, 1),
    "TIFF": (tiff(RGB, photometric="rgb"), 3, 1),
    "16-bit TIFF": (tiff(RGB.astype(np.uint16), photometric="rgb"), 3, 2),
    "grey 16-bit TIFF": (tiff(GREY.astype(np.uint16)), 1, 2),
    "TIFF of floats": (tiff(GREY.astype(np.float32)), 1, 4),
    "big-endian TIFF": (tiff(RGB.astype(np.uint16), photometric="rgb", byteorder=">"), 3, 2),
    "BigTIFF": (tiff(RGB.astype(np.uint16), photometric="rgb", bigtiff=True), 3, 2),
    "fax TIFF": (pillow(GREY, "1", "tiff", compression="group4"), 1, 1),
    "palette TIFF": (pillow(RGB, "P", "tiff"), 3, 1),
    "directory behind the pixels": (pillow(RGB, "RGB", "tiff", compression="tiff_lzw"), 3, 1),
    "BMP": (opencv(RGB, ".bmp"), 3, 1),
    "progressive JPEG": (pillow(RGB, "RGB", "jpeg", progressive=True), 3, 1),
    "JPEG behind much metadata": (
        pillow(RGB, "RGB", "jpeg", icc_profile=bytes(700_000)),
        3,
        1,
    ),
    "WebP": (pillow(RGB, "RGB", "webp"), 3, 1),
    "lossless WebP": (pillow(RGB, "RGB", "webp", lossless=True), 3, 1),
    "lossless WebP with alpha": (pillow(CLEAR, "RGBA", "webp", lossless=True), 4, 1),
    "WebP with metadata": (pillow(RGB, "RGB", "webp", exif=b"Exif\0\0II*\0"), 3, 1),
    "WebP with alpha": (pillow(CLEAR, "RGBA", "webp"), 4, 1),
    "AVIF": (pillow(RGB, "RGB", "avif"), 3, 1),
    "AVIF with alpha": (pillow(CLEAR, "RGBA", "avif"), 4, 1),
    "JP2": (opencv(RGB, ".jp2"), 3, 1),
    "16-bit JP2": (opencv(GREY.astype(np.uint16) * 257, ".jp2"), 1, 2),
}


@pytest.mark.parametrize(("content", "samples", "depth"), FILES.values(), ids=FILES)
def test_the_header_tells(tmp_path: Path, content: bytes, samples: int, depth: int) -> None:
    path = tmp_path / "picture"
    path.write_bytes(content)
    found = PictureSize.read(path)
    assert found is not None
    is_jpeg = content.startswith(b"\xff\xd8")
    assert replace(found, codec_bytes=0) == PictureSize(
        WIDTH, HEIGHT, samples, depth, in_planes=is_jpeg
    )


def test_more_pixels_and_deeper_ones_take_more(tmp_path: Path) -> None:
    taken = []
    deep = RGB.astype(np.uint16)
    for content in (tiff(RGB), tiff(deep), tiff(np.repeat(deep, 2, axis=0))):
        path = tmp_path / f"{len(taken)}"
        path.write_bytes(content)
        taken.append(estimate_picture_memory(path))
    assert taken == sorted(taken)
    assert len(set(taken)) == len(taken)


@pytest.mark.parametrize(
    ("plain", "dearer"),
    [
        (tiff(GREY, photometric="minisblack"), tiff(np.dstack([GREY] * 4), photometric="rgb")),
        (pillow(RGB, "RGB", "png"), opencv(RGB, ".bmp")),
        (opencv(RGB, ".bmp"), opencv(RGB, ".jp2")),
        (FILES["JPEG"][0], FILES["progressive JPEG"][0]),
        (opencv(RGB, ".jpg"), pillow(RGB, "CMYK", "jpeg", progressive=True)),
        (pillow(RGB, "RGB", "png"), FILES["AVIF"][0]),
        (FILES["AVIF"][0], FILES["WebP"][0]),
        (FILES["WebP"][0], FILES["WebP with alpha"][0]),
        (tiff(RGB, photometric="rgb"), tiff(RGB.astype(np.float32), photometric="rgb")),
        (
            tiff(np.zeros((3, 37, 53), np.uint16), photometric="rgb", planarconfig="separate"),
            tiff(
                np.zeros((3, 37, 53), np.uint16),
                photometric="rgb",
                planarconfig="separate",
                tile=(16, 16),
            ),
        ),
        (FILES["16-bit PNG"][0], laced(FILES["16-bit PNG"][0])),
    ],
    ids=[
        "alpha",
        "BMP",
        "JPEG 2000",
        "progressive",
        "progressive CMYK",
        "AVIF",
        "WebP",
        "WebP with alpha",
        "float",
        "planes in tiles",
        "interlaced",
    ],
)
def test_what_a_decoder_holds_whole_takes_more(tmp_path: Path, plain: bytes, dearer: bytes) -> None:
    taken = []
    for content in (plain, dearer):
        path = tmp_path / f"{len(taken)}"
        path.write_bytes(content)
        taken.append(estimate_picture_memory(path))
    assert taken[0] < taken[1]


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff", b"II*\0\xff\xff\xff\xff"])
def test_who_tells_nothing_is_not_known(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture"
    path.write_bytes(content)
    assert estimate_picture_memory(path) == 0
    assert estimate_picture_memory(tmp_path / "none") == 0
    assert estimate_picture_memory(tmp_path) == 0


def test_a_codestream_that_ends_left_of_its_beginning_has_no_size(tmp_path: Path) -> None:
    content = bytearray(FILES["16-bit JP2"][0])
    offsets = content.index(b"\xff\x51") + 14
    content[offsets : offsets + 8] = b"\x7f" * 8
    path = tmp_path / "damaged.jp2"
    path.write_bytes(content)
    assert estimate_picture_memory(path) == 0


@given(name=st.sampled_from(sorted(FILES)), data=st.data())
def test_no_damage_raises(name: str, data: st.DataObject, tmp_path_factory: object) -> None:
    content = bytearray(FILES[name][0])
    for at in data.draw(st.lists(st.integers(0, min(len(content), 400) - 1), max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"  # type: ignore[attr-defined]
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert estimate_picture_memory(path) >= 0
