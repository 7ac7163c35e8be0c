"""`archive-colorize run`: what it does, what it prints, and its exit codes."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.output.lock import lock_output
from archive_colorizer.pipeline import request
from tests.photographs import photograph


def manifest_of(output):
    lines = (output / "manifest.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def outcomes_of(output):
    return {r["name"]: r for r in manifest_of(output) if r["kind"] == "outcome"}


def pictures_below(folder):
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.suffix in (".png", ".jpg", ".tif")
    }


@pytest.mark.parametrize("executor", ["serial", "dask"])
def test_a_tree_in_the_same_tree_out(installed, scans, model, executor):
    run = installed("run", scans, "--model", model, "--executor", executor)
    assert run.returncode == 0, run.stderr
    output = scans.with_name("scans-colorized")
    assert set(pictures_below(output)) == {"a.png", "b.jpg", "box/c.tif"}
    for name in pictures_below(output):
        picture = np.asarray(Image.open(output / name).convert("RGB"))
        assert np.ptp(picture, axis=2).mean() > 5
    assert {one["state"] for one in outcomes_of(output).values()} == {"done"}
    assert "restored  3" in run.stdout
    assert "manifest.jsonl" in run.stdout
    assert "CPUExecutionProvider" in run.stderr
    assert "Traceback" not in run.stderr


def test_originals_are_never_touched(command, scans, model):
    def look():
        return {
            path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
            for path in sorted(scans.rglob("*"))
            if path.is_file()
        }

    (scans / "broken.png").write_bytes((scans / "a.png").read_bytes()[:2000])
    before = look()
    for extra in ([], ["--strength", "0.5"], ["--retry-failed"]):
        command("run", scans, "--model", model, "--executor", "serial", *extra)
    assert look() == before


def test_a_run_imports_no_torch(scans, model):
    said = (
        "import sys; from archive_colorizer.cli import run_program; "
        f"run_program(['run', {str(scans)!r}, '--model', {str(model)!r}, '--executor', 'serial', "
        "'--quiet']); print([m for m in ('torch', 'onnx', 'skimage') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr


def test_the_second_run_does_nothing_and_says_so(command, scans, model):
    arguments = ("run", scans, "--model", model, "--executor", "serial")
    command(*arguments)
    output = scans.with_name("scans-colorized")
    made, written = pictures_below(output), (output / "manifest.jsonl").read_bytes()
    again = command(*arguments, "--workers", "3")
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    assert pictures_below(output) == made
    assert (output / "manifest.jsonl").read_bytes() == written


@pytest.mark.parametrize("change", ["settings", "content", "target", "model"])
def test_a_change_redoes_what_it_touches(command, scans, model, tmp_path, change):
    command("run", scans, "--model", model, "--executor", "serial")
    output = scans.with_name("scans-colorized")
    made = pictures_below(output)
    extra = []
    if change == "settings":
        extra = ["--saturation", "0.5"]
    elif change == "content":
        Image.open(scans / "a.png").rotate(180).save(scans / "a.png")
    elif change == "target":
        (output / "a.png").write_bytes(b"damaged")
    else:
        from tests.model.networks import constant_model

        model = constant_model(tmp_path / "other.onnx", (0.1, -0.1))
    run = command("run", scans, "--model", model, "--executor", "serial", *extra)
    assert run.returncode == 0, run.stderr
    redone = {name for name, was in pictures_below(output).items() if made[name] != was}
    assert redone == ({"a.png"} if change in ("content", "target") else set(made))


def test_the_manifest_names_source_means_and_settings(command, scans, model):
    command("run", scans, "--model", model, "--strength", "0.5", "--executor", "serial")
    opening, *outcomes = manifest_of(scans.with_name("scans-colorized"))
    assert opening["kind"] == "provenance"
    assert opening["recipe"]["strength"] == 0.5
    assert opening["model"] == "constant"
    assert opening["provider"] == "CPUExecutionProvider"
    assert opening["command"][0] == "run"
    assert "onnxruntime" in " ".join(opening["libraries"])
    for one in outcomes:
        assert one["settings"] == opening["settings"]
        assert one["model_sha256"] == opening["model_sha256"]
        assert len(one["source_sha256"]) == len(one["target_sha256"]) == 64


def test_the_end_says_how_to_look_at_the_results(command, scans, model):
    output = scans.with_name("out with a space")
    said = command("run", scans, "--model", model, "--executor", "serial", "--output", output)
    line = said.stdout.splitlines()[-1]
    assert line.startswith("look at them: archive-colorize report ")
    _, *words = shlex.split(line.partition(": ")[2])
    assert words == ["report", str(output), "--serve"]
    assert "done" in command(*words[:-1]).stdout


def test_json_is_all_that_stands_on_stdout(command, scans, model):
    run = command("run", scans, "--model", model, "--json", "--executor", "serial")
    said = json.loads(run.stdout)
    assert (said["done"], said["failed"]) == (3, 0)
    assert run.stderr == ""


def test_quiet_is_quiet(command, scans, model):
    run = command("run", scans, "--model", model, "--quiet", "--executor", "serial")
    assert (run.stdout, run.stderr, run.returncode) == ("", "", 0)


def test_a_dry_run_lists_and_writes_nothing(command, scans, model):
    (scans / "notes.txt").write_text("words")
    run = command("run", scans, "--model", model, "--dry-run")
    assert run.returncode == 0
    assert "restore    a.png" in run.stdout
    assert "skipped    notes.txt" in run.stdout
    assert "3 restore" in run.stdout
    assert not scans.with_name("scans-colorized").exists()


def test_color_is_skipped_unless_forced(command, scans, model):
    Image.fromarray(photograph("astronaut")).save(scans / "color.png")
    arguments = ("run", scans, "--model", model, "--executor", "serial")
    first = command(*arguments)
    assert first.returncode == 0
    output = scans.with_name("scans-colorized")
    assert outcomes_of(output)["color.png"]["reason"] == "already-color"
    assert "color.png" not in pictures_below(output)
    command(*arguments, "--force")
    assert "color.png" in pictures_below(output)


def test_several_roots_keep_their_names_apart(command, scans, model, tmp_path):
    other = tmp_path / "more"
    other.mkdir()
    Image.open(scans / "a.png").save(other / "a.png")
    output = tmp_path / "out"
    run = command("run", scans, other, "--output", output, "--model", model, "--executor", "serial")
    assert run.returncode == 0, run.stderr
    assert {"scans/a.png", "more/a.png"} <= set(pictures_below(output))


def test_one_file_can_be_restored(command, scans, model):
    run = command("run", scans / "a.png", "--model", model, "--executor", "serial")
    assert run.returncode == 0, run.stderr
    assert (scans / "a-colorized" / "a.png").exists()


def test_a_recipe_file_is_overruled_by_options(command, scans, model, tmp_path):
    recipe = tmp_path / "faded.toml"
    recipe.write_text("strength = 0.25\nsaturation = 1\n")
    command(
        "run",
        scans,
        "--model",
        model,
        "--recipe",
        recipe,
        "--saturation",
        "1.5",
        "--executor",
        "serial",
    )
    opening = manifest_of(scans.with_name("scans-colorized"))[0]
    assert (opening["recipe"]["strength"], opening["recipe"]["saturation"]) == (0.25, 1.5)


# ---- exit codes, one by one


def test_1_a_bug_says_so(command, scans, monkeypatch):
    monkeypatch.setattr(request, "validate_request", lambda *_, **__: 1 // 0)
    run = command("run", scans)
    assert run.returncode == 1
    assert "this is a bug" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strength", "2"], "strength must be between 0 and 1"),
        (["--strength", "nan"], "strength must be between 0 and 1"),
        (["--device", "tpu"], "device must be one of"),
        (["--output", "{scans}/inside"], "lies in the scans"),
        (["--output", "{scans}/.."], "lie in the output"),
        (["--output", "{scans}"], "choose another --output"),
        (["--recipe", "{scans}/none.toml"], "none.toml"),
        (["--nonsense"], "nonsense"),
        (["--c2pa"], "give --cert and --key"),
        (["--format", "gif"], "format must be one of"),
        (["--sharpen", "0.5", "--luma", "lossless"], "choose one of them"),
        (["--hue-range", "red"], "hue range"),
        (["--preset", "gaudy"], "preset must be one of"),
        (["--time-budget", "tonight"], "90m, 2h"),
        (["--nice", "20"], "nice must be between 0 and 19"),
    ],
)
def test_2_usage(command, scans, arguments, said):
    before = sorted(scans.parent.rglob("*"))
    run = command("run", scans, *(one.format(scans=scans) for one in arguments))
    assert run.returncode == 2, run.stderr
    assert said in run.stderr
    assert sorted(scans.parent.rglob("*")) == before


def test_2_an_unknown_key_names_the_nearest(command, scans, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text("saturatoin = 1.2\n")
    run = command("run", scans, "--recipe", recipe)
    assert run.returncode == 2
    assert "did you mean 'saturation'?" in run.stderr


def test_3_no_cuda_no_run(command, scans, model):
    from archive_colorizer.model.colorizer import read_model
    from archive_colorizer.model.runtime import CUDA, probe_providers

    if probe_providers(read_model(model)).get(CUDA):
        pytest.skip("this machine has CUDA")
    run = command("run", scans, "--model", model, "--device", "cuda")
    assert run.returncode == 3
    assert "--device cuda" in run.stderr
    assert not scans.with_name("scans-colorized").exists()


def test_3_a_library_that_a_setting_needs_is_missing(command, scans, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "jpeglib", None)
    run = command("run", scans, "--model", model, "--luma", "lossless")
    assert run.returncode == 3
    assert "archive-colorizer[lossless]" in run.stderr
    assert not scans.with_name("scans-colorized").exists()


@pytest.mark.parametrize("content", [None, b"", b"<html>"])
def test_4_a_bad_model(command, scans, tmp_path, content):
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    run = command("run", scans, "--model", path)
    assert run.returncode == 4
    assert "bad.onnx" in run.stderr
    assert not scans.with_name("scans-colorized").exists()


def test_5_no_such_directory(command, tmp_path, model):
    run = command("run", tmp_path / "nowhere", "--model", model)
    assert run.returncode == 5
    assert "nowhere" in run.stderr


def test_6_an_output_that_cannot_be_written(command, scans, model, tmp_path):
    (tmp_path / "file").write_text("in the way")
    run = command("run", scans, "--model", model, "--output", tmp_path / "file" / "out")
    assert run.returncode == 6
    assert "cannot write" in run.stderr


def test_7_some_failed_and_again_7_until_they_are_mended(command, scans, model):
    (scans / "broken.png").write_bytes((scans / "a.png").read_bytes()[:3000])
    (scans / "empty.jpg").touch()
    arguments = ("run", scans, "--model", model, "--executor", "serial")
    for _ in range(2):
        run = command(*arguments)
        assert run.returncode == 7
        assert "broken.png" in run.stdout
    output = scans.with_name("scans-colorized")
    assert {"broken.png", "empty.jpg"}.isdisjoint(pictures_below(output))
    retried = command(*arguments, "--retry-failed")
    assert "failed (damaged)" in retried.stderr
    for name in ("broken.png", "empty.jpg"):
        (scans / name).write_bytes((scans / "a.png").read_bytes())
    assert command(*arguments).returncode == 0


def test_8_another_run_holds_the_output(command, scans, model):
    output = scans.with_name("scans-colorized")
    with lock_output(output):
        run = command("run", scans, "--model", model)
    assert run.returncode == 8
    assert "another run" in run.stderr
    assert str(os.getpid()) in run.stderr
    assert command("run", scans, "--model", model, "--executor", "serial").returncode == 0


def test_9_the_time_is_used_up_and_the_next_run_goes_on(command, scans, model):
    arguments = ("run", scans, "--model", model, "--executor", "serial")
    run = command(*arguments, "--time-budget", "0.00001s", "--json")
    assert run.returncode == 9
    assert "the same command goes on" in run.stderr
    said = json.loads(run.stdout)
    assert (said["done"], said["out_of_time"]) == (0, True)
    assert not list(scans.with_name("scans-colorized").rglob("*.png"))
    assert command(*arguments, "--time-budget", "1h").returncode == 0
    assert len(pictures_below(scans.with_name("scans-colorized"))) == 3


NICENESS = """
import os, sys
from pathlib import Path
from archive_colorizer.pipeline.request import validate_request
from archive_colorizer.pipeline.run_session import ignore_message, open_session
from archive_colorizer.recipe.recipe import Recipe
from niceness_task import niceness
if __name__ == "__main__":
    model, output, scans = sys.argv[1:]
    recipe = Recipe(model=model, nice=7, workers=1)
    request = validate_request([Path(scans)], Path(output), recipe)
    with open_session(request, ignore_message) as session:
        with session.create_executor(()) as executor:
            print(os.nice(0), *executor.map(niceness, [()]))
"""


@pytest.mark.skipif(os.nice(0) > 4, reason="the tests themselves run nicer than the test asks")
def test_a_nice_run_yields_with_its_workers(model, scans, tmp_path):
    script = tmp_path / "niceness.py"
    script.write_text(NICENESS)
    # Workers import the modules of their tasks, but never the main module.
    task = "import os\ndef niceness(batch):\n    return [os.nice(0)]\n"
    (tmp_path / "niceness_task.py").write_text(task)
    words = [sys.executable, script, model, tmp_path / "out", scans]
    settings = {"capture_output": True, "text": True, "timeout": 240}
    run = subprocess.run(words, preexec_fn=lambda: os.nice(3), **settings)
    assert run.stdout.split() == ["7", "[7]"], run.stderr
    lower = subprocess.run(["nice", "-n", "12", *words], **settings)
    assert lower.stdout.split() == ["12", "[12]"], lower.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_signals_stop_cleanly_and_resumably(command, installed, scans, model, number):
    big = Image.open(scans / "a.png").resize((1600, 1200))
    for index in range(16):
        big.save(scans / f"many_{index:02}.png", compress_level=0)
    output = scans.with_name("scans-colorized")
    run = subprocess.Popen(
        [installed.path, "run", scans, "--model", model, "--executor", "serial"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not list(output.glob("many_0*")) and time.monotonic() < end:
        time.sleep(0.02)
    run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert "Traceback" not in said
    made = pictures_below(output)
    assert 0 < len(made) < 19
    resumed = command("run", scans, "--model", model, "--executor", "serial")
    assert resumed.returncode == 0
    after = pictures_below(output)
    assert len(after) == 19
    assert {name: after[name] for name in made} == made


def test_help_is_there_for_every_command(command):
    assert "archive-colorize run ./scans" in command("--help").stdout
    for name in ("run", "sample", "doctor", "train", "export", "evaluate"):
        helped = command(name, "--help")
        assert helped.returncode == 0
        assert helped.stdout.startswith("Usage: archive-colorize")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["run", "--help"], 0, "Usage: archive-colorize run"),
        (["run", "{tmp}", "--nonsense"], 2, "No such option"),
        (["run", "{tmp}/nowhere"], 5, "nowhere"),
    ],
)
def test_the_installed_command_prints_and_ends_alike(installed, tmp_path, arguments, code, text):
    run = installed(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert run.returncode == code
    assert text in (run.stderr if code else run.stdout)
