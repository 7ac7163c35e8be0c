"""Bags: as input, and as what an output is packed into."""

import json

import pytest

bagit = pytest.importorskip("bagit")


def outcomes_of(output):
    lines = (output / "manifest.jsonl").read_text().splitlines()
    return {r["name"]: r for r in map(json.loads, lines) if r["kind"] == "outcome"}


def test_a_bag_is_restored_from_its_payload_alone(command, scans, model):
    bagit.make_bag(str(scans), checksums=["md5"])
    run = command("run", scans, "--model", model, "--executor", "serial")
    output = scans.with_name("scans-colorized")
    assert run.returncode == 0, run.stderr
    assert set(outcomes_of(output)) == {"a.png", "b.jpg", "box/c.tif"}
    assert command("verify", output, "--deep").returncode == 0


def test_a_flipped_bit_fails_although_the_picture_decodes(command, scans, model):
    bagit.make_bag(str(scans), checksums=["sha256"])
    flipped = bytearray((scans / "data" / "box" / "c.tif").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (scans / "data" / "box" / "c.tif").write_bytes(flipped)
    run = command("run", scans, "--model", model, "--executor", "serial")
    output = scans.with_name("scans-colorized")
    assert run.returncode == 7
    made = outcomes_of(output)
    assert (made["box/c.tif"]["state"], made["box/c.tif"]["reason"]) == ("failed", "fixity")
    assert not (output / "box" / "c.tif").exists()
    flipped[len(flipped) // 2] ^= 1
    (scans / "data" / "box" / "c.tif").write_bytes(flipped)
    assert command("run", scans, "--model", model, "--executor", "serial").returncode == 0


def test_a_bag_that_names_files_outside_stops_the_run(command, scans, model):
    bagit.make_bag(str(scans), checksums=["sha256"])
    (scans / "tagmanifest-sha256.txt").unlink()
    with (scans / "manifest-sha256.txt").open("a") as stream:
        stream.write(f"{'0' * 64}  ../../etc/passwd\n")
    run = command("run", scans, "--model", model, "--executor", "serial")
    assert run.returncode == 5
    assert "Traceback" not in run.stderr


@pytest.fixture
def restored(command, scans, model):
    run = command("run", scans, "--model", model, "--executor", "serial")
    assert run.returncode == 0, run.stderr
    return scans.with_name("scans-colorized")


def test_an_output_becomes_a_bag_that_others_find_valid(command, restored, tmp_path):
    made = command("bag", restored, tmp_path / "bag")
    assert made.returncode == 0, made.stderr
    bag = bagit.Bag(str(tmp_path / "bag"))
    assert bag.validate()
    assert set(bag.payload_entries()) == {
        "data/a.png",
        "data/b.jpg",
        "data/box/c.tif",
        "data/manifest.jsonl",
    }
    assert bag.info["Bag-Software-Agent"].startswith("archive-colorizer ")
    assert "constant sha256 " in bag.info["Colorization-Model"]
    check = command("verify", tmp_path / "bag" / "data", "--deep")
    assert check.returncode == 0, check.stdout


def test_a_damaged_result_is_never_vouched_for(command, restored, tmp_path):
    (restored / "b.jpg").write_bytes(b"damaged")
    (restored / "a.png").unlink()
    made = command("bag", restored, tmp_path / "bag")
    assert made.returncode == 7
    assert "ChecksumMismatch: b.jpg" in made.stdout
    assert "FileMissing: a.png" in made.stdout
    assert not list(tmp_path.glob("bag*"))


def test_json_tells_what_was_packed(command, restored, tmp_path):
    made = command("bag", restored, tmp_path / "bag", "--json")
    said = json.loads(made.stdout)
    assert (said["files"], said["findings"]) == (4, [])
    sizes = (one.stat().st_size for one in (tmp_path / "bag" / "data").rglob("*") if one.is_file())
    assert said["bytes"] == sum(sizes)


def test_a_place_that_is_taken_or_inside_is_refused(command, restored, tmp_path):
    (tmp_path / "bag").mkdir()
    assert command("bag", restored, tmp_path / "bag").returncode == 6
    assert command("bag", restored, restored / "bag").returncode == 2
    assert command("bag", tmp_path / "bag", tmp_path / "other").returncode == 5
