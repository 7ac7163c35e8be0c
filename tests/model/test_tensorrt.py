"""The options of TensorRT; its engines themselves need a card, see test_runtime."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.device import Device
from archive_colorizer.errors import DeviceError
from archive_colorizer.model import tensorrt as engines
from archive_colorizer.model.batching import BATCH_SIZES
from archive_colorizer.model.tensorrt import (
    build_profile,
    compute_max_batch,
    open_engine,
)
from tests.model.networks import CONTRACT, constant_model

SIDES = st.integers(1, 60_000)


def contract(resize, size=256, **more):
    step = more.pop("multiple_of", 32)
    given_ = replace(CONTRACT.input, resize=resize, size=size, multiple_of=step)
    return replace(CONTRACT, input=given_, **more)


def shape(options, which):
    name, _, sizes = options[f"trt_profile_{which}_shapes"].partition(":")
    assert name == CONTRACT.input.name
    return tuple(map(int, sizes.split("x")))


@given(
    SIDES,
    SIDES,
    st.sampled_from(["square", "short-side", "long-side"]),
    st.integers(32, 700),
    st.sampled_from([1, 8, 32]),
)
def test_every_picture_fits_into_the_engine(height, width, resize, size, step):
    chosen = contract(resize, size, multiple_of=step)
    options = build_profile(chosen)
    seen = chosen.input.compute_working_size(height, width)
    least, opt, most = (shape(options, which) for which in ("min", "opt", "max"))
    assert all(a <= b <= c for a, b, c in zip(least, opt, most, strict=True))
    assert all(a <= b <= c for a, b, c in zip(least[2:], seen, most[2:], strict=True))
    assert (least[0], most[0]) == (1, compute_max_batch(chosen))


def test_shapes_that_differ_little_come_in_larger_batches():
    assert compute_max_batch(contract("square")) == BATCH_SIZES[-1]
    assert compute_max_batch(contract("short-side")) == 4
    assert compute_max_batch(contract("square", max_batch=1)) == 1
    fixed = build_profile(contract("square", max_batch=1))
    assert len(set(fixed.values())) == 1


class Sessions:
    """Stands for onnxruntime: refuses engines that are in the folder already, where `stale`."""

    def __init__(self, stale=False, broken=False):
        self.stale, self.broken = stale, broken
        self.given = []

    def __call__(self, _data, _origin, device, _threads, **options):
        self.given.append(options)
        folder = Path(options["trt_engine_cache_path"])
        if self.broken or (self.stale and any(folder.iterdir())):
            raise DeviceError(f"--device {device}: no engine")
        (folder / "built.engine").touch()
        return "session"


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return constant_model(tmp_path / "m.onnx").read_bytes()


def engine_folder(data, monkeypatch):
    sessions = Sessions()
    monkeypatch.setattr(engines, "open_session", sessions)
    open_engine(data, "model m", Device("tensorrt"), 1, 0)
    return Path(sessions.given[-1]["trt_engine_cache_path"])


def test_another_model_or_version_has_another_folder(model, monkeypatch, tmp_path):
    one = engine_folder(model, monkeypatch)
    assert one.is_relative_to(tmp_path / "cache")
    other = constant_model(tmp_path / "other.onnx", (0.1, 0.2)).read_bytes()
    assert one != engine_folder(other, monkeypatch)
    assert one == engine_folder(model, monkeypatch)
    monkeypatch.setattr(engines.metadata, "version", lambda _: "99.9")
    assert engine_folder(model, monkeypatch) != one
    assert engine_folder(model, monkeypatch).name.endswith("99.9")


def test_an_engine_is_kept_where_only_its_owner_can_write(model, monkeypatch):
    sessions = Sessions()
    monkeypatch.setattr(engines, "open_session", sessions)
    assert open_engine(model, "model m", Device("tensorrt"), 1, 0) == "session"
    folder = Path(sessions.given[0]["trt_engine_cache_path"])
    assert folder == engine_folder(model, monkeypatch)
    assert shape(sessions.given[0], "max") == (4, 1, 256, 256)
    assert not stat.S_IMODE(folder.stat().st_mode) & 0o022


def test_an_engine_is_made_for_the_working_size(model, monkeypatch):
    sessions = Sessions()
    monkeypatch.setattr(engines, "open_session", sessions)
    open_engine(model, "model m", Device("tensorrt"), 1, 500)
    assert shape(sessions.given[0], "max") == (4, 1, 2048, 2048)


def test_an_engine_that_does_not_open_is_built_anew_once(model, monkeypatch):
    monkeypatch.setattr(engines, "open_session", Sessions())
    open_engine(model, "model m", Device("tensorrt"), 1, 0)
    again = Sessions(stale=True)
    monkeypatch.setattr(engines, "open_session", again)
    assert open_engine(model, "model m", Device("tensorrt"), 1, 0) == "session"
    assert len(again.given) == 2
    broken = Sessions(broken=True)
    monkeypatch.setattr(engines, "open_session", broken)
    with pytest.raises(DeviceError):
        open_engine(model, "model m", Device("tensorrt"), 1, 0)
    assert len(broken.given) == 2


def test_a_cache_that_cannot_be_written_is_named(model, monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DeviceError, match="XDG_CACHE_HOME"):
        open_engine(model, "model m", Device("tensorrt"), 1, 0)
