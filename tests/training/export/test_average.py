"""Averaging two trainings' weights."""

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
onnx = pytest.importorskip("onnx", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

from archive_colorizer.errors import ModelError, UsageError  # noqa: E402
from archive_colorizer.model.colorizer import open_colorizer  # noqa: E402
from archive_colorizer.model.registry import find_model  # noqa: E402
from archive_colorizer.training.checkpoint import save_checkpoint  # noqa: E402
from archive_colorizer.training.export.average import Other, average_with  # noqa: E402
from archive_colorizer.training.export.export import export_checkpoint  # noqa: E402
from archive_colorizer.training.export.initial_weights import load_initial  # noqa: E402
from archive_colorizer.training.networks.network import build_network  # noqa: E402


def checkpoint(path, network="unet", kwargs=None, value=1.0):
    kwargs = kwargs or {"widths": [4, 8]}
    made = build_network(network, kwargs)
    with torch.no_grad():
        for weight in made.parameters():
            weight.fill_(value)
    content = {"network": network, "kwargs": kwargs, "state": made.state_dict()}
    save_checkpoint({**content, "history": [{"ciede2000": 1.0}], "facts": {"photos": 7}}, path)
    return content


def test_the_mean_lies_where_its_share_says_and_forgets_what_was_measured(tmp_path):
    mine = checkpoint(tmp_path / "a.pt", value=1.0)
    checkpoint(tmp_path / "b.pt", value=3.0)
    content = {**mine, "history": [{"ciede2000": 1.0}], "facts": {"photos": 7}}
    mean = average_with(content, Other(tmp_path / "b.pt", 0.25), "a.pt")
    assert torch.all(mean["state"]["last.weight"] == 1.5)
    counted = [name for name in mean["state"] if name.endswith("num_batches_tracked")]
    assert counted and all(mean["state"][name] == 0 for name in counted)
    assert mean["history"] == []
    assert mean["facts"] == {"photos": 7, "averaged_with": {"model": "b.pt", "share": 0.25}}
    assert torch.all(mine["state"]["last.weight"] == 1.0)


def test_a_run_is_averaged_with_the_model_it_began_with(tmp_path):
    theirs = load_initial(find_model("default"))
    state = {
        name: value + 0.5 if name == "last.bias" else value
        for name, value in theirs["state"].items()
    }
    content = {"network": theirs["network"], "kwargs": theirs["kwargs"], "state": state}
    save_checkpoint(content, tmp_path / "run.pt")
    made = tmp_path / "mean.onnx"
    export_checkpoint(
        tmp_path / "run.pt", made, weights="fp16", average=Other(find_model("default"), 0.4)
    )
    found = load_initial(made)["state"]["last.bias"]
    assert torch.allclose(found, theirs["state"]["last.bias"] + 0.3, atol=1e-3)
    said = open_colorizer(made).contract.training["averaged_with"]
    assert said == {"model": "default.onnx", "share": 0.4}


def test_other_networks_and_senseless_shares_are_refused(tmp_path):
    mine = checkpoint(tmp_path / "a.pt")
    checkpoint(tmp_path / "b.pt", kwargs={"widths": [4, 8, 8]})
    with pytest.raises(ModelError, match="only equal ones"):
        average_with(mine, Other(tmp_path / "b.pt"), "a.pt")
    with pytest.raises(UsageError, match="share must be between 0 and 1"):
        Other(tmp_path / "b.pt", 1.0)
