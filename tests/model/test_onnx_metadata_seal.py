import pytest

from archive_colorizer.errors import ModelError
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.onnx_metadata import SEAL_KEY, add_seal, check_seal
from tests.model.networks import CONTRACT, constant_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The bytes of a sealed model."""
    bare = constant_model(tmp_path_factory.mktemp("models") / "m.onnx").read_bytes()
    assert not check_seal(bare, "m")
    return add_seal(bare)


def flipped(model, place, bit=0):
    return model[:place] + bytes([model[place] ^ 1 << bit]) + model[place + 1 :]


def test_a_sealed_file_is_a_sound_model_and_keeps_its_contract(model, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(model)
    assert check_seal(model, "m")
    assert open_colorizer(path).contract == CONTRACT


def test_every_bit_of_network_contract_and_digest_is_under_the_seal(model):
    digest = range(len(model) - 64, len(model))
    frame = range(model.index(SEAL_KEY.encode()) - 4, digest.start)
    for place in set(range(len(model))) - set(frame):
        for bit in range(8):
            with pytest.raises(ModelError, match="not what its seal says"):
                check_seal(flipped(model, place, bit), "m")


def test_a_weight_that_changed_is_refused_although_onnxruntime_takes_it(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    weight = onnx.load_from_string(model).graph.initializer[1].raw_data
    damaged = flipped(model, model.index(weight), 6)
    path = tmp_path / "damaged.onnx"
    path.write_bytes(damaged.replace(SEAL_KEY.encode(), b"x" * len(SEAL_KEY)))
    open_colorizer(path)
    path.write_bytes(damaged)
    with pytest.raises(ModelError, match=r"damaged\.onnx: is not what its seal says"):
        open_colorizer(path)


def test_an_edit_needs_a_new_seal(model):
    onnx = pytest.importorskip("onnx")
    edited = onnx.load_from_string(model)
    entry = edited.metadata_props.add()
    entry.key, entry.value = "note", "mine"
    data = edited.SerializeToString()
    with pytest.raises(ModelError, match="edited after it was sealed"):
        check_seal(data, "m")
    again = add_seal(data)
    assert check_seal(again, "m")
    kept = [entry.key for entry in onnx.load_from_string(again).metadata_props]
    assert kept.count(SEAL_KEY) == 1
    assert "note" in kept


def test_sealing_twice_is_sealing_once(model):
    assert add_seal(model) == model
