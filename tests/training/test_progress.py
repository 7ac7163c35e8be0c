"""How a run ends and what it leaves: early stop, the best weights, boards, signals, precision."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("skimage", reason="figures need scikit-image")

from archive_colorizer.cli.commands import train  # noqa: E402
from archive_colorizer.errors import DependencyError, UsageError  # noqa: E402
from archive_colorizer.training import loop, progress, state  # noqa: E402
from archive_colorizer.training.checkpoint import load_checkpoint  # noqa: E402
from archive_colorizer.training.data.crops import index_photos  # noqa: E402


def weights_of(path):
    return load_checkpoint(path)["weights"]


def equal(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="module")
def plain(photos, tiny, tmp_path_factory):
    """The weights of the usual run: one thread, everything in memory."""
    return weights_of(loop.train(photos, tiny, tmp_path_factory.mktemp("plain")))


def test_readers_and_photos_on_disk_change_nothing_and_a_stop_goes_on_exactly(
    plain, tar, tiny, tmp_path
):
    recipe, asked = replace(tiny, readers=2, memory_gb=0.0), iter([False, False, True, True])
    photos = index_photos([tar], 0.0)
    stopped = loop.train(photos, recipe, tmp_path, should_stop=lambda: next(asked))
    assert load_checkpoint(stopped)["steps"] == 2
    assert equal(weights_of(loop.train(photos, recipe, tmp_path, start=stopped)), plain)
    assert photos.memory_bytes == 0


def test_validation_measures_at_the_size_that_the_model_will_work_at(photos, tiny, tmp_path):
    made = load_checkpoint(loop.train(photos, tiny, tmp_path))
    assert made["facts"]["validation"]["size"] == tiny.working_size != tiny.phases[-1].size


def figures(monkeypatch, scores):
    """Let the validations score so, one after the other."""
    monkeypatch.setattr(
        progress.ValidationSet, "score", lambda _self, entry, _weight: scores[entry["crops"]]
    )


def test_a_run_ends_when_it_gets_no_better_and_keeps_the_best(photos, tiny, tmp_path, monkeypatch):
    recipe = replace(tiny, crops=1000, epoch=2, patience=2, phases=tiny.phases[1:])
    figures(monkeypatch, {2: 9.0, 4: 7.0, 6: 7.5, 8: 7.0})
    lines = []
    last = loop.train(photos, recipe, tmp_path, report=lines.append)
    assert load_checkpoint(last)["crops"] == 8
    assert load_checkpoint(tmp_path / "best.pt")["crops"] == 4
    assert any("no better for 2 validations; best.pt is of 4 crops" in line for line in lines)
    loop.train(photos, recipe, tmp_path, start=last)  # there is nothing more to be done
    assert load_checkpoint(last)["crops"] == 8
    with pytest.raises(UsageError, match="patience"):
        loop.train(photos, replace(recipe, validation_share=0.0), tmp_path / "none")


def test_a_dull_network_is_not_the_best(photos):
    validation = progress.ValidationSet(photos[:3], 32)
    dull = {"ciede2000": 8.0, "colorfulness": 0.2}
    bold = {"ciede2000": 8.5, "colorfulness": 0.9}
    assert validation.score(bold, 0.08) < validation.score(dull, 0.08)
    assert validation.score(bold, 0.0) > validation.score(dull, 0.0) == 8.0


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_on_float32_weights(plain, photos, tiny, tmp_path, precision):
    recipe = replace(tiny, precision=precision)
    content = load_checkpoint(loop.train(photos, recipe, tmp_path))
    assert {value.dtype for value in content["state"].values()} <= {torch.float32, torch.int64}
    assert not equal(content["weights"], plain)
    torch.testing.assert_close(content["weights"], plain, atol=2e-2, rtol=0.0)
    assert bool(content["scaler"]) == (precision == "float16")


def test_auto_is_float32_on_a_cpu_and_what_a_gpu_is_good_at(monkeypatch):
    assert state.choose_dtype("auto", torch.device("cpu")) == torch.float32
    for able, dtype in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda able=able: able)
        assert state.choose_dtype("auto", torch.device("cuda")) == dtype
    assert state.choose_dtype("float16", torch.device("cuda")) == torch.float16


def test_a_compiled_network_is_the_one_that_is_called(plain, photos, tiny, tmp_path, monkeypatch):
    calls = []

    def compiled(network):
        return lambda seen: calls.append(seen.shape) or network(seen)

    monkeypatch.setattr(torch, "compile", compiled)
    made = loop.train(photos, replace(tiny, compile=True), tmp_path)
    assert len(calls) == 4
    assert equal(weights_of(made), plain)


def test_a_board_has_figures_and_sheets(photos, tiny, tmp_path):
    pytest.importorskip("tensorboard", reason="a board needs tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    loop.train(photos, tiny, tmp_path, board=progress.TensorBoardLog(tmp_path / "board"))
    log = EventAccumulator(str(tmp_path / "board"))
    log.Reload()
    assert {"loss", "rate", "ciede2000"} <= set(log.Tags()["scalars"])
    assert [event.step for event in log.Scalars("ciede2000")] == [8, 12]
    assert [event.step for event in log.Images("sheet")] == [8, 12]


def test_without_tensorboard_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="pip install tensorboard"):
        progress.TensorBoardLog(tmp_path)
    assert not list(tmp_path.iterdir())


RECIPE = """
network = "unet"
network_kwargs = { widths = [4, 8, 8] }
crops = 100000
validation_share = 0.0
checkpoint_minutes = 1000
readers = 1
threads = 1
phases = [{ share = 1.0, size = 32, batch = 2 }]
"""


def test_interrupted_it_leaves_a_checkpoint_that_goes_on(tar, tmp_path):
    recipe, run = tmp_path / "r.toml", tmp_path / "run"
    recipe.write_text(RECIPE)
    program = "import sys; from archive_colorizer.cli import main; main()"
    command = [sys.executable, "-c", program, "train", "--data", tar, "--output", run]
    with subprocess.Popen(
        [*map(str, command), "--recipe", str(recipe)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while "seen before" not in process.stdout.readline():
            assert process.poll() is None
        family = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "--resume continues" in err
    assert not psutil.wait_procs(family, timeout=10)[1]
    seen = load_checkpoint(run)["crops"]
    more = ["--data", tar, "--output", run, "--resume", "--crops", seen + 4]
    told = CliRunner().invoke(train.command, [str(one) for one in more], catch_exceptions=False)
    assert told.exit_code == 0
    assert load_checkpoint(run)["crops"] == seen + 4
