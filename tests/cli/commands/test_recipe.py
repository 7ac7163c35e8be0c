"""`archive-colorize recipe`, and what every command says of itself."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from archive_colorizer.cli import COMMANDS, program


def test_show_prints_a_recipe_that_means_the_same(command, tmp_path):
    recipe = tmp_path / "job.toml"
    recipe.write_text("strength = 0.4\n[film]\ncodec = 'ffv1'\n")
    first = command("recipe", "show", "--recipe", recipe, "--hue", "7", "--smoothing", "0.1")
    assert first.returncode == 0, first.stderr
    line = next(one for one in first.stdout.splitlines() if one.startswith("strength"))
    assert line.split("#")[1].strip() == str(recipe)
    assert tomllib.loads(first.stdout)["film"]["codec"] == "ffv1"
    again = tmp_path / "again.toml"
    again.write_text(first.stdout)
    second = command("recipe", "show", "--recipe", again)
    assert tomllib.loads(second.stdout) == tomllib.loads(first.stdout)


def test_show_as_json_has_the_digest_of_the_manifest(command, scans, model):
    said = json.loads(command("recipe", "show", "--hue", "7", "--changed", "--json").stdout)
    assert said["settings"] == {"hue": {"value": 7.0, "from": "command line"}}
    command("run", scans, "--hue", "7", "--model", model, "--executor", "serial", "--quiet")
    manifest = scans.with_name("scans-colorized") / "manifest.jsonl"
    assert json.loads(manifest.read_text().splitlines()[0])["settings"] == said["digest"]


def test_check_names_file_and_fault_and_ends_with_2(command, tmp_path):
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text("hue = 3\nmodel = 'elsewhere'\n")
    bad.write_text("hue = 'red'\nstrenght = 1\n")
    run = command("recipe", "check", good, bad, tmp_path / "none.toml")
    assert run.returncode == 2
    assert "good.toml: sound; but here: model 'elsewhere'" in run.stdout
    assert "bad.toml: hue: hue must be float" in run.stderr
    assert "did you mean 'strength'" in run.stderr
    assert "none.toml" in run.stderr
    assert command("recipe", "check", good).returncode == 0


def test_schema_is_json(command):
    said = json.loads(command("recipe", "schema").stdout)
    assert said["properties"]["luma"]["enum"] == ["encoded", "lossless"]
    assert re.search(said["properties"]["device"]["pattern"], "cuda:1")


def every_command():
    context = click.Context(program, info_name="archive-colorize")
    for name in COMMANDS:
        found = program.get_command(context, name)
        yield (name,), found
        for inner, below in getattr(found, "commands", {}).items():
            yield (name, inner), below


@pytest.mark.parametrize(
    ("words", "found"),
    list(every_command()),
    ids=lambda one: " ".join(one) if type(one) is tuple else "",
)
def test_every_command_has_an_example_that_can_be_parsed(words, found):
    example = (found.epilog or "").partition("Example: archive-colorize ")[2]
    given = shlex.split(example.partition(" > ")[0])
    assert tuple(given[: len(words)]) == words
    found.make_context(words[-1], given[len(words) :])


@pytest.mark.skipif(not shutil.which("bash"), reason="completes in bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("archive-colorize rec", ["recipe"]),
        ("archive-colorize run --sat", ["--saturation"]),
        ("archive-colorize run --device c", ["cpu", "cuda"]),
        ("archive-colorize recipe s", ["schema", "show"]),
    ],
)
def test_bash_completes(installed, line, offered):
    words = line.split()
    script = (
        'eval "$(_ARCHIVE_COLORIZE_COMPLETE=bash_source archive-colorize)"\n'
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}\n"
        "_archive_colorize_completion archive-colorize\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{Path(installed.path).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    assert run.stdout.split() == offered, run.stderr


def test_show_tells_the_settings_of_one_photograph_and_whose_they_are(command, scans, tmp_path):
    recipe = tmp_path / "job.toml"
    recipe.write_text("value = 1.1\n[[override]]\nmatch = 'box/*'\nstrength = 0.5\n")
    (scans / "box" / "colorize.toml").write_text("preset = 'faded'\nhue = 2\n")
    (scans / "colorize.toml").write_text("hue = 1\n")
    photo = scans / "box" / "c.tif"
    asked = ("recipe", "show", "--for", photo, "--recipe", recipe, "--json", "--changed")
    said = json.loads(command(*asked, "--scans", scans, "--hue-range", "reds:shift=3").stdout)
    origins = {name: one["from"] for name, one in said["settings"].items()}
    assert origins["value"] == str(recipe)
    assert origins["hue"] == "box/colorize.toml"
    assert origins["strength"] == "preset faded"
    assert origins["hue_range"] == "command line"
    alone = json.loads(command(*asked).stdout)["settings"]
    assert alone["hue"] == {"value": 2.0, "from": "colorize.toml"}


def test_check_holds_files_beside_photographs_to_what_they_may_say(command, scans):
    (scans / "a.png.colorize.toml").write_text("hue = 3\nworkers = 2\n")
    run = command("recipe", "check", scans / "a.png.colorize.toml")
    assert run.returncode == 2
    assert "workers is a setting of the whole run" in run.stderr
