import numpy as np
import pytest
from PIL import Image

from archive_colorizer.color.space import chroma_of, luma_of
from archive_colorizer.evaluation import GREY, colorfulness, compare, evaluate, groups_of, rows
from archive_colorizer.recipe import Recipe
from tests.model.networks import constant_model
from tests.photographs import photograph

pytest.importorskip("skimage")


def photos_in(folder, names):
    folder.mkdir()
    for name in names:
        Image.fromarray(photograph(name)[:320, :320]).save(folder / f"{name}.jpg", quality=95)
    from archive_colorizer.training.data import read_photos

    return read_photos([folder])


def test_the_truth_is_perfect_and_grey_is_not():
    truth = photograph("coffee")
    perfect = compare(truth, truth)
    assert perfect.ciede2000 == 0
    assert perfect.ssim == pytest.approx(1)
    assert perfect.colorfulness == perfect.truth == colorfulness(truth)
    grey = np.repeat(luma_of(truth)[..., None], 3, axis=2)
    assert compare(grey, truth).ciede2000 > 5
    assert compare(grey, truth).colorfulness == pytest.approx(0, abs=1e-6)
    assert compare(grey, truth).luma_error <= 0.5


def test_colorfulness_is_that_of_the_paper():
    """rg = (255, -255), yb = (127.5, 127.5): spread hypot(255, 0), centre hypot(0, 127.5)."""
    red_green = np.array([[[255, 0, 0], [0, 255, 0]]], dtype=np.uint8)
    assert colorfulness(red_green) == pytest.approx(255 + 0.3 * 127.5)


def test_a_model_that_knows_the_mean_color_beats_grey(tmp_path):
    photos = photos_in(tmp_path / "photos", ["chelsea", "coffee"])
    mean = np.concatenate(
        [
            chroma_of(photograph(n)[:320, :320].astype(np.float32) / 255).reshape(-1, 2)
            for n in ("chelsea", "coffee")
        ]
    ).mean(axis=0)
    model = str(constant_model(tmp_path / "m.onnx", tuple(mean)))
    sheet = tmp_path / "sheet.png"
    figures = evaluate([model], photos, Recipe(executor="serial"), sheet)
    assert set(figures) == {GREY, model}
    table = {row.model: row for row in rows(figures, groups_of(list(figures[GREY]), None, []))}
    assert table[model].figures.ciede2000 < table[GREY].figures.ciede2000
    assert table[model].figures.luma_error <= 1
    assert table[model].photos == 2
    assert Image.open(sheet).size[0] % (3 * 192) == 0


def test_photographs_are_grouped_by_an_index(tmp_path):
    index = tmp_path / "index.csv"
    index.write_text(
        "file,category,people\na/1.jpg,portrait,yes\na/2.jpg,nature,no\nb/9.jpg,x,no\n"
    )
    groups = groups_of(["a/1.png", "a/2.png"], index, ["category", "people"])
    assert groups == {
        "all": ["a/1.png", "a/2.png"],
        "category nature": ["a/2.png"],
        "category portrait": ["a/1.png"],
        "people no": ["a/2.png"],
        "people yes": ["a/1.png"],
    }


def test_unreadable_photographs_are_an_error(tmp_path):
    from archive_colorizer.errors import ArchiveColorizerError
    from archive_colorizer.training.data import read_photos

    with pytest.raises(ArchiveColorizerError):
        evaluate(["default"], read_photos([tmp_path]), Recipe())
