"""What an export refuses and what settings do; the conformance suite holds the files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
onnx = pytest.importorskip("onnx", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")
pytest.importorskip("skimage", reason="photographs come with scikit-image")

from archive_colorizer.errors import ModelError, OutputError, UsageError  # noqa: E402
from archive_colorizer.model.colorizer import open_colorizer  # noqa: E402
from archive_colorizer.model.onnx_metadata import check_seal  # noqa: E402
from archive_colorizer.training.checkpoint import (  # noqa: E402
    load_checkpoint,
    restore_network,
    save_checkpoint,
)
from archive_colorizer.training.config import Phase  # noqa: E402
from archive_colorizer.training.export import export  # noqa: E402
from archive_colorizer.training.loop import train  # noqa: E402
from archive_colorizer.training.networks import network  # noqa: E402


class TwoFaced(torch.nn.Module):
    """A network that is another one while it is being exported."""

    def __init__(self):
        super().__init__()
        self.last = torch.nn.Conv2d(1, 2, 1)

    def forward(self, luma):
        chroma = self.last(luma) * 0.1
        return chroma + 0.002 if torch.compiler.is_exporting() else chroma


def checkpoint_of(made, name, path):
    content = {"network": name, "kwargs": {}, "state": made.state_dict()}
    save_checkpoint(content, path)
    return path


def test_a_file_that_differs_from_its_network_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(network.NETWORKS, "two-faced", network.NetworkEntry(TwoFaced))
    checkpoint = checkpoint_of(TwoFaced(), "two-faced", tmp_path / "c.pt")
    with pytest.raises(ModelError, match=r"differs from PyTorch by 0\.00[12]"):
        export.export_checkpoint(checkpoint, tmp_path / "out" / "model.onnx")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def small(tmp_path, monkeypatch):
    class Small(TwoFaced):
        def forward(self, luma):
            return self.last(luma) * 0.1

    monkeypatch.setitem(network.NETWORKS, "small", network.NetworkEntry(Small))
    return checkpoint_of(Small(), "small", tmp_path / "c.pt")


def test_an_earlier_file_is_replaced_whole_and_settings_reach_the_contract(small, tmp_path):
    target = tmp_path / "model.onnx"
    target.write_bytes(b"an earlier one")
    export.export_checkpoint(small, target, {"working_size": 192, "data_sheet": "mine"})
    contract = open_colorizer(target, device="cpu").contract
    assert contract.input.size == 192
    assert contract.training["data_sheet"] == "mine"


def test_a_file_is_sealed_as_it_stands(small, tmp_path):
    export.export_checkpoint(small, tmp_path / "model.onnx")
    assert check_seal((tmp_path / "model.onnx").read_bytes(), "model.onnx")


def test_a_file_that_is_too_large_is_refused(small, tmp_path):
    with pytest.raises(ModelError, match="the limit is 0"):
        export.export_checkpoint(small, tmp_path / "model.onnx", max_mib=0)
    assert not (tmp_path / "model.onnx").exists()


def test_weights_that_lose_too_much_are_refused(small, tmp_path, monkeypatch):
    strict = replace(export.STORAGES["fp16"], worst=1e-9)
    monkeypatch.setitem(export.STORAGES, "fp16", strict)
    with pytest.raises(ModelError, match="more precision; give --weights fp32"):
        export.export_checkpoint(small, tmp_path / "m.onnx", weights="fp16")
    assert not (tmp_path / "m.onnx").exists()
    with pytest.raises(UsageError, match="known are fp32, fp16, int8"):
        export.export_checkpoint(small, tmp_path / "m.onnx", weights="fp8")


def test_bad_settings_and_places_are_named(small, tmp_path):
    with pytest.raises(UsageError, match="working_size"):
        export.export_checkpoint(small, tmp_path / "m.onnx", {"working_size": 100})
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        export.export_checkpoint(small, tmp_path / "file" / "m.onnx")


def test_doubt_becomes_an_output_of_its_own(photos, tiny, tmp_path):
    """From a shipped model without the head: trained in two views, exported, and opened."""
    recipe = replace(
        tiny, network="mobile-unet", network_kwargs={"confidence": True}, objective="aligned",
        consistency_weight=0.5, phases=(Phase(share=1.0, size=64, batch=4),), rate=1e-3,
    )  # fmt: skip
    checkpoint = train(photos, recipe, tmp_path / "run", start=Path("default"))
    export.export_checkpoint(checkpoint, tmp_path / "model.onnx")
    opened = open_colorizer(tmp_path / "model.onnx", device="cpu")
    assert opened.contract.output.doubt == "doubt"
    luma = np.random.default_rng(1).random((2, 1, 64, 96), dtype=np.float32)
    assert opened.infer(luma).shape == (2, 2, 64, 96)
    color, doubt = opened.session.run(["cbcr", "doubt"], {"luma": luma})
    np.testing.assert_allclose(color, opened.infer(luma), atol=1e-6)
    assert doubt.shape == (2, 1, 64, 96)
    trained = restore_network(load_checkpoint(checkpoint), "test")
    with torch.no_grad():
        expected = trained(torch.from_numpy(luma))[:, 2:].exp().numpy()
    np.testing.assert_allclose(doubt, expected, rtol=0.02)


def test_a_contract_without_doubt_has_no_key_for_it(small, tmp_path):
    export.export_checkpoint(small, tmp_path / "model.onnx")
    contract = open_colorizer(tmp_path / "model.onnx", device="cpu").contract
    assert contract.output.doubt == ""
    assert "doubt" not in contract.to_json()
