"""The conformance suite: every family's interface, from its ONNX file to a finished picture."""

import numpy as np
import pytest

from archive_colorizer.adoption.adopt import adopt
from archive_colorizer.adoption.families import FAMILIES
from archive_colorizer.color.space import compute_chroma
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.contract import CHANNELS
from archive_colorizer.records.outcomes import State
from archive_colorizer.restore.photo import restore_photo
from tests.adoption.foreign import foreign
from tests.restore.studio import Studio, luma_error

color = pytest.importorskip("skimage.color", reason="Lab is checked against scikit-image")

AB = (14.0, -22.0)
"""A violet that is inside of sRGB on all middle greys."""
TINT = (0.05, -0.02, 0.09)
FREE, FIXED = ("n", "height", "width"), (1, None, None)


def interface_of(path, family, *, fixed, half):
    """An ONNX file as that family's are, whose color is AB or TINT."""
    given, made = FAMILIES[family].input, FAMILIES[family].output
    size = given.size
    shape = (1, size, size) if fixed else FREE
    how = {"channels": CHANNELS[given.space], "shape": shape, "half": half}
    if made.space == "lab-ab":
        return foreign(path, AB, **how)
    return foreign(path, np.multiply(TINT, made.high), low=made.low, high=made.high, **how)


@pytest.fixture
def studio(tmp_path):
    """Broad steps of grey in 16 bits, not square, so that every pixel has a known color."""
    made = Studio(tmp_path)
    steps = np.repeat(np.linspace(22000, 44000, 6).astype(np.uint16), 60)
    made.put("steps.tif", np.repeat(steps[None], 240, axis=0), photometric="minisblack")
    made.steps = steps
    return made


@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "free"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_of_each_family_paints_its_own_color(studio, tmp_path, family, fixed, half):
    file = interface_of(tmp_path / "theirs.onnx", family, fixed=fixed, half=half)
    output = tmp_path / "models" / "ours.onnx"
    adoption = adopt(file, family, {}, output)
    assert adoption.contract.max_batch == (1 if fixed else None)
    assert open_colorizer(output).contract == adoption.contract

    outcome = restore_photo(studio.job("steps.tif"), studio.workplace(output))
    assert outcome.state is State.DONE, outcome.message
    result = studio.result("steps.tif")
    assert luma_error(result, studio.steps[None]) <= 1
    middles = (result[120, 30::60] / 65535).astype(np.float32)[None]
    if adoption.contract.output.space == "lab-ab":
        ab = color.rgb2lab(middles.astype(float))[0, :, 1:]
        assert np.abs(ab - AB).max() < 0.05
    else:
        wanted = compute_chroma(np.array([[TINT]], dtype=np.float32))[0, 0]
        # Halves of 0..255 have steps of an eighth.
        assert np.abs(compute_chroma(middles) - wanted).max() < (1.5e-3 if half else 1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_says_where_it_comes_from(family):
    contract = FAMILIES[family]
    assert contract.family == family
    assert contract.licence
    assert contract.training["home"].startswith("https://")
    assert contract.input.size % contract.input.multiple_of == 0
