"""What is fuzzed: functions that take any bytes and may refuse them only as they promise."""

import contextlib
import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from archive_colorizer.color.blend import ChromaField
from archive_colorizer.discovery.bagit import walk_root
from archive_colorizer.errors import ModelError, ResultUnwritable, SourceError, UsageError
from archive_colorizer.image import signatures as magic
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.formats import choose_format
from archive_colorizer.image.luma_difference import LumaDifference
from archive_colorizer.image.metadata.model import SourceMetadata
from archive_colorizer.image.metadata.xmp import (
    ProvenanceNote,
    add_provenance,
    build_sidecar,
    is_sound,
    join_extended,
)
from archive_colorizer.image.raster import Raster
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.model.contract import ModelContract
from archive_colorizer.model.onnx_metadata import check_seal
from archive_colorizer.recipe.explain import find_faults
from archive_colorizer.recipe.files import load_recipes
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe
from archive_colorizer.records.json_lines import iter_lines, parse_outcome, to_line
from archive_colorizer.restore.render import Original, render

PIXELS = 1_000_000
_NEUTRAL = ChromaField(np.zeros((4, 4, 4), np.float32))
_NOTE = ProvenanceNote(
    software="fuzz",
    model="m",
    model_sha256="0" * 64,
    settings="1" * 64,
    source_name="a",
    source_sha256="2" * 64,
    when="2026-01-01T00:00:00+00:00",
)


def still(data: bytes, _folder: Path) -> None:
    """Sniff, decode, carry the metadata over, encode, and read the result."""
    magic.identify_foreign_format(data)
    with contextlib.suppress(SourceError, ResultUnwritable):
        raster = stills.decode(data, "source", PIXELS)
        kind, _ = choose_format(raster)
        metadata = replace(raster.metadata, xmp=add_provenance(raster.metadata.xmp, _NOTE))
        rgb = np.repeat(raster.luma[..., None], 3, axis=2)
        _compare(raster, stills.encode(rgb, raster, metadata, kind), 2 if kind == "jpeg" else 0)


def lossless(data: bytes, _folder: Path) -> None:
    """Carry the luma of a JPEG over bit for bit, where that is not refused."""
    with contextlib.suppress(SourceError):
        raster = stills.decode(data, "source", PIXELS)
        if raster.format == "jpeg":
            asked = Recipe(luma="lossless")
            made = render(Original(data, raster), _NEUTRAL, raster.metadata, asked, "jpeg")
            _compare(raster, made.content, 2 if made.warnings else 0)


def _compare(raster: Raster, content: bytes, allowed: int) -> None:
    try:
        again = stills.decode(content, "result", PIXELS, "keep")
    except SourceError as error:
        raise AssertionError(f"the result cannot be read: {error}") from error
    likeness = LumaDifference.compare(raster.luma, again.luma)
    assert likeness.maximum <= allowed, likeness.summary


def metadata(data: bytes, _folder: Path) -> None:
    """Judge bytes as each kind of metadata."""
    for found in (
        SourceMetadata(exif=data),
        SourceMetadata(icc=data),
        SourceMetadata(xmp=data),
        SourceMetadata(iptc=data),
    ):
        for color in (True, False):
            found.prepare(found.plan_conversion(color, "srgb"))
    join_extended(data, data)
    if is_sound(data):
        packet = add_provenance(data, _NOTE)
        assert is_sound(packet)
        build_sidecar(packet)


def records(data: bytes, folder: Path) -> None:
    """Read a manifest line by line, and whole."""
    for _, line in iter_lines(io.BytesIO(data)):
        with contextlib.suppress(ValueError):
            outcome = parse_outcome(line)
            if outcome is not None:
                assert parse_outcome(to_line(outcome)) == outcome
    (folder / "manifest.jsonl").write_bytes(data)
    with Manifest.peek(folder) as manifest:
        for name in manifest.list_names(""):
            manifest.find_newest(name)


def recipe(data: bytes, folder: Path) -> None:
    """Read a recipe, and list its faults."""
    path = folder / "recipe.toml"
    path.write_bytes(data)
    known: tuple[Recipe, FilmRecipe] | None = None
    faults = ["cannot be read"]
    with contextlib.suppress(UsageError):
        known = load_recipes(path)
    with contextlib.suppress(UsageError):
        faults = find_faults(path)
    assert (known is None) == bool(faults)


def contract(data: bytes, _folder: Path) -> None:
    """Read a contract, and look for a seal."""
    with contextlib.suppress(ModelError):
        check_seal(data, "m")
    with contextlib.suppress(ModelError):
        read = ModelContract.from_json(data.decode("utf-8", "replace"), "m")
        assert ModelContract.from_json(read.to_json(), "m") == read


def bag(data: bytes, folder: Path) -> None:
    """Take a folder for a bag whose manifest this is."""
    root = folder / "bag"
    shutil.rmtree(root, ignore_errors=True)
    (root / "data").mkdir(parents=True)
    (root / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    (root / "manifest-sha256.txt").write_bytes(data)
    (root / "data" / "a.jpg").write_bytes(b"\xff\xd8\xff")
    with contextlib.suppress(SourceError, UsageError):
        list(walk_root(root))


TARGETS: dict[str, Callable[[bytes, Path], None]] = {
    "still": still,
    "lossless": lossless,
    "metadata": metadata,
    "records": records,
    "recipe": recipe,
    "contract": contract,
    "bag": bag,
}
