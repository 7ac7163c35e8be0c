"""What every network of the table must be able to do: learn, be exported, and be the same."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
onnx = pytest.importorskip("onnx", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")
pytest.importorskip("skimage", reason="photographs come with scikit-image")

from archive_colorizer.errors import ModelError, OutputError, UsageError  # noqa: E402
from archive_colorizer.model.colorizer import open_colorizer  # noqa: E402
from archive_colorizer.training import export, loop, network  # noqa: E402
from archive_colorizer.training.checkpoint import (  # noqa: E402
    load_checkpoint,
    restore_network,
    save_checkpoint,
)
from archive_colorizer.training.data import to_planes  # noqa: E402
from tests.photographs import photograph  # noqa: E402


@pytest.fixture(scope="module", params=sorted(network.NETWORKS))
def exported(request, photos, tiny, tmp_path_factory):
    """(checkpoint, model file) of each network after three steps at its own default size."""
    folder = tmp_path_factory.mktemp(request.param)
    recipe = replace(
        tiny, network=request.param, network_kwargs={}, encoder_weights="none",
        crops=6, phases=tiny.phases[1:], validation_share=0.0, data_sheet="tests, version 1",
    )  # fmt: skip
    checkpoint = loop.train(photos, recipe, folder)
    before = network.build_network(request.param).state_dict()
    assert load_checkpoint(checkpoint)["steps"] == 3
    assert before.keys() == load_checkpoint(checkpoint)["state"].keys()
    assert export.export_checkpoint(checkpoint, folder / "made.onnx") <= export.TOLERANCE
    return checkpoint, folder / "made.onnx"


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (3, 1, 256, 352), (2, 1, 64, 160)])
def test_the_model_file_gives_what_the_network_gives_at_any_size(exported, shape):
    checkpoint, path = exported
    trained = restore_network(load_checkpoint(checkpoint), "test")
    luma = np.random.default_rng(3).random(shape, dtype=np.float32)
    made = open_colorizer(path, device="cpu").infer(luma)
    with torch.no_grad():
        wanted = trained(torch.from_numpy(luma)).numpy()
    assert made.shape == (shape[0], 2, *shape[2:])
    np.testing.assert_allclose(made, wanted, atol=1e-3)
    # Not by both being flat: the output follows the picture.
    assert np.ptp(made) > 1e-4


def test_pictures_in_a_batch_do_not_see_one_another(exported):
    luma, _ = to_planes(np.ascontiguousarray(photograph("coffee")[:96, :128]))
    batch = np.stack([luma, luma[::-1], np.zeros_like(luma)])[:, None]
    colorizer = open_colorizer(exported[1], device="cpu")
    single = colorizer.infer(batch[:1])
    np.testing.assert_allclose(colorizer.infer(batch)[:1], single, atol=1e-5)


def test_the_contract_says_what_the_file_is(exported):
    checkpoint, path = exported
    contract = open_colorizer(path, device="cpu").contract
    content = load_checkpoint(checkpoint)
    assert contract.family == content["network"]
    assert contract.name == "made"
    assert contract.licence == "Apache-2.0"
    assert (contract.input.space, contract.input.resize) == ("luma", "short-side")
    assert (contract.input.size, contract.input.multiple_of) == (256, 32)
    assert (contract.output.space, contract.output.low, contract.output.high) == (
        "cbcr", -0.5, 0.5,
    )  # fmt: skip
    facts = contract.training
    assert facts["data_sheet"] == "tests, version 1"
    assert facts["sources"] == {"free": 12}
    assert (facts["crops"], facts["seed"]) == (6, 1)
    assert facts["recipe"]["network"] == content["network"]


def test_the_file_stands_alone_and_tells_nothing_of_this_machine(exported):
    path = exported[1]
    model = onnx.load(str(path), load_external_data=False)
    onnx.checker.check_model(model)
    assert {one.domain: one.version for one in model.opset_import} == {"": 18}
    assert all(one.data_location == onnx.TensorProto.DEFAULT for one in model.graph.initializer)
    assert path.stat().st_size <= 25 * 2**20
    assert sorted(p.name for p in path.parent.glob("*made*")) == ["made.onnx"]
    data = path.read_bytes()
    for words in (b".py", b"/work", b"site-packages", str(path.parent).encode()):
        assert words not in data


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
    monkeypatch.setitem(network.NETWORKS, "two-faced", TwoFaced)
    checkpoint = checkpoint_of(TwoFaced(), "two-faced", tmp_path / "c.pt")
    with pytest.raises(ModelError, match=r"differs from PyTorch by 0\.00[12]"):
        export.export_checkpoint(checkpoint, tmp_path / "out" / "model.onnx")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def small(tmp_path, monkeypatch):
    class Small(TwoFaced):
        def forward(self, luma):
            return self.last(luma) * 0.1

    monkeypatch.setitem(network.NETWORKS, "small", Small)
    return checkpoint_of(Small(), "small", tmp_path / "c.pt")


def test_an_earlier_file_is_replaced_whole_and_settings_reach_the_contract(small, tmp_path):
    target = tmp_path / "model.onnx"
    target.write_bytes(b"an earlier one")
    export.export_checkpoint(small, target, {"working_size": 192, "data_sheet": "mine"})
    contract = open_colorizer(target, device="cpu").contract
    assert contract.input.size == 192
    assert contract.training["data_sheet"] == "mine"


def test_a_file_that_is_too_large_is_refused(small, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_LARGEST_FILE", 100)
    with pytest.raises(ModelError, match="the limit is"):
        export.export_checkpoint(small, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_bad_settings_and_places_are_named(small, tmp_path):
    with pytest.raises(UsageError, match="working_size"):
        export.export_checkpoint(small, tmp_path / "m.onnx", {"working_size": 100})
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        export.export_checkpoint(small, tmp_path / "file" / "m.onnx")
