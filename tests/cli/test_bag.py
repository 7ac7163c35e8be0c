"""Bags through the installed command: as input, and as what an output is packed into."""

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
