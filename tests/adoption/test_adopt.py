import json

import numpy as np
import pytest

from archive_colorizer.adoption.adopt import adopt
from archive_colorizer.cli import run_program
from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.onnx_metadata import check_seal, read_metadata
from tests.adoption.foreign import foreign
from tests.model.networks import digest

AB = (14.0, -22.0)
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def external(path):
    onnx = pytest.importorskip("onnx")
    foreign(path, AB)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return path


def named(path, content):
    path.write_bytes(content)
    return path


def edited(path, change):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(path)
    change(onnx, model.graph)
    path.write_bytes(model.SerializeToString())
    return path


def foreign_of_rank_3(path):
    def change(onnx, graph):
        del graph.input[0].type.tensor_type.shape.dim[0]

    return edited(foreign(path, AB), change)


def with_hints(path):
    def change(onnx, graph):
        graph.input.append(onnx.helper.make_tensor_value_info("hints", 1, [1, 2, 256, 256]))

    return edited(foreign(path, AB), change)


BAD = {
    "empty": (lambda p: named(p, b""), "expected an ONNX file"),
    "HTML": (lambda p: named(p, b"<html>404</html>"), "begins with '<html>404</h'"),
    "cut": (lambda p: named(p, foreign(p, AB).read_bytes()[:150]), "ONNX file"),
    "git-lfs": (lambda p: named(p, b"version https://git-lfs.github.com/spec/v1\n"), "git-lfs"),
    "external data": (external, "expected all weights in this file; found .* in 'w.bin'"),
    "rank": (foreign_of_rank_3, "expected an input of rank 4 .* found rank 3"),
    "no name": (
        lambda p: foreign(p, AB, shape=("n", None, "width")),
        "a size or a name for each axis of 'input'; found neither for H",
    ),
    "out of range": (lambda p: foreign(p, (14.0, 300.0)), "from -128 to 127 .* found 14 to 300"),
    "opset": (lambda p: foreign(p, AB, opset=99), "expected opset .* found 99"),
    "custom operator": (
        lambda p: foreign(p, AB, domain="their.shop"),
        "expected operators of ONNX; found 'Sharpen' of 'their.shop'",
    ),
    "channels": (lambda p: foreign(p, AB, channels=1), r"expected 3 channels \(grey-rgb\)"),
    "no square": (lambda p: foreign(p, AB, shape=(1, 256, 320)), "expected a square"),
    "batch of 4": (lambda p: foreign(p, AB, shape=(4, 256, 256)), "expected a batch of 1"),
    "no color": (lambda p: foreign(p, (0.1, -0.1)), "expected colors; found chroma of 0.000"),
    "three planes": (lambda p: foreign(p, (0.1, 0.2, 0.1)), "promises"),
    "NaN": (lambda p: foreign(p, (np.nan, 1.0)), "NaN"),
    "two inputs": (with_hints, "expected one input, the picture; found .*'hints'"),
    "not there": (lambda p: p, "cannot be read"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_does_not_fit_ends_with_4_and_the_reason_and_writes_nothing(tmp_path, capsys, kind):
    make, said = BAD[kind]
    file, output = make(tmp_path / "theirs.onnx"), tmp_path / "out" / "ours.onnx"
    with pytest.raises(ModelError, match=said) as caught:
        adopt(file, "ddcolor", {}, output)
    assert "theirs.onnx" in str(caught.value) or kind in ("three planes", "NaN")
    code = run_program(["models", "adopt", str(file), "--as", "ddcolor", "--output", str(output)])
    assert code == 4
    assert "expected" in capsys.readouterr().err or kind in (
        "git-lfs", "not there", "three planes", "NaN",
    )  # fmt: skip
    assert not output.parent.exists()


def test_a_network_that_answers_with_another_picture_is_refused(tmp_path):
    scaled = foreign(tmp_path / "theirs.onnx", (9.0, 3.0, 0.0), low=0.0, high=255.0)
    adopt(scaled, "deoldify-stable", {}, tmp_path / "fits.onnx")
    wrong = {"input": {"high": 1.0}}
    with pytest.raises(ModelError, match="expected the picture that is shown"):
        adopt(scaled, "deoldify-stable", wrong, tmp_path / "ours.onnx")


def test_colors_that_cannot_be_shown_are_refused(tmp_path):
    file = foreign(tmp_path / "theirs.onnx", (126.0, -126.0))
    with pytest.raises(ModelError, match="expected colors that can be shown"):
        adopt(file, "ddcolor", {}, tmp_path / "ours.onnx")


def test_the_network_stays_as_it_was_to_the_byte(tmp_path):
    file, output = foreign(tmp_path / "theirs.onnx", AB), tmp_path / "ours.onnx"
    adopt(file, "ddcolor", {"licence": "mine"}, output)
    assert output.read_bytes().startswith(file.read_bytes())
    assert check_seal(output.read_bytes(), "ours")
    contract = open_colorizer(output).contract
    assert (contract.name, contract.licence) == ("ours", "mine")
    assert contract.training["adopted_sha256"] == digest(file)
    assert json.loads(read_metadata(output)["archive_colorizer.contract"]) == json.loads(
        contract.to_json()
    )
    with pytest.raises(ModelError, match="carries a contract already"):
        adopt(output, "ddcolor", {}, tmp_path / "again.onnx")
    with pytest.raises(UsageError, match="is the file itself"):
        adopt(file, "ddcolor", {}, file)


def test_sizes_are_those_of_the_file_or_as_asked_for(tmp_path):
    free = foreign(tmp_path / "free.onnx", AB)
    fixed = foreign(tmp_path / "fixed.onnx", AB, shape=(1, 256, 256))

    def size(file, wishes):
        return adopt(file, "ddcolor", wishes, tmp_path / "ours.onnx").contract.input.size

    assert size(free, {}) == 512
    few = adopt(free, "ddcolor", {"max_batch": 4}, tmp_path / "ours.onnx")
    assert few.contract.max_batch == 4
    assert size(free, {"input": {"size": 384}}) == 384
    assert size(fixed, {}) == 256
    with pytest.raises(ModelError, match="multiple of 32; found 400"):
        size(free, {"input": {"size": 400}})
    with pytest.raises(ModelError, match=r"expected 384 pixels; found .*256"):
        size(fixed, {"input": {"size": 384}})


def test_a_batch_that_is_free_by_name_only_is_found_out(tmp_path):
    onnx = pytest.importorskip("onnx")

    def change(_, graph):
        # The mean over the batch makes a picture depend on its neighbors.
        node = onnx.helper.make_node("ReduceMean", ["input"], ["mean"], axes=[0], keepdims=1)
        graph.node.insert(0, node)
        graph.node[1].input[0] = "mean"

    file = edited(foreign(tmp_path / "theirs.onnx", (9.0, 3.0, 0.0), low=0.0, high=255.0), change)
    adoption = adopt(file, "deoldify-stable", {}, tmp_path / "ours.onnx")
    assert adoption.contract.max_batch == 1


def test_a_contract_of_ones_own(tmp_path):
    tint = np.array([0.05, -0.02, 0.09]) / IMAGENET["std"]
    file = foreign(tmp_path / "theirs.onnx", tint, names=("photo", "painted"))
    wishes = {
        "licence": "CC0-1.0",
        "input": {"space": "grey-rgb", "size": 128, "resize": "short-side", "multiple_of": 32}
        | IMAGENET,
        "output": {"space": "rgb", "low": 0.0, "high": 1.0} | IMAGENET,
    }
    wrong = wishes | {"output": wishes["output"] | {"high": 0.5}}
    with pytest.raises(ModelError, match=r"expected answers from 0 to 0\.5 \(rgb\); found"):
        adopt(file, "custom", wrong, tmp_path / "ours.onnx")
    adoption = adopt(file, "custom", wishes, tmp_path / "ours.onnx")
    assert adoption.contract.input.name == "photo"
    assert adoption.findings.shapes == ((128, 128), (128, 192))


@pytest.mark.parametrize(
    ("family", "wishes", "said"),
    [
        ("ddcolour", {}, "'ddcolour' is no family; known are ddcolor,"),
        ("custom", {}, "does not say licence"),
        ("custom", {"licence": "x", "input": {"size": 64}}, r"input\.space, input\.resize"),
    ],
)
def test_what_is_not_said_is_asked_for(tmp_path, family, wishes, said):
    file = foreign(tmp_path / "theirs.onnx", AB)
    with pytest.raises(UsageError, match=said):
        adopt(file, family, wishes, tmp_path / "ours.onnx")


def test_a_key_that_no_contract_has_is_named(tmp_path):
    file = foreign(tmp_path / "theirs.onnx", AB)
    with pytest.raises(ModelError, match="colour"):
        adopt(file, "ddcolor", {"input": {"colour": 1}}, tmp_path / "ours.onnx")
