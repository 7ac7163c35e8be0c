"""What mutation begins with: small sound files of every kind that is read."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import tifffile
from PIL import Image

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.raster import Metadata, Raster
from archive_colorizer.model.onnx_metadata import add_seal
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.records.json_lines import to_line
from archive_colorizer.records.outcomes import Outcome, Provenance, State
from tests.image import files
from tests.locations import REPOSITORY_ROOT
from tests.model.networks import CONTRACT

_LARGEST = 40_000
"""Bytes of a file of the corpus: larger ones are mutated where nobody looks."""

_METADATA = Metadata(
    exif=files.exif(),
    icc=files.srgb_profile(),
    xmp=files.XMP,
    iptc=files.IPTC,
    dpi=(300.0, 300.0),
    comments=(("Comment", "Mill"),),
)


def pictures() -> list[bytes]:
    """A file or more of each format, with all the metadata that it holds."""
    grey = files.small_grey()[:40, :56]
    rgb = files.small()[:40, :56].copy()
    made = []
    for kind in stills.WRITERS:
        for alpha in (None, grey):
            raster = Raster(luma=grey, format=kind, alpha=alpha)
            made.append(stills.encode(rgb, raster, _METADATA, kind))
    deep = Raster(luma=files.deep(grey), format="png")
    made += [stills.encode(files.deep(rgb), deep, _METADATA, kind) for kind in ("png", "jp2")]
    return [*made, *_by_pillow(grey, rgb), *_tiffs(grey, rgb)]


def _by_pillow(grey: Any, rgb: Any) -> Iterator[bytes]:
    said = {"exif": files.exif(6), "icc_profile": files.srgb_profile()}
    yield files.saved(grey, "JPEG", progressive=True, **said)
    yield files.saved(rgb, "JPEG", quality=60, xmp=files.XMP, comment=b"Mill", **said)
    yield files.saved(rgb, "WEBP", quality=50, xmp=files.XMP, **said)
    for mode, kind in (("CMYK", "JPEG"), ("P", "PNG"), ("1", "PNG"), ("LA", "PNG"), ("P", "BMP")):
        target = io.BytesIO()
        Image.fromarray(rgb).convert(mode).save(target, kind)
        yield target.getvalue()
    yield files.saved(rgb, "AVIF", exif=files.exif()) if _holds("AVIF") else b"\0\0\0 ftypavif"


def _tiffs(grey: Any, rgb: Any) -> Iterator[bytes]:
    how: tuple[dict[str, Any], ...] = (
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw", "byteorder": ">"},
        {"compression": "packbits", "photometric": "miniswhite"},
        {"compression": "jpeg"},
        {"tile": (16, 16), "bigtiff": True},
    )
    for options in how:
        yield files.tiff(grey, **options)
    yield files.tiff(rgb, planarconfig="separate", photometric="rgb")
    pages = io.BytesIO()
    with tifffile.TiffWriter(pages) as writer:
        for page in (grey, grey[::-1], rgb):
            writer.write(page, metadata=None)
    yield pages.getvalue()


def _holds(kind: str) -> bool:
    Image.init()
    return kind in Image.SAVE


def jpegs() -> list[bytes]:
    """Those of the pictures that luma can be carried over from."""
    return [one for one in pictures() if one.startswith(b"\xff\xd8")]


def metadata() -> list[bytes]:
    """EXIF of both byte orders, XMP, ICC profiles, IPTC."""
    turned = [files.exif(6, order) for order in "<>"]
    return [*turned, files.XMP, files.srgb_profile(), files.IPTC]


def records() -> list[bytes]:
    """Manifests of a few lines."""
    done = Outcome(
        key="0" * 64,
        name="box/a.jpg",
        state=State.DONE,
        source_stamp=Stamp(1, 2, 3, 4),
        target="box/a.jpg",
        target_stamp=Stamp(5, 6, 7, 8),
        target_sha256="1" * 64,
        warnings=("sepia source: made neutral first",),
        width=40,
        seconds=0.25,
    )
    failed = replace(done, state=State.FAILED, target=None, reason="damaged", message="cut")
    lines = b"".join(map(to_line, (_opening(), done, replace(failed, name="b.png"))))
    return [lines, to_line(done), lines.replace(b"box/", b"../")]


def _opening() -> Provenance:
    return Provenance(
        run="1",
        started="2026-01-01T00:00:00+00:00",
        version="1",
        command=("run", "scans"),
        host="h",
        roots=("/scans",),
        recipe={"strength": 1.0},
        settings="2" * 64,
        model="default",
        model_sha256="3" * 64,
        model_licence="Apache-2.0",
        provider="CPUExecutionProvider",
        libraries={},
    )


def recipes() -> list[bytes]:
    """The ready recipes for runs, and one with a table for films."""
    more = b'strength = 0.5\nmark = "corner"\n[film]\nrate = "24000/1001"\ncodec = "ffv1"\n'
    folder = REPOSITORY_ROOT / "workflows"
    ready = sorted(one for one in folder.glob("*.toml") if "train" not in one.name)
    return [more, *(one.read_bytes() for one in ready)]


def contracts() -> list[bytes]:
    """Contracts as they stand in model files, and a sealed file."""
    plain = CONTRACT.to_json().encode()
    return [plain, json.dumps(asdict(CONTRACT), indent=1).encode(), add_seal(plain)]


def bags() -> list[bytes]:
    """Payload manifests."""
    return [b"%064d  data/a.jpg\n%064d *data/box/b%%0Ac.png\n" % (1, 2)]


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "still": pictures,
    "lossless": jpegs,
    "metadata": metadata,
    "records": records,
    "recipe": recipes,
    "contract": contracts,
    "bag": bags,
}


def from_corpus(folder: Path, target: str) -> list[bytes]:
    """Small files of somebody else's collection, for the targets that read pictures."""
    if target not in ("still", "lossless"):
        return []
    found = (one.read_bytes() for one in sorted(folder.rglob("*")) if _is_small(one))
    return [one for one in found if target == "still" or _is_jpeg(one)]


def _is_small(path: Path) -> bool:
    return path.is_file() and path.suffix != ".csv" and 0 < path.stat().st_size <= _LARGEST


def _is_jpeg(data: bytes) -> bool:
    try:
        return stills.detect_format(data) == "jpeg"
    except ArchiveColorizerError:
        return False
