import pytest

from archive_colorizer.errors import ModelError
from archive_colorizer.model.shelf import find_model, models_at_hand


def test_a_file_is_found_by_its_path(tmp_path, monkeypatch):
    (tmp_path / "mine.onnx").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert find_model("mine.onnx") == tmp_path / "mine.onnx"
    assert find_model(str(tmp_path / "mine.onnx")) == tmp_path / "mine.onnx"


def test_the_default_model_is_at_hand():
    assert find_model("default") == models_at_hand()["default"]


@pytest.mark.parametrize("wanted", ["defualt", "no/such.onnx", "nosuch.onnx"])
def test_what_is_not_there_is_named(wanted):
    with pytest.raises(ModelError, match=wanted):
        find_model(wanted)
