"""Training goes on from a model file as from the checkpoint it was made of."""

from pathlib import Path

import numpy as np
import pytest

from tests.locations import REPOSITORY_ROOT

torch = pytest.importorskip("torch", reason="training needs the train extra")
onnx = pytest.importorskip("onnx", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")
pytest.importorskip("skimage", reason="photographs come with scikit-image")

from archive_colorizer.errors import ModelError, UsageError  # noqa: E402
from archive_colorizer.model.colorizer import open_colorizer  # noqa: E402
from archive_colorizer.model.registry import find_model  # noqa: E402
from archive_colorizer.training.checkpoint import load_checkpoint, restore_network, save_checkpoint  # noqa: E402
from archive_colorizer.training.data.crops import to_planes  # noqa: E402
from archive_colorizer.training.export import export  # noqa: E402
from archive_colorizer.training.export.initial_weights import (  # noqa: E402
    AveragingPartner,
    load_initial_weights,
    settle_norms,
)
from archive_colorizer.training.networks import network  # noqa: E402
from tests.model.networks import constant_model  # noqa: E402
from tests.photographs import photograph  # noqa: E402

DEFAULT = REPOSITORY_ROOT / "models" / "default.onnx"


class Normed(torch.nn.Module):
    """Two filters with norms, one without; `wide` channels."""

    def __init__(self, wide=6):
        super().__init__()
        nn = torch.nn
        self.first = nn.Sequential(
            nn.Conv2d(1, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
        )
        self.second = nn.Conv2d(wide, wide, 1, bias=False)
        self.norm = nn.BatchNorm2d(wide, eps=1e-3)
        self.last = nn.Conv2d(wide, 2, 1)

    def forward(self, luma):
        return 0.3 * torch.tanh(self.last(self.norm(self.second(self.first(luma)))))


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """Norms that have seen something: statistics and scales far from those of a new one."""
    monkeypatch.setitem(network.NETWORKS, "normed", network.NetworkEntry(Normed))
    torch.manual_seed(1)
    made = Normed(wide=5)
    for norm in (made.first[1], made.norm):
        for values, low, high in (
            (norm.weight, 0.5, 2), (norm.bias, -1, 1),
            (norm.running_mean, -1, 1), (norm.running_var, 0.1, 3),
        ):  # fmt: skip
            torch.nn.init.uniform_(values, low, high)
    path = tmp_path / "c.pt"
    save_checkpoint({"network": "normed", "kwargs": {"wide": 5}, "state": made.state_dict()}, path)
    return path


def answers(content, luma):
    with torch.no_grad():
        return restore_network(content, "test")(luma).numpy()


@pytest.fixture
def luma():
    planes = [
        to_planes(np.ascontiguousarray(photograph(n)[:96, 100:228]))[0]
        for n in ("coffee", "chelsea", "astronaut")
    ]
    return torch.from_numpy(np.stack(planes)[:, None])


def test_a_checkpoint_and_its_model_file_are_the_same_start(checkpoint, tmp_path):
    export.export_checkpoint(checkpoint, tmp_path / "m.onnx")
    start, first = load_initial_weights(tmp_path / "m.onnx"), load_initial_weights(checkpoint)
    assert (start["network"], start["kwargs"]) == ("normed", {"wide": 5})
    assert not start["folded"]
    assert start["state"].keys() == first["state"].keys()
    for name, values in first["state"].items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(start["state"][name], values), name


@pytest.mark.parametrize(("weights", "within"), [("fp16", 1e-3), ("int8", 1e-3)])
def test_narrow_weights_start_within_their_rounding(checkpoint, luma, tmp_path, weights, within):
    lost = export.export_checkpoint(checkpoint, tmp_path / "m.onnx", weights=weights)
    assert 0 < lost.mean <= lost.worst
    contract = open_colorizer(tmp_path / "m.onnx", device="cpu").contract
    assert contract.training["weights"] == weights
    start = load_initial_weights(tmp_path / "m.onnx")
    wanted = answers(load_checkpoint(checkpoint), luma)
    np.testing.assert_allclose(answers(start, luma), wanted, atol=within)


@pytest.fixture
def folded(checkpoint, tmp_path, monkeypatch):
    """A file as exports up to 0.1 wrote them."""
    plain = torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", lambda *a, **k: plain(*a, **{**k, "optimize": True}))
    export.export_checkpoint(checkpoint, tmp_path / "folded.onnx")
    ops = {node.op_type for node in onnx.load(tmp_path / "folded.onnx").graph.node}
    assert "BatchNormalization" not in ops
    return tmp_path / "folded.onnx"


def test_a_folded_file_answers_the_same_and_can_be_trained_once_settled(folded, checkpoint, luma):
    start = load_initial_weights(folded)
    assert start["folded"]
    wanted = answers(load_checkpoint(checkpoint), luma)
    np.testing.assert_allclose(answers(start, luma), wanted, atol=1e-5)

    made = restore_network(start, "test").train()
    with torch.no_grad():
        # The trap: batch statistics are not those of a norm that changes nothing.
        assert np.abs(made(luma).numpy() - wanted).max() > 0.01
    made = restore_network(start, "test").train()
    settle_norms(made, luma)
    assert made.training
    with torch.no_grad():
        np.testing.assert_allclose(made(luma).numpy(), wanted, atol=1e-4)
        np.testing.assert_allclose(made.eval()(luma).numpy(), wanted, atol=1e-4)


def test_the_shipped_model_can_be_trained_on():
    start = load_initial_weights(Path("default"))
    assert start["state"].keys() == load_initial_weights(DEFAULT)["state"].keys()
    picture = np.ascontiguousarray(photograph("coffee")[:128, :160])
    small = to_planes(picture)[0][None, None]
    wanted = open_colorizer(DEFAULT, device="cpu").infer(small)
    np.testing.assert_allclose(answers(start, torch.from_numpy(small)), wanted, atol=1e-4)


def test_other_files_are_named_with_what_to_give_instead(checkpoint, tmp_path, monkeypatch):
    def refused(path, why):
        with pytest.raises(ModelError, match=why) as told:
            load_initial_weights(path)
        assert str(path) in str(told.value)

    text = tmp_path / "text.onnx"
    text.write_text("no model at all")
    refused(text, "is no ONNX file; give a model file that archive-colorize export wrote")
    text.write_bytes(b"")
    refused(text, "no contract of this program; give")
    refused(tmp_path / "absent.onnx", "cannot be read")
    refused(tmp_path / "absent", "does not exist; give")
    stranger = constant_model(tmp_path / "stranger.onnx", contract=None)
    refused(stranger, "no contract of this program")
    refused(constant_model(tmp_path / "bare.onnx"), "does not say how it was trained; give")

    made = tmp_path / "m.onnx"
    export.export_checkpoint(checkpoint, made)
    model = onnx.load(made)
    model.graph.initializer[0].dims[:] = [1, *model.graph.initializer[0].dims]
    onnx.save(model, tmp_path / "bent.onnx")
    refused(tmp_path / "bent.onnx", "weights do not fit")
    onnx.save(onnx.load(made), tmp_path / "apart.onnx", save_as_external_data=True,
              size_threshold=0, location="apart.bin")  # fmt: skip
    refused(tmp_path / "apart.onnx", "in another file")
    monkeypatch.delitem(network.NETWORKS, "normed")
    refused(made, "cannot be built here")


def save_uniform(path, name="unet", kwargs=None, value=1.0):
    kwargs = kwargs or {"widths": [4, 8]}
    made = network.build_network(name, kwargs)
    with torch.no_grad():
        for weight in made.parameters():
            weight.fill_(value)
    content = {"network": name, "kwargs": kwargs, "state": made.state_dict()}
    save_checkpoint({**content, "history": [{"ciede2000": 1.0}], "facts": {"photos": 7}}, path)
    return content


def test_the_mean_lies_where_its_share_says_and_forgets_what_was_measured(tmp_path):
    mine = save_uniform(tmp_path / "a.pt", value=1.0)
    save_uniform(tmp_path / "b.pt", value=3.0)
    content = {**mine, "history": [{"ciede2000": 1.0}], "facts": {"photos": 7}}
    mean = AveragingPartner(tmp_path / "b.pt", 0.25).average(content, "a.pt")
    assert torch.all(mean["state"]["last.weight"] == 1.5)
    counted = [name for name in mean["state"] if name.endswith("num_batches_tracked")]
    assert counted and all(mean["state"][name] == 0 for name in counted)
    assert mean["history"] == []
    assert mean["facts"] == {"photos": 7, "averaged_with": {"model": "b.pt", "share": 0.25}}
    assert torch.all(mine["state"]["last.weight"] == 1.0)


def test_a_run_is_averaged_with_the_model_it_began_with(tmp_path):
    theirs = load_initial_weights(find_model("default"))
    state = {
        name: value + 0.5 if name == "last.bias" else value
        for name, value in theirs["state"].items()
    }
    content = {"network": theirs["network"], "kwargs": theirs["kwargs"], "state": state}
    save_checkpoint(content, tmp_path / "run.pt")
    made = tmp_path / "mean.onnx"
    export.export_checkpoint(
        tmp_path / "run.pt",
        made,
        weights="fp16",
        partner=AveragingPartner(find_model("default"), 0.4),
    )
    found = load_initial_weights(made)["state"]["last.bias"]
    assert torch.allclose(found, theirs["state"]["last.bias"] + 0.3, atol=1e-3)
    said = open_colorizer(made).contract.training["averaged_with"]
    assert said == {"model": "default.onnx", "share": 0.4}


def test_other_networks_and_senseless_shares_are_refused(tmp_path):
    mine = save_uniform(tmp_path / "a.pt")
    save_uniform(tmp_path / "b.pt", kwargs={"widths": [4, 8, 8]})
    with pytest.raises(ModelError, match="only equal ones"):
        AveragingPartner(tmp_path / "b.pt").average(mine, "a.pt")
    with pytest.raises(UsageError, match="share must be between 0 and 1"):
        AveragingPartner(tmp_path / "b.pt", 1.0)
