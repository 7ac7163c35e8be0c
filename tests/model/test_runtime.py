"""One suite that every way to a network passes: each device, and a CPU in a device's stead."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from archive_colorizer.color.resample import shrink
from archive_colorizer.device import DEVICE_KINDS, Device
from archive_colorizer.errors import DeviceError, ModelError, ModelOutputError
from archive_colorizer.model import runtime
from archive_colorizer.model.batching import BATCH_SIZES
from archive_colorizer.model.color_spaces import pack
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.registry import find_model
from tests.model.networks import CONTRACT, constant_model
from tests.photographs import photograph

CPU = Device("cpu")
WAYS = {
    **{kind: lambda path, kind=kind: open_colorizer(path, device=kind) for kind in DEVICE_KINDS},
    "cpu, joined": lambda path: open_colorizer(path, device="cpu").add_batching(BATCH_SIZES[-1]),
    "cpu, bound": lambda path: open_colorizer(path, device="cpu").add_batching(
        BATCH_SIZES[-1], CPU
    ),
}
"""The last two take the way of a graphics card, with a session on the CPU."""

CLOSE = 1e-3
"""Of chroma, whose range is 1."""


@pytest.fixture(params=WAYS)
def way(request, tmp_path):
    def opened(path):
        try:
            return WAYS[request.param](path)
        except DeviceError as error:
            pytest.skip(f"no such device here: {error}")

    return opened


@pytest.fixture(scope="module")
def alone():
    return open_colorizer(find_model("default"), device="cpu")


def shown(names, shape=None):
    """Photographs as the default model sees them: N x 1 x H x W."""
    given = open_colorizer(find_model("default"), device="cpu").contract.input
    packed = []
    for name in names:
        luma = photograph(name).mean(axis=2).astype(np.float32) / 255
        height, width = shape or given.compute_working_size(*luma.shape)
        packed.append(pack(shrink(np.round(luma * 255).astype(np.uint8), height, width), given))
    return packed


def test_it_gives_what_a_cpu_gives(way, alone):
    colorizer = way(find_model("default"))
    for one in shown(["astronaut", "coffee", "rocket"]):
        assert np.abs(colorizer.infer(one) - alone.infer(one)).max() < CLOSE


@pytest.mark.parametrize("count", [2, 3, 5, 17])
def test_a_batch_gives_what_its_pictures_give(way, alone, count):
    batch = np.concatenate(shown(["chelsea", "coffee"], (64, 96)) * count)[:count]
    both = way(find_model("default")).infer(batch)
    single = np.concatenate([alone.infer(one[None]) for one in batch])
    assert np.abs(both - single).max() < CLOSE


def test_threads_at_once_get_their_own(way, alone):
    colorizer = way(find_model("default"))
    pictures = shown(["astronaut", "coffee"], (64, 96)) + shown(["chelsea", "rocket"], (96, 64))
    wanted = [alone.infer(one) for one in pictures]
    with ThreadPoolExecutor(8) as pool:
        for at, made in enumerate(pool.map(colorizer.infer, pictures * 6)):
            assert np.abs(made - wanted[at % len(pictures)]).max() < CLOSE


def test_it_says_where_it_runs(way):
    colorizer = way(find_model("default"))
    assert colorizer.provider == colorizer.session.get_providers()[0]
    assert colorizer.provider in runtime.PROVIDERS.values()


def test_a_contract_of_one_at_a_time_is_kept(way, tmp_path):
    colorizer = way(constant_model(tmp_path / "m.onnx", contract=replace(CONTRACT, max_batch=1)))
    assert np.allclose(colorizer.infer(np.zeros((1, 1, 64, 64), np.float32))[:, 1], 0.15)


def test_what_is_no_color_is_refused(way, tmp_path):
    colorizer = way(constant_model(tmp_path / "m.onnx", (0.0, np.nan)))
    with pytest.raises(ModelOutputError, match="NaN"):
        colorizer.infer(np.zeros((1, 1, 64, 64), np.float32))


def test_one_picture_that_becomes_nan_fails_alone(way, tmp_path):
    """0 times infinity is none."""
    colorizer = way(constant_model(tmp_path / "m.onnx"))
    good, bad = np.zeros((1, 1, 64, 64), np.float32), np.full((1, 1, 64, 64), np.inf, np.float32)
    with ThreadPoolExecutor(8) as pool:
        ends = [pool.submit(colorizer.infer, one) for one in (good, bad) * 8]
    assert [one.exception() is None for one in ends] == [True, False] * 8
    assert {type(one.exception()) for one in ends[1::2]} == {ModelOutputError}


def test_a_shape_that_the_network_cannot_take_is_a_model_error(way, tmp_path):
    colorizer = way(constant_model(tmp_path / "m.onnx"))
    with pytest.raises(ModelError, match="the network failed"):
        colorizer.infer(np.zeros((1, 3, 64, 64), np.float32))


class Short:
    """A session with memory for `room` pictures; beyond, it fails as onnxruntime does."""

    said = (
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while "
        "running Conv node. BFCArena::AllocateRawInternal Failed to allocate memory for "
        "requested buffer of size 939524096"
    )

    def __init__(self, session, room):
        self._session, self.room, self.ran = session, room, []

    def __getattr__(self, name):
        return getattr(self._session, name)

    def run(self, names, given):
        (batch,) = given.values()
        self.ran.append(len(batch))
        if len(batch) > self.room:
            from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

            raise RuntimeException(self.said)
        return self._session.run(names, given)


@pytest.mark.parametrize("room", [3, 1])
def test_short_memory_means_smaller_batches_and_the_same_colors(alone, room):
    short = Short(alone.session, room)
    colorizer = replace(alone, session=short).add_batching(BATCH_SIZES[-1])
    batch = np.concatenate(shown(["chelsea", "coffee"], (64, 96)) * 4)
    for _ in range(2):
        assert np.abs(colorizer.infer(batch) - alone.infer(batch)).max() < CLOSE
    assert short.ran[:3] == [8, 4, 2]
    assert max(short.ran[4:]) <= room


def test_no_memory_for_one_is_a_memory_error(alone):
    colorizer = replace(alone, session=Short(alone.session, 0)).add_batching(BATCH_SIZES[-1])
    with pytest.raises(MemoryError, match="939524096"):
        colorizer.infer(shown(["chelsea"], (64, 96))[0])


class Lost(Short):
    said = (
        "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 700: an illegal memory access was "
        "encountered ; GPU=0 ; hostname=archive ; expr=cudaStreamSynchronize(stream_)"
    )


@pytest.mark.parametrize("ways", [lambda one: one, lambda one: one.add_batching(BATCH_SIZES[-1])])
def test_a_card_that_is_lost_is_no_fault_of_the_model(alone, ways):
    colorizer = ways(replace(alone, session=Lost(alone.session, 0)))
    with pytest.raises(DeviceError, match=r"the device failed .*illegal memory access"):
        colorizer.infer(np.concatenate(shown(["chelsea", "coffee"], (64, 96))))
