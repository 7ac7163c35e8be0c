"""A small archive, runs over it, and what must be true after each of them."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from archive_colorizer.color.space import compute_luma
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.pipeline.photos import restore_archive
from archive_colorizer.pipeline.request import validate_request
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.summary import Summary
from tests.photographs import photograph


class Archive:
    """Grey PNGs of 64 x 64 pixels, each with a name that may ask for a fault."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.scans, self.output, self.model = folder / "scans", folder / "out", model
        self.scans.mkdir()

    def put(self, *names: str) -> None:
        grey = compute_luma(photograph("chelsea"))
        for number, name in enumerate(names):
            cut = grey[number : number + 64, 100:164]
            Image.fromarray(np.ascontiguousarray(cut)).save(self.scans / f"{name}.png")

    def run(self, executor: str = "serial", **settings: object) -> Summary:
        given = {"executor": executor, "workers": 2, "model": str(self.model), **settings}
        recipe = Recipe().apply(given, "test")
        return restore_archive(validate_request([self.scans], self.output, recipe))

    def outcome(self, name: str) -> Outcome:
        with Manifest.peek(self.output) as manifest:
            found = manifest.find_newest(f"{name}.png")
        assert found is not None, name
        return found

    def reasons(self) -> dict[str, str]:
        """State, or reason, of everything that is accounted for."""
        with Manifest.peek(self.output) as manifest:
            known = [manifest.find_newest(name) for name in manifest.list_names("")]
        return {one.name.removesuffix(".png"): one.reason or one.state for one in known if one}

    def results(self) -> dict[str, tuple[int, int]]:
        """Every picture under a final name is whole and in color; inode and time of each."""
        found = {}
        for path in self.output.glob("*.png"):
            pixels = np.asarray(Image.open(path).convert("RGB"))
            assert pixels.shape == (64, 64, 3)
            assert np.ptp(pixels, axis=2).mean() > 5, f"{path.name} is grey"
            found[path.stem] = (path.stat().st_ino, path.stat().st_mtime_ns)
        return found

    def originals(self) -> dict[str, str]:
        return {
            path.stem: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.scans.iterdir()
        }

    def assert_clean(self) -> None:
        """Nothing temporary stays, and what the manifest calls done is there."""
        known = ("lock", "holder.json")
        left = [path for path in (self.output / ".work").rglob("*") if path.name not in known]
        assert not left, left
        done = {name for name, word in self.reasons().items() if word == State.DONE}
        assert done == set(self.results())
