"""A source folder, an output, and a model that paints everything in one color."""

import os

import numpy as np
import tifffile
from PIL import Image

from archive_colorizer.color.space import compute_luma
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext, Source, Stamp
from archive_colorizer.restore.photo import restore_photo
from tests.model.networks import CONTRACT, constant_model, digest
from tests.photographs import photograph


class Studio:
    """Where one photograph at a time is restored."""

    def __init__(self, folder):
        self.scans, self.output, self.work = folder / "scans", folder / "out", folder / "out/.work"
        self.scans.mkdir()
        self.work.mkdir(parents=True)
        self.models = folder

    def restore(self, name, answer=(-0.1, 0.15), contract=CONTRACT, **settings):
        model = constant_model(self.models / "m.onnx", answer, contract)
        return restore_photo(self.job(name), self.workplace(model, **settings))

    def workplace(self, model, **settings):
        recipe = Recipe().apply(settings, "test")
        return JobContext(str(self.output), str(self.work), recipe, str(model), digest(model))

    def job(self, name):
        stamp = Stamp.from_stat(os.lstat(self.scans / name))
        return Job("0" * 64, Source(str(self.scans), name, stamp), name)

    def put(self, name, pixels, **how):
        if pixels.dtype == np.uint16:
            tifffile.imwrite(self.scans / name, pixels, photometric=how.get("photometric"))
        else:
            Image.fromarray(pixels).save(self.scans / name, **how)

    def result(self, name):
        path = self.output / name
        if path.suffix == ".tif":
            return tifffile.imread(path)
        return np.asarray(Image.open(path).convert("RGB"))

    def files(self):
        return {
            str(p.relative_to(self.output))
            for p in self.output.rglob("*")
            if p.is_file() and ".work" not in p.parts
        }


def luma_error(result, luma):
    return np.abs(result[..., :3].astype(np.float64) @ [0.299, 0.587, 0.114] - luma).max()


def grey(name):
    return compute_luma(photograph(name))
