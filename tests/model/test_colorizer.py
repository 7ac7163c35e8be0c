import math
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from archive_colorizer.errors import DeviceError, ModelError, ModelOutputError, UsageError
from archive_colorizer.model import colorizer, runtime
from archive_colorizer.model.colorizer import CPU, hash_model, open_colorizer, read_model
from archive_colorizer.model.contract import METADATA_KEY
from tests.model.networks import CONTRACT, constant_model, digest

BATCH = np.zeros((2, 1, 32, 64), dtype=np.float32)


def test_a_session_answers_and_says_where_it_ran(tmp_path):
    opened = open_colorizer(constant_model(tmp_path / "m.onnx"), device="cpu")
    assert opened.provider == CPU
    assert opened.contract == CONTRACT
    assert np.allclose(opened.infer(BATCH)[:, 1], 0.15)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_are_refused(tmp_path, bad):
    opened = open_colorizer(constant_model(tmp_path / "m.onnx", (0.0, bad)))
    with pytest.raises(ModelOutputError, match="NaN"):
        opened.infer(BATCH)


def test_an_output_that_breaks_the_contract_is_refused(tmp_path):
    opened = open_colorizer(constant_model(tmp_path / "m.onnx", (0.0, 0.1, 0.2)))
    with pytest.raises(ModelError, match="promises"):
        opened.infer(BATCH)


def test_an_input_that_the_network_cannot_take_is_a_model_error(tmp_path):
    opened = open_colorizer(constant_model(tmp_path / "m.onnx"))
    with pytest.raises(ModelError, match="the network failed"):
        opened.infer(np.zeros((1, 3, 32, 32), dtype=np.float32))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ONNX"),
        (b"<html>404</html>", "ONNX"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs"),
        (bytes(range(256)) * 9, "ONNX"),
    ],
)
def test_what_is_no_model_is_named(tmp_path, content, said):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said) as caught:
        open_colorizer(path)
    assert "bad.onnx" in str(caught.value)


def test_a_cut_model_and_a_missing_one_are_refused(tmp_path):
    whole = constant_model(tmp_path / "m.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    for name in ("cut.onnx", "missing.onnx"):
        with pytest.raises(ModelError, match=name):
            open_colorizer(tmp_path / name)


def test_no_contract_no_guess(tmp_path):
    path = constant_model(tmp_path / "m.onnx", contract=None)
    with pytest.raises(ModelError, match="carries no contract"):
        open_colorizer(path)


def test_a_contract_that_names_other_tensors_is_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(constant_model(tmp_path / "m.onnx"))
    other = replace(CONTRACT, input=replace(CONTRACT.input, name="picture"))
    onnx.helper.set_model_props(model, {METADATA_KEY: other.to_json()})
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="picture"):
        open_colorizer(tmp_path / "other.onnx")


def test_external_data_is_never_read(tmp_path):
    onnx = pytest.importorskip("onnx")
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    model = onnx.load(constant_model(tmp_path / "m.onnx"))
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "secret.bin"), ("offset", "0"), ("length", "8")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    (tmp_path / "far.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="ONNX"):
        open_colorizer(tmp_path / "far.onnx")


def test_a_model_that_changed_since_the_run_began_is_refused(tmp_path):
    path = constant_model(tmp_path / "m.onnx")
    assert hash_model(path) == digest(path)
    open_colorizer(path, sha256=digest(path))
    with pytest.raises(ModelError, match="changed"):
        open_colorizer(path, sha256="0" * 64)


def test_a_session_tells_nobody_and_leaves_nothing_in_the_home(tmp_path):
    model = constant_model(tmp_path / "m.onnx")
    home = tmp_path / "home"
    home.mkdir()
    said = (
        "from pathlib import Path; from archive_colorizer.model.colorizer import open_colorizer; "
        f"open_colorizer(Path({str(model)!r}), device='cpu')"
    )
    unset = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    subprocess.run([sys.executable, "-c", said], env=environment | {"HOME": str(home)}, check=True)
    assert not list(home.rglob("*"))


def test_cuda_or_nothing(tmp_path):
    path = constant_model(tmp_path / "m.onnx")
    if runtime.probe_providers(read_model(path)).get(colorizer.CUDA):
        pytest.skip("this machine has CUDA")
    with pytest.raises(DeviceError, match=r"--device cuda: .*(driver|CUDA)"):
        open_colorizer(path, device="cuda")
    assert open_colorizer(path, device="auto").provider == CPU


def test_a_working_size_is_rounded_to_what_the_network_takes(tmp_path):
    opened = open_colorizer(constant_model(tmp_path / "m.onnx"), device="cpu")
    assert opened.resize_input(0) is opened
    assert [opened.resize_input(size).contract.input.size for size in (1, 100, 512)] == [
        32,
        96,
        512,
    ]


def test_a_working_size_that_the_file_fixes_is_refused(tmp_path):
    path = constant_model(tmp_path / "free.onnx")
    onnx = pytest.importorskip("onnx")
    model = onnx.load(path)
    for axis, size in ((2, 64), (3, 64)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = size
    onnx.save(model, tmp_path / "fixed.onnx")
    opened = open_colorizer(tmp_path / "fixed.onnx", device="cpu")
    assert opened.resize_input(64).contract.input.size == 64
    with pytest.raises(UsageError, match="model constant takes pictures of 64 x 64 only"):
        opened.resize_input(128)


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "tensorrt", "auto"])
def test_what_is_missing_beside_a_driver_is_told_by_the_error_alone(
    tmp_path, monkeypatch, capfd, device
):
    path = constant_model(tmp_path / "m.onnx")
    if runtime.probe_providers(read_model(path)).get(colorizer.CUDA):
        pytest.skip("this machine has CUDA")
    monkeypatch.setattr(runtime, "has_driver", lambda: True)
    monkeypatch.setattr(colorizer, "has_driver", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if device == "auto":
        assert open_colorizer(path, device=device).provider == CPU
    else:
        with pytest.raises(DeviceError) as caught:
            open_colorizer(path, device=device)
        wanted = {"cuda": r"\[cuda\]", "cuda:7": "2 NVIDIA cards", "tensorrt": r"\[tensorrt\]"}
        assert re.search(wanted[device], str(caught.value))
        assert str(caught.value).startswith(f"--device {device}: ")
    assert capfd.readouterr() == ("", "")


def test_no_device_is_blamed_for_a_bad_model(tmp_path, monkeypatch):
    (tmp_path / "bad.onnx").write_bytes(bytes(range(256)))
    with pytest.raises((ModelError, DeviceError)) as caught:
        open_colorizer(tmp_path / "bad.onnx", device="cuda")
    if colorizer.CUDA in runtime.list_providers():
        assert caught.type is ModelError
