import json

import pytest

from archive_colorizer.cli import run_program
from archive_colorizer.model.registry import list_models
from tests.adoption.foreign import foreign
from tests.model.networks import digest

AB = (14.0, -22.0)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    folder = tmp_path / "shelf"
    monkeypatch.setenv("ARCHIVE_COLORIZER_MODELS", str(folder))
    return folder


def test_an_adopted_network_is_listed_and_restores_by_name(command, shelf, scans):
    theirs = foreign(scans.parent / "ddcolor.onnx", AB, shape=(1, 256, 256))
    adopted = command("models", "adopt", theirs, "--as", "ddcolor")
    assert adopted.returncode == 0, adopted.stderr
    assert "grey-rgb from 0 to 1 ('input', float32, 1 x 3 x 256 x 256)" in adopted.stdout
    assert digest(theirs) in adopted.stdout

    listed = command("models", "list", "--time", "--json")
    models = {one["name"]: one for one in json.loads(listed.stdout)}
    assert models["default"]["shipped"]
    mine = models["ddcolor"]
    assert (mine["family"], mine["licence"], mine["shipped"]) == ("ddcolor", "Apache-2.0", False)
    assert mine["sha256"] == digest(shelf / "ddcolor.onnx")
    assert mine["milliseconds"] > 0

    done = command("run", scans, "--model", "ddcolor", "--executor", "serial", "--json")
    assert json.loads(done.stdout)["done"] == 3, done.stderr


def test_a_halved_model_is_listed_and_restores(command, shelf, scans):
    halved = command("models", "halve", "default")
    assert halved.returncode == 0, halved.stderr
    assert "code values of 8 bits at most" in halved.stdout
    listed = command("models", "list", "--json")
    assert "default-fp16" in {one["name"] for one in json.loads(listed.stdout)}
    done = command("run", scans, "--model", "default-fp16", "--executor", "serial", "--json")
    assert json.loads(done.stdout)["done"] == 3, done.stderr
    again = command("models", "halve", "missing")
    assert again.returncode == 4


def test_two_models_are_merged_by_name_and_a_change_of_the_second_is_noticed(
    command, model, shelf, scans
):
    for size in (128, 160):
        place = shelf / "second.onnx"
        theirs = foreign(scans.parent / "theirs.onnx", AB, shape=(1, size, size))
        adopted = ("models", "adopt", theirs, "--as", "eccv16", "--licence", "mine")
        assert command(*adopted, "--output", place).returncode == 4
        adopted = ("models", "adopt", theirs, "--as", "ddcolor", "--licence", "mine")
        assert command(*adopted, "--output", place).returncode == 0
        merged = ("--model", model, "--merge", "second", "--merge-mode", "luma-masked")
        done = command("run", scans, *merged, "--executor", "serial", "--json")
        summary = json.loads(done.stdout)
        assert (summary["done"], summary["failed"]) == (3, 0), done.stderr
        lines = (scans.parent / "scans-colorized" / "manifest.jsonl").read_text().splitlines()
        run = next(one for one in map(json.loads, reversed(lines)) if "roots" in one)
        assert run["model"] == "constant + second"
        assert run["model_licence"] == "Apache-2.0 + mine"
        assert run["model_sha256"] == f"{digest(model)}+{digest(place)}"
        assert run["recipe"]["merge"] == "second"
    refused = command("run", scans, "--merge", "sceond", "--executor", "serial")
    assert refused.returncode == 4
    assert "second" in refused.stderr


def test_the_table_names_what_is_wrong_with_a_model_and_goes_on(shelf, capsys):
    shelf.mkdir()
    (shelf / "broken.onnx").write_bytes(b"\xff" * 40)
    foreign(shelf / "bare.onnx", AB)
    assert run_program(["models", "list"]) == 0
    said = capsys.readouterr()
    for name in (*list_models(), str(shelf)):
        assert name in said.out
    assert "broken.onnx: not a sound ONNX file" in said.err
    assert "carries no contract" in said.err


def test_options_and_a_contract_file_overrule_the_family(shelf, tmp_path, capsys):
    theirs = foreign(tmp_path / "theirs.onnx", AB)
    wishes = tmp_path / "own.toml"
    wishes.write_text('licence = "CC-BY-4.0"\n[input]\nsize = 320\nresize = "short-side"\n')
    place = tmp_path / "own.onnx"
    arguments = ["models", "adopt", str(theirs), "--as", "ddcolor", "--output", str(place)]
    assert run_program([*arguments, "--contract", str(wishes), "--size", "256"]) == 0
    said = capsys.readouterr().out
    assert "CC-BY-4.0" in said
    assert "tried   at 256 x 256 and 256 x 384, any number of pictures" in said
    wishes.write_text("input = 3\n")
    assert run_program([*arguments, "--contract", str(wishes), "--size", "256"]) == 2
    assert "must be a table" in capsys.readouterr().err
