import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.color.space import compute_chroma
from archive_colorizer.model.color_spaces import (
    PACK,
    RANGES,
    UNPACK,
    pack,
    unpack,
)
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.contract import CHANNELS, InputContract, OutputContract
from tests.model.networks import CONTRACT, constant_model, speaking

RED = np.array([[[0.7, 0.25, 0.2]]], dtype=np.float32)
LUMA = float(RED[0, 0] @ np.array([0.299, 0.587, 0.114]))


def answer_in(space):
    """What a network must say in a space so that the picture becomes RED."""
    if space == "cbcr":
        return compute_chroma(RED)[0, 0]
    if space == "rgb":
        return RED[0, 0]
    color = pytest.importorskip("skimage.color", reason="Lab is checked against scikit-image")
    return color.rgb2lab(RED.astype(float))[0, 0, 1:]


@pytest.mark.parametrize("space_in", list(PACK))
@pytest.mark.parametrize("space_out", list(UNPACK))
def test_a_known_answer_gives_exactly_that_color(tmp_path, space_in, space_out):
    contract = speaking(CONTRACT, space_in, space_out)
    path = constant_model(tmp_path / "m.onnx", tuple(answer_in(space_out)), contract)
    opened = open_colorizer(path)
    luma = np.full((64, 96), LUMA, dtype=np.float32)
    mask = unpack(opened.infer(pack(luma, contract.input)), luma, contract.output)
    assert mask.shape == (64, 96, 2)
    assert np.abs(mask - compute_chroma(RED)[0, 0]).max() < (
        1e-4 if space_out == "lab-ab" else 1e-5
    )


def test_every_space_has_its_range_and_its_number_of_channels():
    assert set(RANGES) == set(UNPACK)
    assert set(CHANNELS) == {*PACK, *UNPACK}
    for space in PACK:
        assert PACK[space](np.zeros((4, 5), np.float32)).shape == (4, 5, CHANNELS[space])


def test_each_channel_has_its_own_scale():
    imagenet = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    shown = InputContract(name="x", space="grey-rgb", size=32, resize="square", **imagenet)
    white = pack(np.ones((32, 32), np.float32), shown)[0, :, 0, 0]
    assert np.allclose(white, (1 - np.array(imagenet["mean"])) / imagenet["std"], atol=1e-6)
    said = OutputContract(name="y", space="rgb", low=0.0, high=1.0, **imagenet)
    answer = ((RED[0, 0] - imagenet["mean"]) / imagenet["std"]).astype(np.float32)
    tensor = np.broadcast_to(answer[None, :, None, None], (1, 3, 4, 4))
    mask = unpack(tensor, np.full((4, 4), LUMA, np.float32), said)
    assert np.abs(mask - compute_chroma(RED)[0, 0]).max() < 1e-5


@pytest.mark.parametrize("space", list(PACK))
def test_scaling_is_that_of_the_contract(space):
    contract = InputContract(
        name="x", space=space, size=32, resize="square", low=0, high=255, mean=127, std=128
    )
    white = pack(np.ones((32, 32), np.float32), contract)
    assert white.shape == (1, 3 if space == "grey-rgb" else 1, 32, 32)
    assert np.allclose(white, 1.0, atol=1e-4)
    assert np.allclose(pack(np.zeros((32, 32), np.float32), contract), -127 / 128, atol=1e-4)


@pytest.mark.parametrize("space", list(UNPACK))
def test_a_smaller_answer_is_taken_at_its_own_size(space):
    contract = speaking(CONTRACT, "luma", space).output
    channels = 3 if space == "rgb" else 2
    tensor = np.zeros((1, channels, 16, 24), dtype=np.float32)
    assert unpack(tensor, np.zeros((32, 48), np.float32), contract).shape == (16, 24, 2)


sides = st.integers(1, 20_000)


@given(sides, sides, st.sampled_from(["square", "short-side", "long-side"]))
def test_working_sizes_fit_the_network_and_the_memory(height, width, resize):
    contract = InputContract(name="x", space="luma", size=256, resize=resize, multiple_of=32)
    tall, wide = contract.compute_working_size(height, width)
    assert tall % 32 == wide % 32 == 0
    assert min(tall, wide) >= 32
    assert max(tall, wide) <= 1024
    if resize == "long-side":
        assert max(tall, wide) == 256


def test_the_working_size_keeps_the_shape_of_a_photograph():
    assert CONTRACT.input.compute_working_size(3000, 4500) == (64, 96)
    assert CONTRACT.input.compute_working_size(4500, 3000) == (96, 64)
