import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.color.space import chroma_of, lab_of
from archive_colorizer.model.adapt import PACK, UNPACK, pack, unpack, working_size
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.contract import InputContract
from tests.model.networks import CONTRACT, constant_model, speaking

RED = np.array([[[0.7, 0.25, 0.2]]], dtype=np.float32)
LUMA = float(RED[0, 0] @ np.array([0.299, 0.587, 0.114]))


def answer_in(space):
    """What a network must say in a space so that the picture becomes RED."""
    if space == "cbcr":
        return chroma_of(RED)[0, 0]
    return RED[0, 0] if space == "rgb" else lab_of(RED)[0, 0, 1:]


@pytest.mark.parametrize("space_in", list(PACK))
@pytest.mark.parametrize("space_out", list(UNPACK))
def test_a_known_answer_gives_exactly_that_color(tmp_path, space_in, space_out):
    contract = speaking(CONTRACT, space_in, space_out)
    path = constant_model(tmp_path / "m.onnx", tuple(answer_in(space_out)), contract)
    opened = open_colorizer(path)
    luma = np.full((64, 96), LUMA, dtype=np.float32)
    mask = unpack(opened.infer(pack(luma, contract.input)), luma, contract.output)
    assert mask.shape == (64, 96, 2)
    # L of the neutral luma differs a little from L of the color, so lab comes near, not exactly.
    assert np.abs(mask - chroma_of(RED)[0, 0]).max() < (0.02 if space_out == "lab-ab" else 1e-5)


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
    tall, wide = working_size(contract, height, width)
    assert tall % 32 == wide % 32 == 0
    assert min(tall, wide) >= 32
    assert max(tall, wide) <= 1024
    if resize == "long-side":
        assert max(tall, wide) == 256


def test_the_working_size_keeps_the_shape_of_a_photograph():
    assert working_size(CONTRACT.input, 3000, 4500) == (64, 96)
    assert working_size(CONTRACT.input, 4500, 3000) == (96, 64)
