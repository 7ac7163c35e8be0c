"""Runs on a real S3 server: the promises of runs on a disk, kept in a store."""

import json
import os
import platform
import signal
import subprocess
import time

import pytest
from PIL import Image

from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import ExitCode
from tests.photographs import photograph

PHOTOGRAPHS = {"a.png", "b.jpg", "box/c.tif"}


@pytest.fixture
def stored(bucket, scans):
    """The three photographs in a bucket."""
    bucket.fill(scans, "scans/")
    return bucket


@pytest.fixture
def run(installed, model):
    def start(*arguments, **how):
        words = ("--model", model, "--executor", "serial", "--quiet")
        return installed("run", *map(str, arguments), *words, **how)

    return start


def verified(installed, output):
    checked = installed("verify", str(output), "--deep", "--json")
    assert checked.returncode == ExitCode.OK, checked.stdout + checked.stderr
    return json.loads(checked.stdout)["luma_within_1"]


@pytest.mark.parametrize("where", ["bucket to bucket", "bucket to disk", "disk to bucket"])
def test_photographs_go_from_anywhere_to_anywhere(stored, scans, run, installed, tmp_path, where):
    root = scans if where.startswith("disk") else stored.address / "scans"
    output = tmp_path / "out" if where.endswith("disk") else stored.address / "out"
    before = stored.versions("scans/")
    ended = run(root, "--output", output)
    assert ended.returncode == ExitCode.OK, ended.stderr
    assert verified(installed, output) == len(PHOTOGRAPHS)
    assert stored.versions("scans/") == before
    if where.endswith("bucket"):
        assert stored.there("out/") == {*PHOTOGRAPHS, "manifest.jsonl"}


def test_results_stand_beside_the_scans_and_the_same_again_does_nothing(stored, installed, model):
    words = ("run", str(stored.address / "scans"), "--model", model, "--json")
    first = installed(*words, "--workers", "2")
    assert first.returncode == ExitCode.OK, first.stderr
    said = json.loads(first.stdout)
    assert (said["done"], said["output"]) == (3, str(stored.address / "scans-colorized"))
    before = stored.versions("scans-colorized/")
    again = json.loads(installed(*words, "--executor", "serial").stdout)
    assert (again["done"], again["unchanged"]["done"]) == (0, 3)
    after = stored.versions("scans-colorized/")
    assert {one for one in after if after[one] != before[one]} == {".work/lock.json"}


def test_what_changed_is_made_again_and_what_was_copied_is_not(stored, run):
    scans, output = stored.address / "scans", stored.address / "out"
    stored.put("scans/bad.jpg", b"\xff\xd8\xff")
    assert run(scans, "--output", output).returncode == ExitCode.SOME_FAILED
    stored.put("scans/a.png", stored.get("scans/b.jpg"))
    stored.put("scans/b.jpg", stored.get("scans/b.jpg"))  # another time, the same content
    stored.put("scans/bad.jpg", stored.get("scans/box/c.tif"))
    assert run(scans, "--output", output).returncode == ExitCode.OK
    count = {name: len(ids) for name, ids in stored.versions("out/").items()}
    del count[".work/lock.json"]
    assert count == {"a.png": 2, "b.jpg": 1, "box/c.tif": 1, "bad.jpg": 1, "manifest.jsonl": 2}
    assert platform.node() in stored.get("out/manifest.jsonl").decode()
    assert b"not-to-be-shown" not in stored.get("out/manifest.jsonl")


def test_failures_are_tried_again_when_asked(stored, run):
    scans, output = stored.address / "scans", stored.address / "out"
    stored.put("scans/bad.jpg", b"\xff\xd8\xff")
    for more in ((), ("--retry-failed",)):
        assert run(scans, "--output", output, *more).returncode == ExitCode.SOME_FAILED
    failures = [one for one in stored.manifest("out/") if one["state"] == "failed"]
    assert [one["name"] for one in failures] == ["bad.jpg", "bad.jpg"]


@pytest.mark.parametrize("killed", [pytest.param("parent", marks=pytest.mark.slow), "all"])
def test_killed_and_resumed_with_nothing_lost_and_nothing_twice(
    bucket, installed, run, model, tmp_path, killed
):
    picture = tmp_path / "one.jpg"
    Image.fromarray(compute_luma(photograph("rocket"))).save(picture)
    names = {f"{number:02}.jpg" for number in range(24)}
    for name in names:
        bucket.put(f"scans/{name}", picture.read_bytes())
    scans, output = bucket.address / "scans", bucket.address / "out"
    words = [installed.path, "run", str(scans), "--output", str(output), "--workers", "2"]
    process = subprocess.Popen(
        [*words, "--model", str(model)], start_new_session=True, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 100
    while len(bucket.there("out/") & names) < 3:
        assert process.poll() is None
        assert time.monotonic() < end
    (os.killpg if killed == "all" else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    made = bucket.versions("out/")
    assert len(made.keys() & names) < len(names), "killed too late to prove anything"
    ended = run(scans, "--output", output)
    assert ended.returncode == ExitCode.OK, ended.stderr
    after = bucket.versions("out/")
    assert {name: len(after[name]) for name in names} == dict.fromkeys(names, 1)
    assert {one["name"] for one in bucket.manifest("out/")} == names
    assert bucket.there("out/") == {*names, "manifest.jsonl"}
    assert verified(installed, output) == len(names)


def test_an_interrupted_run_records_and_gives_the_output_back(bucket, installed, model, scans):
    for number in range(40):
        bucket.put(f"scans/{number:02}.jpg", (scans / "b.jpg").read_bytes())
    words = [installed.path, "run", str(bucket.address / "scans"), "--workers", "1"]
    process = subprocess.Popen([*words, "--model", str(model)], stderr=subprocess.DEVNULL)
    while not bucket.there("scans-colorized/") & {"00.jpg"}:
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=100) == ExitCode.TERMINATED
    results = bucket.there("scans-colorized/") - {"manifest.jsonl"}
    assert {one["name"] for one in bucket.manifest("scans-colorized/")} == results


def test_two_runs_never_write_in_one_output(stored, run):
    holder = {"pid": 1, "host": "far-away", "since": "2026-01-01T00:00:00+00:00"}
    stored.put("out/.work/lock.json", json.dumps(holder).encode())
    ended = run(stored.address / "scans", "--output", stored.address / "out")
    assert ended.returncode == ExitCode.BUSY
    assert "far-away" in ended.stderr
    assert "if it was killed, run again in" in ended.stderr
    assert stored.there("out/") == {".work/lock.json"}


@pytest.mark.parametrize(
    ("root", "output"), [("scans", "scans"), ("scans", "scans/out"), ("scans/box", "scans")]
)
def test_an_output_among_the_scans_is_refused(stored, run, root, output):
    before = stored.versions()
    ended = run(stored.address / root, "--output", stored.address / output)
    assert ended.returncode == ExitCode.USAGE
    assert stored.versions() == before


def test_the_objects_of_others_are_kept(stored, run):
    stored.put("out/b.jpg", b"somebody's own")
    ended = run(stored.address / "scans", "--output", stored.address / "out")
    assert ended.returncode == ExitCode.SOME_FAILED
    assert stored.get("out/b.jpg") == b"somebody's own"
    reasons = {one["name"]: one["reason"] for one in stored.manifest("out/")}
    assert reasons["b.jpg"] == "target-exists"


def test_every_key_is_accounted_for(stored, run, tmp_path):
    odd = ["scans//x.jpg", "scans/box/../y.jpg", "scans/A.png", "scans/notes.txt", "scans/ä #?.jpg"]
    for key in odd:
        stored.put(key, stored.get("scans/b.jpg"))
    stored.put("scans/notes.txt", b"words")
    stored.put("scans/empty/", b"")
    stored.put("scans/" + "long" * 70 + ".jpg", stored.get("scans/b.jpg"))
    ended = run(stored.address / "scans", "--output", tmp_path / "out")
    assert ended.returncode == ExitCode.SOME_FAILED
    lines = (tmp_path / "out" / "manifest.jsonl").read_text(encoding="ascii").splitlines()
    known = {one["name"]: one for one in map(json.loads, lines) if one["kind"] == "outcome"}
    became = {name: one["reason"] or one["state"] for name, one in known.items()}
    assert became.pop("long" * 70 + ".jpg") == "target-name"
    assert became == {
        **dict.fromkeys((*PHOTOGRAPHS, "A.png", "ä #?.jpg"), "done"),
        "/": "target-name",
        "box/../": "target-name",
        "notes.txt": "not-a-picture",
    }
    targets = {one["target"] for one in known.values() if one["target"]}
    assert len({target.casefold() for target in targets}) == len(targets)


def test_sidecars_come_and_go_with_their_results_and_edited_ones_stay(stored, run, installed):
    scans, output = stored.address / "scans", stored.address / "out"
    assert run(scans, "--output", output, "--sidecar").returncode == ExitCode.OK
    assert stored.there("out/") >= {f"{name}.xmp" for name in PHOTOGRAPHS}
    assert verified(installed, output) == 3
    stored.put("out/b.jpg.xmp", b"edited")
    again = ("--sidecar", "--saturation", "0.5")
    assert run(scans, "--output", output, *again).returncode == ExitCode.SOME_FAILED
    assert stored.get("out/b.jpg.xmp") == b"edited"
    stored.remove("out/b.jpg.xmp")
    assert run(scans, "--output", output).returncode == ExitCode.OK
    assert stored.there("out/") == {*PHOTOGRAPHS, "manifest.jsonl"}


def test_what_is_wrong_in_an_output_is_found(stored, run, installed):
    output = stored.address / "out"
    assert run(stored.address / "scans", "--output", output).returncode == ExitCode.OK
    stored.put("out/a.png", b"changed")
    stored.remove("out/b.jpg")
    stored.put("out/strange.txt", b"")
    checked = installed("verify", str(output), "--json")
    assert checked.returncode == ExitCode.SOME_FAILED
    found = json.loads(checked.stdout)["findings"]
    assert {kind: [one["path"] for one in told] for kind, told in found.items()} == {
        "ChecksumMismatch": ["a.png"],
        "FileMissing": ["b.jpg"],
        "UnexpectedFile": ["strange.txt"],
    }
    assert run(stored.address / "scans", "--output", output).returncode == ExitCode.OK
    assert len(stored.versions("out/")["box/c.tif"]) == 1
    assert len(stored.versions("out/")["a.png"]) == 3


def test_a_dry_run_and_reports_write_nothing_there(stored, run, installed, tmp_path):
    before = stored.versions()
    listed = installed("run", str(stored.address / "scans"), "--dry-run")
    assert f"restore    a.png: {stored.address}/scans-colorized/a.png" in listed.stdout
    assert stored.versions() == before
    output = stored.address / "out"
    assert run(stored.address / "scans", "--output", output).returncode == ExitCode.OK
    before = stored.versions()
    assert "3  done" in installed("report", str(output)).stdout
    page = installed("report", str(output), "--format", "html", "--output", tmp_path / "page")
    assert page.returncode == ExitCode.OK, page.stderr
    assert len(list((tmp_path / "page" / "thumbs").glob("*.jpg"))) == 2 * len(PHOTOGRAPHS)
    assert stored.versions() == before


def test_errors_name_what_to_do_and_never_a_secret(stored, run, tmp_path, monkeypatch):
    scans, output = stored.address / "scans", tmp_path / "out"
    told = run(stored.address / "nothing", "--output", output)
    assert (told.returncode, "nothing at this address" in told.stderr) == (ExitCode.SOURCE, True)
    told = run(scans, "--output", "s3://no-such-bucket/out")
    assert (told.returncode, "does not exist" in told.stderr) == (ExitCode.OUTPUT, True)
    told = run("s3://me:hush@scans/a", "--output", output)
    assert (told.returncode, "hush" in told.stderr) == (ExitCode.USAGE, False)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    told = run(scans, "--output", output)
    assert (told.returncode, "credentials" in told.stderr) == (ExitCode.SOURCE, True)
    assert "not-to-be-shown" not in told.stderr


@pytest.mark.parametrize("words", [["film"], ["watch"], ["bag"], ["run", "--recipe"]])
def test_what_needs_files_refuses_addresses(command, words):
    told = command(*words, "s3://bucket/reel.mkv", "there")
    assert told.returncode == ExitCode.USAGE
    assert "copy the files to a disk" in told.stderr
