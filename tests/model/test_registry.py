import hashlib

import pytest

from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.model.onnx_metadata import check_seal
from archive_colorizer.model.registry import (
    find_model,
    get_adopted_folder,
    get_adopted_path,
    list_models,
    list_shipped_models,
)


def test_a_file_is_found_by_its_path(tmp_path, monkeypatch):
    (tmp_path / "mine.onnx").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert find_model("mine.onnx") == tmp_path / "mine.onnx"
    assert find_model(str(tmp_path / "mine.onnx")) == tmp_path / "mine.onnx"


def test_the_default_model_is_at_hand():
    assert find_model("default") == list_models()["default"]


@pytest.mark.parametrize("name", sorted(list_shipped_models()))
def test_shipped_models_are_sealed_and_are_those_of_their_cards(name):
    path = list_shipped_models()[name]
    model = path.read_bytes()
    assert check_seal(model, name)
    assert hashlib.sha256(model).hexdigest() in path.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("wanted", ["defualt", "no/such.onnx", "nosuch.onnx"])
def test_what_is_not_there_is_named(wanted):
    with pytest.raises(ModelError, match=wanted):
        find_model(wanted)


def test_adopted_models_are_found_by_name_and_hide_none_that_came_along(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHIVE_COLORIZER_MODELS", str(tmp_path))
    for name in ("theirs", "default"):
        (tmp_path / f"{name}.onnx").write_bytes(b"x")
    assert find_model("theirs") == tmp_path / "theirs.onnx"
    assert find_model("default") == list_shipped_models()["default"]
    with pytest.raises(UsageError, match="comes with the program"):
        get_adopted_path("default")
    assert get_adopted_path("mine") == tmp_path / "mine.onnx"


def test_without_a_folder_of_ones_own_the_users_data_folder_is_taken(tmp_path, monkeypatch):
    monkeypatch.delenv("ARCHIVE_COLORIZER_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert get_adopted_folder().name == "models"
    assert "archive-colorizer" in str(get_adopted_folder())
    assert not get_adopted_folder().exists()
