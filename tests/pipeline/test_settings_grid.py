"""The grid: every picture is what a run would make, shown small, and nothing else is written."""

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.errors import UsageError
from archive_colorizer.pipeline import settings_grid as grid
from archive_colorizer.pipeline.settings_grid import Axis, write_grid
from tests.model.networks import constant_model
from tests.restore.studio import grey


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(grey("coffee")).save(folder / "a.png")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(constant_model(tmp_path_factory.mktemp("models") / "m.onnx"))


def order_of(place, model, *axes, recipe_file=None, **options):
    return {
        "photo": place / "a.png",
        "axes": tuple(map(Axis.parse, axes)),
        "sheet": place.with_name("sheet.png"),
        "recipe_file": recipe_file,
        "options": {"model": model, **options},
    }


def colors_on(order):
    """How colored each picture of the sheet is, as rows of numbers."""
    sheet = np.asarray(Image.open(order["sheet"])).astype(int)
    columns, rows = len(order["axes"][0].values), 1
    for axis in order["axes"][1:]:
        rows *= len(axis.values)
    high, wide = sheet.shape[0] // rows, sheet.shape[1] // columns
    return [
        [
            np.ptp(sheet[y * high : y * high + 300, x * wide : (x + 1) * wide], axis=2).mean()
            for x in range(columns)
        ]
        for y in range(rows)
    ]


def test_the_first_axis_goes_along_the_rows(place, model):
    order = order_of(place, model, "saturation=0,0.5,1", "strength=1,0.5")
    assert write_grid(**order) == 6
    (none, half, whole), (_, less, middle) = colors_on(order)
    assert none < 0.1
    assert whole / half == pytest.approx(2, rel=0.1)
    assert whole / middle == pytest.approx(2, rel=0.1)
    assert half / less == pytest.approx(2, rel=0.1)


def test_only_the_sheet_is_written(place, model):
    write_grid(**order_of(place, model, "hue=0,90"))
    assert sorted(one.name for one in place.parent.rglob("*")) == ["a.png", "scans", "sheet.png"]


def test_the_network_looks_once_at_each_size(place, model, monkeypatch):
    seen = []
    real = grid.infer_mask
    monkeypatch.setattr(grid, "infer_mask", lambda *given: seen.append(1) or real(*given))
    write_grid(**order_of(place, model, "strength=0.2,0.4,0.6", "working_size=64,128"))
    assert len(seen) == 2


def test_what_lies_beside_the_photograph_counts_and_the_axes_stand_above_it(place, model):
    (place / "a.png.colorize.toml").write_text("strength = 0\nsaturation = 0\n")
    order = order_of(place, model, "strength=0.5,1")
    write_grid(**order)
    assert max(colors_on(order)[0]) < 0.1
    order = order_of(place, model, "strength=0.5,1", saturation=1.0)
    write_grid(**order)
    assert min(colors_on(order)[0]) > 1


def test_sharpening_is_shown_at_full_size(place, model):
    order = order_of(place, model, "sharpen=0,2")
    write_grid(**order)
    sheet = np.asarray(Image.open(order["sheet"])).astype(int)
    left, right = sheet[20:300, 20:400], sheet[20:300, sheet.shape[1] // 2 + 20 :][:, :380]
    steep = [np.abs(np.diff(one[..., 1], axis=1)).mean() for one in (left, right)]
    assert steep[1] > 1.3 * steep[0]


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("saturation=0.8,1", Axis("saturation", (0.8, 1.0))),
        ("working-size=128, 256", Axis("working_size", (128, 256))),
        ("blend=luma,soft-light", Axis("blend", ("luma", "soft-light"))),
    ],
)
def test_axes_as_they_are_written(text, axis):
    assert Axis.parse(text) == axis


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("saturation", "write a setting and its values"),
        ("saturation=", "write a setting and its values"),
        ("saturatoin=1,2", "did you mean 'saturation'"),
        ("workers=1,2", "unknown setting 'workers'"),
        ("saturation=1,b", "takes numbers"),
    ],
)
def test_axes_that_cannot_be_meant(text, said):
    with pytest.raises(UsageError, match=said):
        Axis.parse(text)


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        (["saturation=1,9"], "saturation must be between 0 and 4"),
        (["hue=1,2", "hue=3"], "stands in the grid twice"),
        (["hue=" + ",".join(map(str, range(61)))], "61 pictures is too large"),
        (["preset=vivid,gaudy"], "preset must be one of"),
    ],
)
def test_grids_that_cannot_be_meant(place, model, axes, said):
    with pytest.raises(UsageError, match=said):
        write_grid(**order_of(place, model, *axes))
    assert not place.with_name("sheet.png").exists()


def test_no_picture_of_somebody_is_replaced(place, model):
    order = order_of(place, model, "hue=0,90")
    write_grid(**order)
    write_grid(**order)
    Image.fromarray(grey("coffee")).save(order["sheet"])
    before = order["sheet"].read_bytes()
    with pytest.raises(UsageError, match="is no contact sheet"):
        write_grid(**order)
    assert order["sheet"].read_bytes() == before
