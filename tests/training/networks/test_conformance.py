"""What every network of the table must be able to do.

Learn, be exported, be the same in onnxruntime, and color a picture in the real pipeline.
"""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
onnx = pytest.importorskip("onnx", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")
pytest.importorskip("skimage", reason="photographs come with scikit-image")

from archive_colorizer.model.colorizer import open_colorizer  # noqa: E402
from archive_colorizer.restore.photo import restore_photo  # noqa: E402
from archive_colorizer.training import loop  # noqa: E402
from archive_colorizer.training.checkpoint import load_checkpoint, restore_network  # noqa: E402
from archive_colorizer.training.config import Phase  # noqa: E402
from archive_colorizer.training.data.crops import CropSampler, to_planes  # noqa: E402
from archive_colorizer.training.export import export  # noqa: E402
from archive_colorizer.training.networks import network  # noqa: E402
from archive_colorizer.training.objective import OBJECTIVES  # noqa: E402
from tests.photographs import photograph  # noqa: E402
from tests.restore.studio import Studio, grey, luma_error  # noqa: E402

# The networks as they are, and the other encoders that come with this program.
KINDS = {name: (name, {}) for name in sorted(network.NETWORKS)} | {
    f"mobile-unet, {encoder}": ("mobile-unet", {"encoder": encoder})
    for encoder in ("efficientnet-lite2", "mobilenet-v2")
}
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (2, 1, 64, 96)])
def test_a_fresh_network_begins_near_grey_and_answers_as_large_as_it_is_asked(kind, shape):
    name, kwargs = KINDS[kind]
    space = network.get_output_format(name)
    made = network.build_network(name, kwargs).eval()
    with torch.no_grad():
        answer = made(torch.rand(shape))
        chroma = space.to_chroma(answer)
    channels = 3 if network.NETWORKS[name].space == "rgb" else 2
    assert answer.shape == (shape[0], channels, *shape[2:])
    assert chroma.shape == (shape[0], 2, *shape[2:])
    assert chroma.abs().max() < 0.2


@kinds
def test_no_weights_bring_an_answer_out_of_its_range(kind):
    name, kwargs = KINDS[kind]
    space = network.get_output_format(name)
    made = network.build_network(name, kwargs).eval()
    with torch.no_grad():
        made.last.weight.mul_(1e6)
        answer = made(torch.rand(1, 1, 64, 64))
    assert space.low <= answer.min() < answer.max() <= space.high


@kinds
@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_the_loss_falls_on_one_batch(kind, objective, photos, tiny):
    name, kwargs = KINDS[kind]
    space = network.get_output_format(name)
    torch.manual_seed(0)
    made = network.build_network(name, kwargs).train()
    groups = {3e-4: [], 3e-3: []}
    for key, weight in made.named_parameters():
        groups[3e-4 if key.startswith("encoder.") else 3e-3].append(weight)
    optimizer = torch.optim.AdamW([{"params": all_, "lr": lr} for lr, all_ in groups.items()])
    batch = CropSampler(photos, tiny).make_batch(0, 4, 64)
    seen, luma, chroma = (torch.from_numpy(planes) for planes in batch[:3])
    losses = []
    for _ in range(8):
        answer = made(seen)
        loss = OBJECTIVES[objective](space.to_chroma(answer), luma, chroma, tiny)
        loss = loss + space.extra_loss(answer, luma, chroma)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[-2:]) < 0.9 * losses[0]


@pytest.fixture(scope="module", params=sorted(network.NETWORKS))
def exported(request, photos, tiny, tmp_path_factory):
    """(checkpoint, model file) of each network after some steps at its own default size."""
    folder = tmp_path_factory.mktemp("run")
    recipe = replace(
        tiny, network=request.param, network_kwargs={}, encoder_weights="none", rate=5e-3, ema=0.0,
        crops=48, phases=(Phase(share=1.0, size=64, batch=4),), validation_share=0.0,
        data_sheet="tests, version 1",
    )  # fmt: skip
    checkpoint = loop.train(photos, recipe, folder)
    before = network.build_network(request.param).state_dict()
    assert load_checkpoint(checkpoint)["steps"] == 12
    assert before.keys() == load_checkpoint(checkpoint)["state"].keys()
    lost = export.export_checkpoint(checkpoint, folder / "made.onnx")
    assert lost.mean <= lost.worst <= 1e-3
    return checkpoint, folder / "made.onnx"


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (3, 1, 256, 352), (2, 1, 64, 160)])
def test_the_model_file_gives_what_the_network_gives_at_any_size(exported, shape):
    checkpoint, path = exported
    trained = restore_network(load_checkpoint(checkpoint), "test")
    luma = np.random.default_rng(3).random(shape, dtype=np.float32)
    made = open_colorizer(path, device="cpu").infer(luma)
    with torch.no_grad():
        wanted = trained(torch.from_numpy(luma)).numpy()
    assert made.shape == wanted.shape
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
    made = contract.output
    wanted = {"vgg-autoencoder": ("rgb", 0.0, 1.0)}.get(contract.family, ("cbcr", -0.5, 0.5))
    assert (made.space, made.low, made.high) == wanted
    facts = contract.training
    assert facts["data_sheet"] == "tests, version 1"
    assert facts["sources"] == {"free": 12}
    assert (facts["crops"], facts["seed"]) == (48, 1)
    assert facts["recipe"]["network"] == content["network"]
    assert facts["recipe"]["network_kwargs"] == content["kwargs"]


def test_the_file_stands_alone_and_tells_nothing_of_this_machine(exported):
    path = exported[1]
    model = onnx.load(str(path), load_external_data=False)
    onnx.checker.check_model(model)
    assert {one.domain: one.version for one in model.opset_import} == {"": 18}
    assert all(one.data_location == onnx.TensorProto.DEFAULT for one in model.graph.initializer)
    assert path.stat().st_size <= 25 * 2**20
    assert sorted(p.name for p in path.parent.glob("*made*")) == ["made.onnx"]
    for one in model.graph.initializer:
        one.ClearField("raw_data")  # numbers may spell anything
    data = model.SerializeToString()
    for words in (b".py", b"/work", b"site-packages", str(path.parent).encode()):
        assert words not in data


def test_the_pipeline_colors_a_photograph_with_it_and_keeps_the_luma(exported, tmp_path):
    studio = Studio(tmp_path)
    studio.put("cup.png", grey("coffee"))
    outcome = restore_photo(studio.job("cup.png"), studio.workplace(exported[1]))
    assert outcome.state == "done", outcome
    result = studio.result("cup.png")
    assert luma_error(result, grey("coffee")) <= 1.0
    assert np.ptp(result.astype(int), axis=2).mean() > 2.0
