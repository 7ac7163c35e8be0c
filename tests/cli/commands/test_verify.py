"""`archive-colorize verify`: what it finds, what it says, and that it only reads."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.output.lock import lock_output


@pytest.fixture
def restored(command, scans, model):
    """A finished output of three results."""
    run = command("run", scans, "--model", model, "--executor", "serial")
    assert run.returncode == 0, run.stderr
    return scans.with_name("scans-colorized")


def state_of(folder):
    return {
        str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in folder.rglob("*")
    }


def test_a_sound_output_is_sound_and_untouched(command, restored):
    before = state_of(restored.parent)
    check = command("verify", restored)
    assert check.returncode == 0, check.stderr
    assert "3 files checked: 0 missing, 0 changed, 0 unexpected" in check.stdout
    assert state_of(restored.parent) == before


def test_missing_changed_and_unexpected_are_three_findings(command, restored):
    (restored / "a.png").unlink()
    flipped = bytearray((restored / "b.jpg").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (restored / "b.jpg").write_bytes(flipped)
    (restored / "box" / "new\x1b[31m.txt").write_text("who put me here?")
    (restored / "link").symlink_to("/etc")
    check = command("verify", restored)
    assert check.returncode == 7
    assert "FileMissing: a.png" in check.stdout
    assert "ChecksumMismatch: b.jpg" in check.stdout
    assert "UnexpectedFile: box/new\\x1b[31m.txt" in check.stdout
    assert "UnexpectedFile: link" in check.stdout
    assert "3 files checked: 1 missing, 1 changed, 2 unexpected" in check.stdout


def test_json_names_every_finding(command, restored):
    (restored / "a.png").unlink()
    check = command("verify", restored, "--json")
    said = json.loads(check.stdout)
    assert check.returncode == 7
    assert check.stderr == ""
    assert said["files"] == 3
    assert [one["path"] for one in said["findings"]["FileMissing"]] == ["a.png"]
    assert "luma_identical" not in said


def test_quiet_leaves_the_exit_code(command, restored):
    (restored / "a.png").unlink()
    check = command("verify", restored, "--quiet")
    assert (check.stdout, check.stderr, check.returncode) == ("", "", 7)


def test_deep_proves_luma(command, restored):
    check = command("verify", restored, "--deep")
    assert check.returncode == 0, check.stdout
    assert "luma within 1: 3 of 3 files" in check.stdout
    assert "luma identical: " in check.stdout


def test_deep_finds_another_luma_though_the_hash_is_right(command, restored):
    """A result made wrongly and recorded as it is: only the decoded luma can tell."""
    import hashlib

    pixels = np.asarray(Image.open(restored / "a.png")).copy()
    old = hashlib.sha256((restored / "a.png").read_bytes()).hexdigest()
    pixels[7, 7] = pixels[7, 7] ^ 64
    Image.fromarray(pixels).save(restored / "a.png")
    new = hashlib.sha256((restored / "a.png").read_bytes()).hexdigest()
    manifest = restored / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace(old, new))
    assert command("verify", restored).returncode == 0
    check = command("verify", restored, "--deep")
    assert check.returncode == 7
    assert "LumaMismatch: a.png" in check.stdout
    assert "in 1 pixels" in check.stdout
    assert "luma within 1: 2 of 3 files" in check.stdout


def test_deep_names_sources_that_are_gone_or_changed(command, restored, scans):
    (scans / "a.png").unlink()
    with (scans / "b.jpg").open("ab") as stream:
        stream.write(b"\0")
    assert command("verify", restored).returncode == 0
    check = command("verify", restored, "--deep")
    assert check.returncode == 7
    assert "SourceMissing: a.png" in check.stdout
    assert "SourceChanged: b.jpg" in check.stdout
    assert "luma within 1: 1 of 3 files" in check.stdout


def test_sources_that_were_moved_can_be_named(command, restored, scans):
    moved = scans.rename(scans.with_name("elsewhere"))
    assert command("verify", restored, "--deep").returncode == 7
    assert command("verify", restored, "--deep", "--scans", moved).returncode == 0


def test_several_roots_are_found_by_their_names(command, scans, model, tmp_path):
    output = tmp_path / "out"
    other = tmp_path / "other" / "box"
    other.mkdir(parents=True)
    (scans / "a.png").rename(other / "a.png")
    roots = (scans, other.parent)
    command("run", *roots, "--output", output, "--model", model, "--executor", "serial")
    check = command("verify", output, "--deep")
    assert check.returncode == 0, check.stdout
    assert "3 files checked" in check.stdout


def test_a_single_file_as_root_is_found(command, scans, model, tmp_path):
    output = tmp_path / "out"
    run = ("run", scans / "b.jpg", "--output", output, "--model", model, "--executor", "serial")
    assert command(*run).returncode == 0
    assert command("verify", output, "--deep").returncode == 0


def test_it_works_beside_a_run_and_says_so(command, restored):
    with lock_output(restored):
        check = command("verify", restored)
    assert check.returncode == 0
    assert f"pid {os.getpid()}" in check.stdout


def test_without_a_manifest_there_is_nothing_to_verify(command, tmp_path):
    check = command("verify", tmp_path)
    assert check.returncode == 5
    assert "manifest.jsonl does not exist" in check.stderr


def test_sharpened_luma_is_no_fault_and_said(command, scans, model):
    output = scans.with_name("scans-colorized")
    (scans / "a.png.colorize.toml").write_text("sharpen = 0\n")
    sharp = ("--sharpen-radius", "2", "--recipe", scans.with_name("r.toml"))
    scans.with_name("r.toml").write_text("sharpen = 0.7\nsharpen_threshold = 2\n")
    command("run", scans, "--model", model, "--executor", "serial", *sharp)
    deep = command("verify", output, "--deep")
    assert deep.returncode == 0, deep.stdout
    assert "luma within 1: 1 of 3 files" in deep.stdout
    assert "luma within 1 after sharpening: 2 of 3 files" in deep.stdout
    assert json.loads(command("verify", output, "--deep", "--json").stdout)["luma_sharpened"] == 2


def test_luma_that_was_changed_beyond_its_sharpening_is_a_fault(command, scans, model):
    output = scans.with_name("scans-colorized")
    command("run", scans, "--model", model, "--executor", "serial", "--sharpen", "0.7")
    manifest = output / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace('"sharpen": 0.7', '"sharpen": 0.3'))
    deep = command("verify", output, "--deep")
    assert deep.returncode == 7
    assert "luma differs" in deep.stdout


def test_the_page_that_was_restored_is_compared(command, scans, model):
    pages = [Image.open(scans / name).convert("L") for name in ("a.png", "b.jpg")]
    pages[0].save(scans / "two.tif", save_all=True, append_images=pages[1:])
    (scans / "two.tif.colorize.toml").write_text("page = 2\n")
    command("run", scans, "--model", model, "--executor", "serial")
    deep = command("verify", scans.with_name("scans-colorized"), "--deep")
    assert deep.returncode == 0, deep.stdout
    assert "luma within 1: 4 of 4 files" in deep.stdout
