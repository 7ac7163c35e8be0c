"""Runs that take the way of a graphics card, on a CPU: many hands, and batches that are joined."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tifffile
from PIL import Image

from archive_colorizer.device import Device
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.film.colorize import restore_part
from archive_colorizer.model.batching import BATCH_SIZES
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.model.registry import find_model
from archive_colorizer.pipeline import run_session as opening
from archive_colorizer.pipeline.photos import restore_archive
from archive_colorizer.pipeline.request import find_models, validate_request
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, Shot, ShotPart
from archive_colorizer.records.outcomes import State
from archive_colorizer.restore import photo
from archive_colorizer.video.film import Layout
from tests.film.restored_films import LIMITED, MemoryFilm, pan
from tests.model.test_runtime import Short
from tests.photographs import NAMES
from tests.restore.studio import Studio, grey, luma_error

KINDS = ("jpg", "png", "tif", "webp")


@pytest.fixture(scope="module")
def alone():
    return open_colorizer(find_model("default"), device="cpu")


def scans(studio):
    """Each photograph in each format, and of other shapes."""
    for number, name in enumerate(NAMES):
        luma = grey(name)[: 300 - 20 * number, : 200 + 40 * number]
        for kind in KINDS:
            if kind == "tif":
                studio.put(f"{name}.tif", luma.astype(np.uint16) * 257, photometric="minisblack")
            else:
                studio.put(f"{name}.{kind}", luma)
    return sorted(one.name for one in studio.scans.iterdir())


def pixels(folder):
    """Of each result, H x W x 3."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".tif":
            found[path.name] = tifffile.imread(path)
        elif path.suffix.strip(".") in KINDS:
            with Image.open(path) as opened:
                found[path.name] = np.asarray(opened.convert("RGB"))
    return found


def test_many_hands_give_what_one_gives(tmp_path, monkeypatch):
    studio = Studio(tmp_path)
    names = scans(studio)
    recipe = Recipe(device="cpu", workers=1)
    made = {}
    for hands in (1, 4):
        shared = WorkerAllocation(1, 1, hands)
        monkeypatch.setattr(opening, "allocate_workers", lambda *_, shared=shared: shared)
        output = tmp_path / f"hands-{hands}"
        summary = restore_archive(validate_request([studio.scans], output, recipe))
        assert (summary.done, summary.failed) == (len(names), 0)
        made[hands] = pixels(output)
    assert list(made[1]) == names
    for name in names:
        assert np.array_equal(made[1][name], made[4][name]), name


def restored_by_threads(studio, names, monkeypatch, ensemble):
    """The outcomes of photographs that six threads of this process restore."""
    recipe = Recipe(device="cpu")
    place = replace(studio.workplace(find_model("default")), recipe=recipe, **find_models(recipe))
    monkeypatch.setattr(photo, "load_ensemble", lambda _place: ensemble)
    jobs = [
        Job(hashlib.sha256(name.encode()).hexdigest(), studio.job(name).source, name)
        for name in names
    ]
    with ThreadPoolExecutor(6) as pool:
        made = pool.map(partial(photo.restore_photo, context=place), jobs)
        return dict(zip(names, made, strict=True))


def test_pictures_of_joined_batches_are_those_of_single_ones(tmp_path, monkeypatch, alone):
    results = {}
    network = alone.add_batching(BATCH_SIZES[-1], Device("cpu"))
    for way, ensemble in (("alone", Ensemble((alone,))), ("joined", Ensemble((network,)))):
        folder = tmp_path / way
        folder.mkdir()
        studio = Studio(folder)
        names = scans(studio)
        outcomes = restored_by_threads(studio, names, monkeypatch, ensemble)
        assert {one.state for one in outcomes.values()} == {State.DONE}
        results[way] = pixels(studio.output)
        for name, made in results[way].items():
            if name.endswith("png"):
                with Image.open(studio.scans / name) as scan:
                    assert luma_error(made, np.asarray(scan)) <= 1, name
    assert list(results["alone"]) == names
    for name, made in results["joined"].items():
        apart = np.abs(made.astype(int) - results["alone"][name])
        white = 65535 if made.dtype == np.uint16 else 255
        # A code value of chroma in a lossy format is more in the blocks around it.
        assert apart.max() <= (8 if name.endswith(("jpg", "webp")) else white / 255), name
        assert apart.mean() < white / 255 / 20, name


class Tight(Short):
    """A session without memory for a picture of more values than `max_batch`."""

    def __init__(self, session, most):
        super().__init__(session, 1)
        self.most = most

    def run(self, names, given):
        (batch,) = given.values()
        self.room = self.most / batch[0].size if batch.size > self.most else len(batch)
        return super().run(names, given)


def test_what_is_too_large_for_the_card_fails_alone_and_never_in_grey(tmp_path, monkeypatch, alone):
    studio = Studio(tmp_path)
    luma = grey("coffee")
    for number in range(6):
        studio.put(f"{number}.png", luma[:200, : 240 + number])
    studio.put("wide.png", luma[:100, :400])
    names = sorted(one.name for one in studio.scans.iterdir())
    network = replace(alone, session=Tight(alone.session, 256 * 400 * 2)).add_batching(
        BATCH_SIZES[-1]
    )
    outcomes = restored_by_threads(studio, names, monkeypatch, Ensemble((network,)))
    assert outcomes["wide.png"].reason == "memory"
    done = {name for name, one in outcomes.items() if one.state is State.DONE}
    assert done == set(names) - {"wide.png"}
    assert not (studio.output / "wide.png").exists()
    for made in pixels(studio.output).values():
        assert np.abs(made.astype(int) - made.mean(axis=2, keepdims=True)).max() > 8


@pytest.mark.parametrize("room", [16, 1])
def test_a_film_has_the_colors_that_it_has_without(alone, room):
    network = replace(alone, session=Short(alone.session, room)).add_batching(BATCH_SIZES[-1])
    film, shot = MemoryFilm(pan("coffee", 11)), Shot(0, 11)
    made = [
        list(
            restore_part(
                film,
                ShotPart(shot, 0, 11),
                Ensemble((one,)),
                Recipe(),
                0.7,
                Layout(LIMITED, "4:4:4"),
            )
        )
        for one in (alone, network)
    ]
    for plain, other in zip(*made, strict=True):
        assert np.array_equal(plain.luma, other.luma)
        assert np.abs(plain.cb.astype(int) - other.cb).max() <= 1
        assert np.abs(plain.cr.astype(int) - other.cr).max() <= 1
