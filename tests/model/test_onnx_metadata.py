import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import ModelError, OutputError
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.contract import METADATA_KEY
from archive_colorizer.model.onnx_metadata import SEAL_KEY, add_contract, read_metadata, stage_file
from archive_colorizer.model.registry import find_model
from tests.model.networks import CONTRACT, constant_model


def test_a_stamped_file_carries_contract_and_seal(tmp_path):
    bare = constant_model(tmp_path / "m.onnx", contract=None).read_bytes()
    assert read_metadata(tmp_path / "m.onnx") == {}
    (tmp_path / "m.onnx").write_bytes(add_contract(bare, CONTRACT))
    assert set(read_metadata(tmp_path / "m.onnx")) == {METADATA_KEY, SEAL_KEY}
    assert open_colorizer(tmp_path / "m.onnx").contract == CONTRACT


def test_metadata_of_the_shipped_model_are_those_that_onnxruntime_reads():
    path = find_model("default")
    said = open_colorizer(path).session.get_modelmeta().custom_metadata_map
    assert read_metadata(path) == said


@given(st.binary(max_size=60))
def test_any_bytes_are_metadata_or_a_model_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "m.onnx"
    path.write_bytes(content)
    try:
        read_metadata(path)
    except ModelError as error:
        assert "m.onnx: not a sound ONNX file" in str(error)


def test_a_file_that_is_cut_is_noticed_wherever_the_cut_falls(tmp_path):
    whole = constant_model(tmp_path / "m.onnx").read_bytes()
    read_metadata(tmp_path / "m.onnx")
    (tmp_path / "m.onnx").write_bytes(whole[:-7])
    with pytest.raises(ModelError, match="cut or damaged at byte"):
        read_metadata(tmp_path / "m.onnx")


def test_a_draft_takes_its_place_whole_or_leaves_nothing(tmp_path):
    place = tmp_path / "new" / "m.onnx"
    with pytest.raises(ModelError), stage_file(b"bad", place) as draft:
        assert draft.read_bytes() == b"bad"
        raise ModelError("no")
    assert not list(place.parent.iterdir())
    with stage_file(b"good", place):
        assert not place.exists()
    assert place.read_bytes() == b"good"
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="cannot write"),
        stage_file(b"", tmp_path / "file/m"),
    ):
        pass
