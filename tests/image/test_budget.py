"""Files that ask for far more than their size and their pixels let expect, and honest ones."""

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from archive_colorizer.errors import PictureTooCostly, SourceError
from archive_colorizer.image.budget import Budget
from archive_colorizer.image.codecs import registry as stills
from tests.image.files import saved, small_grey, tiff
from tests.locations import REPOSITORY_ROOT

LIMIT = 300_000_000
SECONDS, MEGABYTES = 30, 1500
"""Processor time, which other processes hardly change, and peak of memory."""

DECODE = """
import json, resource, sys, time
from pathlib import Path
from archive_colorizer.errors import SourceError
from archive_colorizer.image.codecs import registry as stills
import numpy as np
resource.setrlimit(resource.RLIMIT_AS, (12 << 30,) * 2)
data, target, start, found = open(sys.argv[1], "rb").read(), sys.argv[2], time.process_time(), {}
try:
    raster = stills.decode(data, "scan", 300_000_000)
    stills.encode(np.dstack([raster.luma] * 3), raster, raster.metadata, target or None)
    found |= {"warnings": raster.warnings, "comments": len(raster.metadata.comments)}
except SourceError as error:
    found |= {"reason": error.reason, "message": str(error)}
found["seconds"] = time.process_time() - start
status = Path("/proc/self/status")
if status.exists():  # ru_maxrss of a process counts its parent before the exec as well
    (peak,) = [line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line]
    found["megabytes"] = int(peak) / 1024
else:
    found["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(found))
"""


def decode_alone(folder: Path, data: bytes, target: str = "") -> dict[str, object]:
    """Decode and encode in a process of its own; returns what became of it, and what it took."""
    path = folder / "scan"
    path.write_bytes(data)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY_ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", DECODE, path, target],
        capture_output=True,
        check=False,
        timeout=300,
        env=environment,
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    found: dict[str, object] = json.loads(run.stdout)
    assert found["seconds"] < SECONDS and found["megabytes"] < MEGABYTES, found
    return found


def pack_chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def png_with(*chunks: bytes) -> bytes:
    plain = saved(small_grey(), "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def png_of_long_texts(kind: bytes = b"zTXt", head: bytes = b"K\0\0") -> bytes:
    """200 texts of 40 MB in 8 MB."""
    return png_with(pack_chunk(kind, head + zlib.compress(b"a" * 40_000_000, 9)) * 200)


def pack_segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 255, marker, len(body) + 2) + body


def jpeg_of_scans(width: int, height: int, scans: int) -> bytes:
    """A valid progressive grey JPEG of one value; each scan refines one coefficient by a bit."""
    blocks = -(-width // 8) * -(-height // 8)
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes((1, 0x11, 0))
    runs = ""
    left = blocks
    while left:
        exponent = min(14, left.bit_length() - 1)
        run = min(left, (1 << exponent + 1) - 1)
        runs += f"{exponent:04b}" + (f"{run - (1 << exponent):0{exponent}b}" if exponent else "")
        left -= run
    runs += "1" * (-len(runs) % 8)
    nothing = int(runs, 2).to_bytes(len(runs) // 8, "big").replace(b"\xff", b"\xff\0")
    means = bytes(blocks // 8) + (bytes((255 >> blocks % 8,)) if blocks % 8 else b"")
    order = [(at, bit) for at in range(1, 64) for bit in range(13, -1, -1)][: scans - 1]
    pieces = [
        b"\xff\xd8",
        pack_segment(0xDB, b"\0" + bytes([1] * 64)),
        pack_segment(0xC2, frame),
        pack_segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00"),
        pack_segment(0xC4, b"\x10" + bytes([0, 0, 0, 15] + [0] * 12) + bytes(range(0, 240, 16))),
        pack_segment(0xDA, bytes((1, 1, 0, 0, 0, 0))) + means,
    ]
    for at, bit in order:
        precision = (0 if bit == 13 else bit + 1) << 4 | bit
        pieces.append(pack_segment(0xDA, bytes((1, 1, 0, at, at, precision))) + nothing)
    return b"".join((*pieces, b"\xff\xd9"))


FLAT_WEBP = bytes.fromhex(
    "524946461e000000574542505650384c110000002fdfeeb70b0750b29295acff8188e87f0000"
)
"""A valid picture of one color, 12,000 pixels a side."""


def wide_avif(side: int = 16_000) -> bytes:
    target = io.BytesIO()
    Image.fromarray(small_grey()).convert("RGB").resize((64, 64)).save(target, "AVIF")
    before, after = struct.pack(">II", 64, 64), struct.pack(">II", side, side)
    return target.getvalue().replace(b"ispe\0\0\0\0" + before, b"ispe\0\0\0\0" + after)


def wide_jp2(side: int = 16_000) -> bytes:
    data = bytearray(cv2.imencode(".jp2", np.full((64, 64, 3), 90, np.uint8))[1].tobytes())
    at = data.index(b"\xff\x51") + 6
    struct.pack_into(">II", data, at, side, side)
    return bytes(data)


def skipping_bmp(side: int = 16_000) -> bytes:
    """A valid BMP whose run lengths skip 250 rows at a time."""
    head = struct.pack("<2sIII", b"BM", 1400, 0, 1078)
    sizes = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 300, 0, 0, 256, 0)
    return head + sizes + bytes(1024) + b"\0\2\0\xfa" * (side // 250) + b"\0\1"


def pack_directory(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def tiff_of(data: bytes, *entries: tuple[int, int, int, int]) -> bytes:
    """A grey TIFF of 64 x 64 with `data` at offset 8, which is also its only strip."""
    plain = [(256, 3, 1, 64), (257, 3, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    plain += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, 64), (279, 4, 1, 4096)]
    own = {entry[0] for entry in entries}
    body = pack_directory(*entries, *(entry for entry in plain if entry[0] not in own))
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + body


def tiff_of_overlapping_tags(first: int = 1000) -> bytes:
    """20,000 tags that are each the same megabyte: 20 GB in 1.2 MB."""
    return tiff_of(bytes(1_000_000), *((first + n, 7, 1_000_000, 8) for n in range(20_000)))


def tiff_of_overlapping_directories() -> bytes:
    """100,000 directories that state 65,535 entries each, over the same bytes."""
    count, step, entries = 100_000, 8, 65_535
    reach = 2 + 12 * entries
    data = bytearray(8 + step * count + reach + 4)
    struct.pack_into("<2sHI", data, 0, b"II", 42, 8)
    for number in range(count):
        at = 8 + step * number
        struct.pack_into("<H", data, at, entries)
    for number in range(count - 1):
        at = 8 + step * number
        struct.pack_into("<I", data, at + reach, at + step)
    return bytes(data)


def tiff_of_many_values() -> bytes:
    """1,000 directories whose kind of subfile has four million values each."""
    data, at = bytearray(bytes(4_000_000)), 4_000_008
    tags = ((254, 1, 4_000_000, 8), (256, 3, 1, 64), (257, 3, 1, 64))
    size = len(pack_directory(*tags))
    for number in range(1000):
        data += pack_directory(*tags, following=at + size * (number + 1))
    return struct.pack("<2sHI", b"II", 42, at) + bytes(data)


def exif_of_overlapping_tags() -> bytes:
    tags = [(40_000 + n, 7, 1_000_000, 8) for n in range(20_000)]
    return struct.pack("<2sHI", b"II", 42, 1_000_008) + bytes(1_000_000) + pack_directory(*tags)


REFUSED: dict[str, Callable[[], bytes]] = {
    "200 texts of 40 MB": png_of_long_texts,
    "200 international texts of 40 MB": lambda: png_of_long_texts(b"iTXt", b"K\0\1\0\0\0"),
    "200 profiles of 40 MB": lambda: png_of_long_texts(b"iCCP"),
    "a million and more chunks": lambda: png_with(pack_chunk(b"tEXt", b"K\0") * 1_100_000),
    "a million and more segments": lambda: (
        b"\xff\xd8" + pack_segment(0xFE, b"") * 1_100_000 + saved(small_grey(), "JPEG")[2:]
    ),
    "882 scans of 256 megapixels": lambda: jpeg_of_scans(16_000, 16_000, 883),
    "a hundred thousand scans": lambda: (
        jpeg_of_scans(64, 64, 2)[:-2]
        + pack_segment(0xDA, bytes((1, 1, 0, 1, 1, 0xED))) * 100_000
        + b"\xff\xd9"
    ),
    "WebP of 144 megapixels in some bytes": lambda: FLAT_WEBP,
    "AVIF of 256 megapixels in some bytes": wide_avif,
    "JPEG 2000 of 256 megapixels in some bytes": wide_jp2,
    "BMP of 256 megapixels in some bytes": skipping_bmp,
    "floats of 256 megapixels in some bytes": lambda: tiff_of(
        bytes(4096), (256, 3, 1, 16_000), (257, 3, 1, 16_000), (258, 3, 1, 32), (339, 3, 1, 3)
    ),
    "tags over the same bytes": tiff_of_overlapping_tags,
    "EXIF tags over the same bytes": lambda: tiff_of(
        exif_of_overlapping_tags()[8:], (34665, 4, 1, 1_000_008)
    ),
    "directories over the same bytes": tiff_of_overlapping_directories,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_costs_too_much_fails_in_no_time(kind: str, tmp_path: Path) -> None:
    found = decode_alone(tmp_path, REFUSED[kind]())
    assert found["reason"] == "too-costly"
    message = str(found["message"])
    assert message.startswith("scan: ") and "allowed" in message
    assert "--max-megapixels" in message or "exiftool" in message


def test_a_hundred_thousand_texts_are_read_at_once(tmp_path: Path) -> None:
    found = decode_alone(tmp_path, png_with(pack_chunk(b"tEXt", b"K\0") * 100_000))
    assert found["comments"] == 100_000


def test_values_without_number_are_not_read_to_know_the_first(tmp_path: Path) -> None:
    assert "message" in decode_alone(tmp_path, tiff_of_many_values())


@pytest.mark.parametrize("target", ["png", "tiff"])
def test_exif_whose_values_overlap_is_dropped(target: str, tmp_path: Path) -> None:
    found = decode_alone(
        tmp_path, png_with(pack_chunk(b"eXIf", exif_of_overlapping_tags())), target
    )
    assert found["warnings"] == ["EXIF is damaged and was dropped (its values overlap)"]


def test_a_warning_comes_once_however_often_its_cause(tmp_path: Path) -> None:
    plain = saved(small_grey(), "JPEG")
    data = plain[:2] + pack_segment(0xE2, b"MPF\0") * 50_000 + plain[2:]
    found = decode_alone(tmp_path, data)
    assert found["warnings"] == ["only the first of several pictures in the file was restored"]


def test_many_scans_of_few_pixels_are_a_picture() -> None:
    assert stills.decode(jpeg_of_scans(640, 480, 883), "scan", LIMIT).luma.shape == (480, 640)


def test_large_metadata_leave_the_pixels_of_a_png_alone(tmp_path: Path) -> None:
    """Also of palettes with transparency, from memory and from a file."""
    from archive_colorizer.storage.file_view import FileView

    target = io.BytesIO()
    picture = Image.fromarray(small_grey()).quantize(16)
    picture.save(target, "PNG", transparency=3)
    plain = target.getvalue()
    end = plain.index(b"IDAT") - 4
    profile = pack_chunk(b"iCCP", b"K\0\0" + np.random.default_rng(1).bytes(300_000))
    text = pack_chunk(b"tEXt", b"K\0" + b"a" * 300_000)
    data = plain[:33] + profile + plain[33:end] + text * 2 + plain[end:-12] + text + plain[-12:]
    expected = stills.decode(plain, "scan", LIMIT)
    path = tmp_path / "scan.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        view = FileView(file.fileno(), len(data), "scan")
        for raster in (stills.decode(data, "scan", LIMIT), stills.decode(view, "scan", LIMIT)):
            assert np.array_equal(raster.luma, expected.luma)
            assert np.array_equal(raster.alpha, expected.alpha)
            assert raster.metadata.comments == (("K", "a" * 300_000),) * 3
        for cut in (data[: end + 400_000], data[:-20]):
            with pytest.raises(SourceError, match="cut"):
                stills.decode(cut, "scan", LIMIT)


def test_long_tags_of_unknown_meaning_cost_nothing() -> None:
    plain = tiff_of(bytes(4096) + bytes(21_000_000), (50_000, 7, 21_000_000, 8))
    raster = stills.decode(plain, "scan", LIMIT)
    assert not raster.luma.any() and "50000" in raster.warnings[0]


@pytest.mark.parametrize("megapixels", [1, 24, 100, 300])
def test_what_encoders_write_is_within_the_budget(megapixels: int) -> None:
    side = int((megapixels * 1e6) ** 0.5)
    budget = Budget("scan", LIMIT)
    budget.check_scans(20, side, side)  # optimizers of progressive JPEGs try up to 15
    for bits_per_pixel in (0.05, 0.1, 0.5, 8):
        budget.check_whole(side, side, int(side * side * bits_per_pixel / 8))


def test_a_text_page_without_noise_is_within_the_budget() -> None:
    """A page of A4 at 600 dpi in two colors takes about 100 kB."""
    Budget("scan", LIMIT).check_whole(4960, 7016, 100_000)


def test_all_limits_of_pixels_grow_with_the_one_of_the_command() -> None:
    hostile = jpeg_of_scans(4000, 4000, 883)
    with pytest.raises(PictureTooCostly, match="883 scans, of which 375 are allowed"):
        stills.decode(hostile, "scan", LIMIT)
    assert stills.decode(hostile, "scan", 3 * LIMIT).luma.shape == (4000, 4000)
    with pytest.raises(PictureTooCostly, match="allowed 25 megapixels"):
        Budget("scan", LIMIT).check_whole(12_000, 12_000, 38)
    Budget("scan", 6 * LIMIT).check_whole(12_000, 12_000, 38)


def test_metadata_of_photographs_stay_within_the_budget() -> None:
    blob = np.random.default_rng(2).bytes(15_000_000)
    tags = [(34377, 7, len(blob), blob, True), (37724, 7, len(blob), blob, True)]
    data = tiff(small_grey(), photometric="minisblack", extratags=tags)
    assert np.array_equal(stills.decode(data, "scan", LIMIT).luma, small_grey())
