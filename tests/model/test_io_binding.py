"""Memory of the device: that it is used where it serves, and left where it does not."""

import numpy as np
import pytest

from archive_colorizer.device import Device
from archive_colorizer.errors import ModelError
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.io_binding import BoundSession
from tests.model.networks import constant_model

BATCH = np.zeros((2, 1, 32, 64), dtype=np.float32)


class Binding:
    """A session that counts how it is asked, and binds as its `way` says."""

    def __init__(self, session, way="sound"):
        self._session, self.way, self.bound = session, way, 0

    def __getattr__(self, name):
        return getattr(self._session, name)

    def run_with_iobinding(self, binding):
        self.bound += 1
        if self.way == "refuses":
            raise RuntimeError("Can't allocate memory on the CUDA device using this package")
        if self.way == "full":
            raise RuntimeError("CUDA failure 2: out of memory")
        self._session.run_with_iobinding(binding)

    def io_binding(self):
        binding = self._session.io_binding()
        if self.way == "wrong":
            made = binding.copy_outputs_to_cpu
            binding.copy_outputs_to_cpu = lambda: [one + 0.1 for one in made()]
        return binding


@pytest.fixture
def opened(tmp_path):
    return open_colorizer(constant_model(tmp_path / "m.onnx"), device="cpu")


def bound(opened, way):
    session = Binding(opened.session, way)
    return session, BoundSession(session, opened.contract, Device("cpu"), opened.run)


def test_a_device_that_binds_is_bound(opened):
    session, network = bound(opened, "sound")
    for count in range(1, 5):
        assert np.allclose(network(BATCH)[:, 1], 0.15)
        assert session.bound == count
    changed = np.ones((3, 1, 64, 32), dtype=np.float32)
    assert network(changed).shape == (3, 2, 64, 32)


@pytest.mark.parametrize("way", ["refuses", "wrong"])
def test_one_that_does_not_or_answers_otherwise_is_asked_the_plain_way(opened, way):
    session, network = bound(opened, way)
    for _ in range(3):
        assert np.allclose(network(BATCH)[:, 1], 0.15)
    assert session.bound == 1


def test_a_picture_that_becomes_nan_says_nothing_of_the_device(opened):
    _, network = bound(opened, "sound")
    assert not np.isfinite(network(np.full_like(BATCH, np.inf))).all()
    assert network.binds is None
    network(BATCH)
    assert network.binds


def test_short_memory_is_no_reason_to_give_it_up(opened):
    session, network = bound(opened, "full")
    with pytest.raises(MemoryError):
        network(BATCH)
    session.way = "sound"
    network(BATCH)
    network(BATCH)
    assert session.bound == 3


def test_memory_is_kept_for_few_shapes_only(opened):
    _, network = bound(opened, "sound")
    for width in range(1, 60):
        assert network(np.zeros((1, 1, 8, width), np.float32)).shape[3] == width
    assert len(network._memories) <= 16


def test_what_fails_later_is_told(opened):
    session, network = bound(opened, "sound")
    network(BATCH)
    session.way = "refuses"
    with pytest.raises(ModelError, match="the network failed"):
        network(BATCH)
