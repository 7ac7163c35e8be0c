"""Hostile files: the picture is made when its pixels are sound, and what is dropped is said."""

import io
import struct
import tracemalloc
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
import tifffile
from PIL import Image

from archive_colorizer.errors import PictureTooLarge, SourceError, UnsupportedPicture
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.metadata import exif as directories
from archive_colorizer.image.metadata.icc import get_srgb_profile
from archive_colorizer.image.metadata.xmp import ProvenanceNote, add_provenance
from tests.image.files import IPTC, LIMIT, XMP, exif, saved, small, small_grey, tiff
from tests.image.profiles import RGB

NOTE = ProvenanceNote("ac 1", "m", "1", "2", "<x>&\udcff\n.jpg", "3", "2024-05-01T10:00:00Z")
SECRET = b"root:x:0:0"
FORMS = ("JPEG", "PNG", "WEBP", "TIFF")


@contextmanager
def measured():
    """Gives a function that tells the peak of memory that Python took inside, in bytes."""
    peaks = []
    tracemalloc.start()
    try:
        yield lambda: peaks[0]
    finally:
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()


def with_xmp(form, packet):
    """A file of each format that holds any bytes as XMP; a JPEG's goes over many segments."""
    if form == "TIFF":
        return tiff(
            small_grey(), photometric="minisblack", extratags=[(700, 1, len(packet), packet, True)]
        )
    if form == "JPEG" and len(packet) > 65_000:
        plain = saved(small_grey(), "JPEG")
        parts = [packet[at : at + 65_000] for at in range(0, len(packet), 65_000)]
        head = b"http://ns.adobe.com/xap/1.0/\0" + XMP.replace(
            b"<dc:d", b"<!-- " + b"A" * 32 + b" --><dc:d"
        )
        segments = b"\xff\xe1" + struct.pack(">H", len(head) + 2) + head
        pieces = [plain[:2], segments]
        for number, part in enumerate(parts):
            body = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32
            body += struct.pack(">II", len(packet), number * 65_000) + part
            pieces.append(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)
        return b"".join((*pieces, plain[2:]))
    if form == "PNG":
        plain = saved(small_grey(), "PNG")
        body = b"XML:com.adobe.xmp\0\0\0\0\0" + packet
        check = zlib.crc32(body, zlib.crc32(b"iTXt"))
        chunk = struct.pack(">I", len(body)) + b"iTXt" + body + struct.pack(">I", check)
        return plain[:33] + chunk + plain[33:]
    return saved(small_grey(), form, xmp=packet, **({"lossless": True} if form == "WEBP" else {}))


def xmp_with(head, text):
    return head + XMP.replace(b"Mill at the river", text)


PACKETS = {
    "file entity": xmp_with(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', b"&e;"),
    "net entity": xmp_with(b'<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:9/e">]>', b"&e;"),
    "outer dtd": xmp_with(b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">', b"mill"),
    "parameter": xmp_with(b'<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>', b""),
    "laughs": xmp_with(
        b"<!DOCTYPE x [<!ENTITY a0 'ha'>"
        + b"".join(b"<!ENTITY a%d '&a%d;&a%d;'>" % (n + 1, n, n) for n in range(40))
        + b"]>",
        b"&a40;",
    ),
    "deep": b"<a>" * 200_000,
    "attributes": b"<a " + b" ".join(b'a%d=""' % n for n in range(100_000)) + b"/>",
    "utf-16": ('<!DOCTYPE x [<!ENTITY a "ha">]>' + XMP.decode()).encode("utf-16"),
    "include": XMP.replace(
        b"Mill at the river",
        b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>',
    ),
}


@pytest.mark.parametrize("kind", PACKETS)
@pytest.mark.parametrize("form", FORMS)
def test_hostile_xmp_reads_nothing_and_costs_no_picture(form, kind, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("went to the network"))
    raster = stills.decode(with_xmp(form, PACKETS[kind]), "x", LIMIT)
    plain = stills.decode(with_xmp(form, XMP), "x", LIMIT)
    assert np.array_equal(raster.luma, plain.luma)
    written = add_provenance(raster.metadata.xmp, NOTE)
    assert SECRET not in written and len(written) < 10_000
    if kind != "include":
        assert [one for one in raster.warnings if "XMP" in one and "dropped" in one]


@pytest.mark.parametrize("form", FORMS)
def test_60_megabytes_of_xmp_are_dropped_without_being_parsed(form):
    if form == "WEBP":
        pytest.skip("takes minutes to write")
    data = with_xmp(form, XMP[:-12] + b"<!-- " + b"x" * 60_000_000 + b" --></x:xmpmeta>")
    assert len(data) > 60_000_000
    with measured() as peak:
        raster = stills.decode(data, "x", LIMIT)
    assert raster.luma.shape == small_grey().shape
    assert [one for one in raster.warnings if "XMP" in one and "dropped" in one]
    assert len(raster.metadata.xmp or b"") < 10_000
    assert peak() < 5 * len(data), "a few copies, and no tree of it"


def directory(*entries, following=0):
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


LOOPS = {
    "next is itself": b"II*\0\x08\0\0\0" + directory((271, 2, 4, 0x41), following=8),
    "exif is itself": b"II*\0\x08\0\0\0" + directory((34665, 4, 1, 8)),
    "gps is exif is gps": b"II*\0\x08\0\0\0"
    + directory((34665, 4, 1, 38), (34853, 4, 1, 38))
    + directory((34853, 4, 1, 8), (40965, 4, 1, 8)),
    "counts to the end of the world": b"II*\0\x08\0\0\0" + directory((271, 2, 2**32 - 1, 8)),
    "begins nowhere": b"II*\0\xf0\xff\xff\xff",
    "begins in the header": b"II*\0\x02\0\0\0" + bytes(50),
    "65535 entries": b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 271, 2, 9, 8) * 900,
    "no stream": b"nothing of the kind",
}


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("form", FORMS)
def test_exif_that_loops_ends_and_costs_no_picture(form, kind):
    stream = LOOPS[kind]
    if form == "TIFF":
        source = tiff(small_grey(), photometric="minisblack")
        held = stills.decode(saved(small_grey(), "PNG", exif=stream), "x", LIMIT)
        raster = stills.decode(source, "x", LIMIT)
        data = stills.encode(np.dstack([raster.luma] * 3), raster, held.metadata)
    else:
        tagged = (b"Exif\0\0" if form == "JPEG" else b"") + stream
        options = {"lossless": True} if form == "WEBP" else {}
        source = saved(small_grey(), form, exif=tagged, **options)
        raster = stills.decode(source, "x", LIMIT)
        data = stills.encode(np.dstack([raster.luma] * 3), raster, raster.metadata)
    again = stills.decode(data, "x", LIMIT)
    assert np.abs(again.luma.astype(int) - raster.luma).max() <= 1
    dropped = [one for one in raster.warnings if "EXIF" in one]
    assert bool(dropped) == (raster.metadata.exif is None and form != "TIFF")


def test_a_tiff_whose_directories_loop_is_read_once():
    data = bytearray(tiff(small_grey(), photometric="minisblack"))
    first = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[first : first + 2], "little")
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    stream = directories.TiffStream.open(bytes(data))
    assert stream.read_directory(first).next == first
    with pytest.raises(UnsupportedPicture, match="its last is 1"):
        stills.decode(bytes(data), "x", LIMIT, page=1)
    assert np.array_equal(stills.decode(bytes(data), "x", LIMIT).luma, small_grey())


PROFILES = {
    "10 MB of zeros": bytes(10_000_000),
    "10 MB after a profile": len(RGB["adobe rgb"] + bytes(10_000_000)).to_bytes(4, "big")
    + RGB["adobe rgb"][4:]
    + bytes(10_000_000),
    "cut in half": RGB["adobe rgb"][: len(RGB["adobe rgb"]) // 2],
    "cut in its header": RGB["adobe rgb"][:60],
    "tags beyond its end": RGB["adobe rgb"].replace(b"rXYZ\0", b"rXYZ\x7f"),
    "a million tags": RGB["adobe rgb"][:128] + b"\0\x0f\x42\x40" + RGB["adobe rgb"][132:],
    "a curve of 4 billion": RGB["adobe rgb"].replace(
        b"curv\0\0\0\0\0\0\0\1", b"curv\0\0\0\0\xff\xff\xff\xff"
    ),
    "noise": np.random.default_rng(7).bytes(5000),
}


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("form", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("rule", ["srgb", "keep"])
def test_profiles_that_lie_cost_no_picture(form, kind, rule):
    data = saved(small(), form, icc_profile=PROFILES[kind])
    plain = stills.decode(saved(small(), form), "x", LIMIT, rule)
    raster = stills.decode(data, "x", LIMIT, rule)
    if kind == "10 MB after a profile":
        # Long and sound: it is honored, or kept.
        assert raster.converted == (rule == "srgb") and "dropped" not in str(raster.warnings)
        return
    assert np.array_equal(raster.luma, plain.luma)
    assert raster.metadata.icc == (get_srgb_profile() if rule == "srgb" else None)
    assert [one for one in raster.warnings if "profile" in one and "dropped" in one]


def test_262_bytes_that_ask_for_terabytes():
    """A header alone: a million pixels a side, three samples of 16 bit, one strip of nothing."""
    tags = [
        (256, 4, 1, 1_000_000),
        (257, 4, 1, 1_000_000),
        (258, 3, 1, 16),
        (259, 3, 1, 8),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (277, 3, 1, 3),
        (278, 4, 1, 1_000_000),
        (279, 4, 1, 100),
    ]
    data = (b"II*\0\x08\0\0\0" + directory(*tags)).ljust(262, b"\0")
    with pytest.raises(PictureTooLarge, match="1000000 x 1000000"):
        stills.decode(data, "x", 300_000_000)


@pytest.mark.parametrize("tag", [277, 258, 278, 322, 323, 279, 325])
def test_no_number_in_a_small_tiff_makes_memory_grow(tag):
    for bits, samples in ((8, 1), (12, 3), (32, 3)):
        tags = {256: 300, 257: 300, 258: bits, 259: 1, 262: 2 if samples == 3 else 1, 273: 8}
        tags |= {277: samples, 278: 300, 279: 100, 339: 3 if bits == 32 else 1}
        tags[tag] = 60_000
        entries = [(one, 4, 1, value) for one, value in sorted(tags.items())]
        data = b"II*\0\x08\0\0\0" + directory(*entries)
        with measured() as peak, pytest.raises(SourceError):
            stills.decode(data.ljust(400, b"\0"), "x", 1_000_000)
        assert peak() < 50_000_000


def test_a_png_that_inflates_without_end_is_held():
    """A profile and a text of 300 MB of zeros in some kilobytes each."""
    plain = saved(small_grey(), "PNG")
    bomb = zlib.compress(bytes(300_000_000), 9)

    def chunk(kind, body):
        check = zlib.crc32(body, zlib.crc32(kind))
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    bombs = chunk(b"iCCP", b"icc\0\0" + bomb) + chunk(b"zTXt", b"Comment\0\0" + bomb)
    bombs += chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)
    with measured() as peak:
        raster = stills.decode(plain[:33] + bombs + plain[33:], "x", LIMIT)
    assert np.array_equal(raster.luma, small_grey()) and peak() < 100_000_000
    assert any("profile" in one for one in raster.warnings)
    assert any("text" in one for one in raster.warnings)
    assert raster.metadata.comments == () and raster.metadata.xmp is None


def polyglots():
    jpeg, png, zipped = saved(small(), "JPEG"), saved(small(), "PNG"), b"PK\3\4" + bytes(300)
    html = b"<html><script>alert(1)</script></html>"
    yield "jpeg with a zip behind", jpeg + zipped, jpeg
    yield "png with a script behind", png + html, png
    yield "jpeg with a script in its comment", saved(small(), "JPEG", comment=html), jpeg
    yield "png with a jpeg behind", png + jpeg, png
    yield "tiff with a pdf behind", tiff(small()) + b"%PDF-1.7\n%%EOF", tiff(small())


@pytest.mark.parametrize("case", list(polyglots()), ids=lambda case: case[0])
def test_polyglots_are_what_they_begin_with(case):
    _, data, plain = case
    raster = stills.decode(data, "x", LIMIT)
    assert np.array_equal(raster.luma, stills.decode(plain, "x", LIMIT).luma)
    result = stills.encode(np.dstack([raster.luma] * 3), raster, raster.metadata)
    assert not any(one in result for one in (b"PK\3\4", b"%PDF")), "what is behind stays behind"


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"PK\3\4", b"#!/bin/sh\n", b"<svg onload='x'/>"])
def test_what_only_ends_as_a_picture_is_none(data):
    with pytest.raises(SourceError):
        stills.decode(data + saved(small_grey(), "JPEG"), "x", LIMIT)


def test_iptc_that_lies_is_carried_as_bytes_or_dropped():
    for records in (b"\x1c" * 50_000, IPTC[:4], b"\x1c\x02\x78\x80\x04\xff\xff\xff\xff"):
        data = tiff(
            small_grey(), photometric="minisblack", extratags=[(33723, 7, len(records), records)]
        )
        raster = stills.decode(data, "x", LIMIT)
        again = stills.encode(np.dstack([raster.luma] * 3), raster, raster.metadata, "jpeg")
        assert stills.decode(again, "x", LIMIT).metadata.iptc == records


@pytest.mark.parametrize(
    "name", ["<b>&amp;</b>\"'.jpg", "]]>.jpg", "\udcff\x1b[31m\r\n.jpg", "é" * 200]
)
def test_names_with_markup_stay_names(name):
    note = ProvenanceNote("ac 1", "m", "1", "2", name, "3", "2024-05-01T10:00:00Z")
    data = saved(small(), "JPEG", exif=b"Exif\0\0" + exif())
    raster = stills.decode(data, name, LIMIT)
    packet = add_provenance(raster.metadata.xmp, note)
    from lxml import etree

    path = ".//{http://ns.adobe.com/xap/1.0/sType/ResourceRef#}filePath"
    shown = etree.fromstring(packet).find(path)
    assert len(shown) == 0 and len(shown.text) >= len(name) - 2, "text and no element"


def test_noise_behind_every_beginning_is_refused_by_name():
    beginnings = [
        saved(small_grey(), "JPEG")[:40],
        saved(small_grey(), "PNG")[:40],
        b"II*\0\x08\0\0\0",
        b"MM\0+\0\x08\0\0",
        b"RIFF\0\0\1\0WEBPVP8 ",
        b"\0\0\0\x1cftypavif\0\0\0\0",
        b"\0\0\0\x1cftypheic\0\0\0\0",
        b"BM" + bytes(12) + b"\x28\0\0\0",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"FUJIFILMCCD-RAW ",
        b"II*\0\x10\0\0\0CR\x02\0",
    ]
    for number, beginning in enumerate(beginnings):
        for seed in range(8):
            noise = np.random.default_rng(100 * number + seed).bytes(3000)
            with pytest.raises(SourceError, match="scan"):
                stills.decode(beginning + noise, "scan", 1_000_000)


def test_tifffile_and_pillow_agree_that_these_are_pictures():
    """So that a refusal above is not owed to a file that was never sound."""
    with Image.open(io.BytesIO(with_xmp("PNG", XMP))) as image:
        assert np.array_equal(np.asarray(image), small_grey()) and image.info["xmp"] == XMP
    assert np.array_equal(tifffile.imread(io.BytesIO(with_xmp("TIFF", XMP))), small_grey())
