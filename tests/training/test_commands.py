"""`train` and `export` as a user has them."""

import sys

import pytest
from click.testing import CliRunner

from archive_colorizer.cli.commands import export as export_command
from archive_colorizer.cli.commands import train as train_command
from archive_colorizer.errors import DependencyError, ModelError, UsageError

RECIPE = """
network = "unet"
network_kwargs = { widths = [4, 8, 8] }
crops = 4
validation_share = 0.0
phases = [{ share = 1.0, size = 32, batch = 2 }]
"""


def call(command, *arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.mark.parametrize("module", [train_command, export_command])
def test_help_answers_without_torch(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    told = call(module.command, "--help")
    assert told.exit_code == 0
    assert "--output" in told.output


def test_without_torch_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(train_command.importlib.util, "find_spec", lambda name: None)
    for command, arguments in (
        (train_command.command, ["--data", tmp_path, "--output", tmp_path / "run"]),
        (export_command.command, [tmp_path / "c.pt", "--output", tmp_path / "m.onnx"]),
    ):
        with pytest.raises(DependencyError, match=r"archive-colorizer\[train\]"):
            call(command, *arguments)


def test_the_default_network_starts_from_the_default_model(tar, tmp_path):
    pytest.importorskip("onnxscript", reason="export needs the train extra")
    recipe, run = tmp_path / "r.toml", tmp_path / "run"
    recipe.write_text(
        "crops = 4\nrate = 1e-6\nworking_size = 64\nvalidation_share = 0.5\n"
        "phases = [{ share = 1.0, size = 64, batch = 4 }]\n"
    )
    told = call(train_command.command, "--data", tar, "--output", run, "--recipe", recipe)
    assert "starts from the model default" in told.output
    assert "0 crops: CIEDE2000" in told.output
    last = told.output.splitlines()[-1]
    assert "than grey" in last
    assert "than at the start" in last
    fresh = tmp_path / "fresh"
    words = ["--data", tar, "--output", fresh, "--recipe", recipe, "--init", "none"]
    told = call(train_command.command, *words, "--encoder-weights", "none")
    assert "starts from" not in told.output
    assert "at the start" not in told.output.splitlines()[-1]


def test_a_model_worse_than_grey_is_exported_only_on_request(tar, tmp_path):
    pytest.importorskip("onnxscript", reason="export needs the train extra")
    recipe, run = tmp_path / "r.toml", tmp_path / "run"
    recipe.write_text(RECIPE.replace("share = 0.0", "share = 0.5") + "rate = 5.0\nema = 0.0\n")
    told = call(train_command.command, "--data", tar, "--output", run, "--recipe", recipe)
    assert "worse than grey" in told.output.splitlines()[-1]
    model = tmp_path / "m.onnx"
    with pytest.raises(ModelError, match=r"worse than grey.*--anyway"):
        call(export_command.command, run, "--output", model)
    assert not model.exists()
    assert call(export_command.command, run, "--output", model, "--anyway").exit_code == 0
    assert model.exists()


def test_train_resume_init_and_export(tar, tmp_path):
    pytest.importorskip("torch", reason="training needs the train extra")
    pytest.importorskip("onnxscript", reason="export needs the train extra")
    recipe, run = tmp_path / "r.toml", tmp_path / "run"
    recipe.write_text(RECIPE)
    told = call(train_command.command, "--data", tar, "--output", run, "--recipe", recipe)
    assert told.exit_code == 0
    assert "12 photos" in told.output
    assert f"export {run / 'checkpoint.pt'}" in told.output

    again = ["--data", tar, "--output", run]
    with pytest.raises(UsageError, match="--resume"):
        call(train_command.command, *again, "--recipe", recipe)
    # The run's own recipe is used again; only its length is changed.
    told = call(train_command.command, *again, "--resume", "--crops", 6)
    assert "4 crops seen before" in told.output
    other = ["--data", tar, "--output", tmp_path / "other", "--recipe", recipe]
    with pytest.raises(UsageError, match="exclude"):
        call(train_command.command, *other, "--resume", "--init", run)
    with pytest.raises(UsageError, match="does not exist"):
        call(train_command.command, *other, "--resume")
    told = call(train_command.command, *other, "--init", run / "checkpoint.pt", "--seed", 4)
    assert "0 crops seen before" in told.output

    model = tmp_path / "mine.onnx"
    told = call(export_command.command, run, "--output", model, "--size", 64)
    assert told.exit_code == 0
    assert "is written" in told.output
    assert model.stat().st_size > 1000
