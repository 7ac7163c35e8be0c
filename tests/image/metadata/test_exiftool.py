"""Metadata from file to file, judged by exiftool (Debian: libimage-exiftool-perl)."""

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.formats import EXTENSIONS
from archive_colorizer.image.metadata.xmp import ProvenanceNote, add_provenance
from archive_colorizer.image.raster import Raster
from tests.image.files import LIMIT, MAKER_NOTE, XMP, deep, exif, saved, small, small_grey, tiff

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="needs exiftool: apt install libimage-exiftool-perl"
)

WRITTEN = {
    "-EXIF:Artist": "Anna Müller",
    "-EXIF:Copyright": "City archive",
    "-EXIF:Make": "Mill",
    "-EXIF:Model": "One",
    "-EXIF:ModifyDate": "1931:05:01 10:00:00",
    "-EXIF:DateTimeOriginal": "1931:05:01 09:00:00",
    "-EXIF:CreateDate": "1998:02:03 04:05:06",
    "-EXIF:OffsetTimeOriginal": "+01:00",
    "-EXIF:SubSecTimeOriginal": "25",
    "-EXIF:ExposureTime": "1/60",
    "-EXIF:FNumber": "5.6",
    "-EXIF:ISO": "100",
    "-EXIF:FocalLength": "50",
    "-EXIF:LensModel": "Mill 50",
    "-EXIF:UserComment": "seen from the bridge",
    "-EXIF:InteropIndex": "R98",
    "-EXIF:GPSLatitude": "48.137154",
    "-EXIF:GPSLatitudeRef": "N",
    "-EXIF:GPSLongitude": "11.576124",
    "-EXIF:GPSLongitudeRef": "E",
    "-EXIF:GPSAltitude": "519",
    "-EXIF:GPSDateStamp": "1931:05:01",
    "-EXIF:XResolution": "300",
    "-EXIF:YResolution": "300",
    "-EXIF:ResolutionUnit": "inches",
    "-EXIF:XPTitle": "The mill",
    "-EXIF:XPKeywords": "mill;river",
    "-XMP-dc:Creator": "Anna Müller",
    "-XMP-photoshop:City": "München",
    "-XMP-xmp:Rating": "4",
}
IIM = {
    "-IPTC:CodedCharacterSet": "UTF8",
    "-IPTC:Caption-Abstract": "Mill at the river, Müller's",
    "-IPTC:Keywords": "mill",
    "-IPTC:By-line": "Anna Müller",
    "-IPTC:DateCreated": "1931:05:01",
    "-IPTC:City": "München",
}
GROUPS = ("IFD0", "ExifIFD", "GPS", "InteropIFD", "IPTC", "XMP")
OF_THE_PIXELS = frozenset(
    "ImageWidth ImageHeight BitsPerSample Compression PhotometricInterpretation StripOffsets "
    "SamplesPerPixel RowsPerStrip StripByteCounts PlanarConfiguration Predictor SampleFormat "
    "SubfileType NewSubfileType Orientation ColorSpace ExtraSamples TileWidth TileLength "
    "ExifImageWidth ExifImageHeight TileOffsets TileByteCounts XMPToolkit YCbCrPositioning "
    "ExifToolVersion".split()
)
NOTE = ProvenanceNote("ac 1", "m", "ab" * 32, "cd" * 32, "mill", "ef" * 32, "2024-05-01T10:00:00Z")


def run_exiftool(*arguments):
    command = ["exiftool", "-charset", "iptc=UTF8", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_tags(path):
    """Everything that exiftool reads, as "group:tag"."""
    text = run_exiftool("-json", "-G1", "-a", "-n", "-struct", "-U", "-warning", "-all", path)
    return json.loads(text)[0]


def select_kept(facts):
    """The tags of a source that its result must keep."""
    return {
        name: value
        for name, value in facts.items()
        if name.split(":")[0].split("-")[0] in GROUPS and name.split(":")[1] not in OF_THE_PIXELS
    }


KINDS = {
    "jpeg": lambda stream: saved(small(), "JPEG", exif=b"Exif\0\0" + stream, xmp=XMP),
    "png": lambda stream: saved(small(), "PNG", exif=stream),
    "webp": lambda stream: saved(small(), "WEBP", exif=stream, xmp=XMP, lossless=True),
    "tiff": lambda stream: tiff(small(), photometric="rgb", compression="zlib"),
    "tiff 16": lambda stream: tiff(deep(small()), photometric="rgb", compression="lzw"),
    "tiff grey 16": lambda stream: tiff(deep(small_grey()), photometric="minisblack"),
}
HOLDS_IIM = {"jpeg", "tiff", "tiff 16", "tiff grey 16"}


@pytest.fixture(scope="module", params=KINDS)
def pair(request, tmp_path_factory):
    """A source with all that exiftool can write into it, and its result."""
    kind = request.param.split()[0]
    folder = tmp_path_factory.mktemp("exiftool")
    source = folder / ("source" + EXTENSIONS[kind][0])
    source.write_bytes(KINDS[request.param](exif(6)))
    tags = {**WRITTEN, **(IIM if request.param in HOLDS_IIM else {})}
    if kind == "jpeg":
        tags["-File:Comment"] = "a comment, née Müller"
    if kind == "png":
        tags["-PNG:Comment"] = "a comment, née Müller"
    if kind == "tiff":
        tags["-IFD0:Orientation#"] = "6"
    arguments = [f"{name}={value}" for name, value in tags.items()]
    run_exiftool("-q", "-m", "-overwrite_original", *arguments, source)
    raster = stills.decode(source.read_bytes(), source.name, LIMIT)
    rgb = np.dstack([raster.luma] * 3)
    result = folder / ("result" + EXTENSIONS[kind][0])
    result.write_bytes(stills.encode(rgb, raster, raster.metadata))
    return request.param, read_tags(source), read_tags(result), raster, result


def test_every_tag_comes_through(pair):
    _, source, result, _, _ = pair
    tags = select_kept(source)
    changed = {
        name: (value, result.get(name)) for name, value in tags.items() if result.get(name) != value
    }
    assert not changed
    assert len(tags) >= 30
    for group in ("IFD0", "ExifIFD", "GPS", "InteropIFD", "XMP-dc", "XMP-photoshop"):
        assert any(name.startswith(group + ":") for name in tags), group


def test_iptc_and_comments_come_through(pair):
    kind, source, result, raster, _ = pair
    if kind in HOLDS_IIM:
        assert source["IPTC:Caption-Abstract"] == result["IPTC:Caption-Abstract"]
        assert sum(name.startswith("IPTC:") for name in result) >= 6
    for name in ("File:Comment", "PNG:Comment"):
        assert source.get(name) == result.get(name)
    assert bool(raster.metadata.comments) == (kind in ("jpeg", "png"))


def test_the_result_is_upright_and_without_a_stale_thumbnail(pair):
    _, source, result, raster, _ = pair
    assert source["IFD0:Orientation"] == 6 and result["IFD0:Orientation"] == 1
    assert raster.luma.shape == small().shape[1::-1]
    assert "IFD1:ThumbnailOffset" not in result and "IFD1:Compression" not in result
    assert result.get("XMP-tiff:Orientation", 1) == (6 if "XMP-tiff:Orientation" in source else 1)


def test_the_maker_note_keeps_its_bytes(pair):
    kind, _, _, _, path = pair
    if kind.startswith("tiff"):
        pytest.skip("exiftool writes no maker note from nothing")
    raw = subprocess.run(
        ["exiftool", "-b", "-U", "-MakerNoteUnknown", path], capture_output=True
    ).stdout
    assert raw == MAKER_NOTE


def test_exiftool_finds_nothing_to_object_to(pair):
    _, source, result, _, _ = pair
    warnings = {value for name, value in result.items() if name.endswith(":Warning")}
    assert not warnings - {value for name, value in source.items() if name.endswith(":Warning")}
    assert "ICC-header:ProfileVersion" in result, "tagged as sRGB"


def test_provenance_is_read_beside_what_was_there(pair, tmp_path):
    _, _, _, raster, path = pair
    metadata = replace(raster.metadata, xmp=add_provenance(raster.metadata.xmp, NOTE))
    target = tmp_path / path.name
    target.write_bytes(stills.encode(np.dstack([raster.luma] * 3), raster, metadata))
    facts = read_tags(target)
    assert facts["XMP-iptcExt:DigitalSourceType"].endswith("compositeWithTrainedAlgorithmicMedia")
    assert facts["XMP-xmpMM:DerivedFrom"]["DocumentID"] == "urn:sha256:" + "ef" * 32
    assert facts["XMP-photoshop:City"] == "München"
    assert "Color added by" in str(facts["XMP-dc:Description"])


@pytest.mark.parametrize("kind", ["png", "webp", "jp2", "tiff", "jpeg"])
def test_a_tiff_keeps_exif_in_every_format(kind, tmp_path):
    source = tmp_path / "source.tif"
    source.write_bytes(KINDS["tiff 16"](b""))
    pairs = {**WRITTEN, **IIM}
    run_exiftool("-q", "-m", "-overwrite_original", *[f"{a}={b}" for a, b in pairs.items()], source)
    raster = stills.decode(source.read_bytes(), "x", LIMIT)
    result = tmp_path / ("result" + EXTENSIONS[kind][0])
    rgb = np.dstack([raster.luma] * 3)
    result.write_bytes(stills.encode(rgb, raster, raster.metadata, kind))
    before, after = read_tags(source), read_tags(result)
    for name in (
        "ExifIFD:DateTimeOriginal",
        "GPS:GPSLatitude",
        "XMP-photoshop:City",
        "IFD0:Artist",
    ):
        assert after[name] == before[name]
    iim = after.get("IPTC:City")
    assert iim == ("München" if kind != "webp" else None)
    assert isinstance(raster, Raster)
