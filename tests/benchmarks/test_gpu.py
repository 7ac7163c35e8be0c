"""The measurement of graphics cards: that each part of it measures, on a processor."""

import json
import os
import time
from argparse import Namespace

import pytest

pytest.importorskip("skimage.data", reason="photographs come with scikit-image")
pytest.importorskip("onnx", reason="the networks are made with onnx")

from archive_colorizer.model.batching import BATCH_SIZES
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.runtime import CPU
from benchmarks.gpu import (
    Inference,
    Running,
    inference,
    main,
    models,
    only_cores,
    running,
    watched_card,
)
from benchmarks.speed_pictures import make_pictures
from tests.model.networks import constant_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return constant_model(tmp_path_factory.mktemp("model") / "constant.onnx")


@pytest.mark.parametrize("bound", [False, True])
def test_every_size_of_batch_is_timed(model, bound):
    found = inference(open_colorizer(model, device="cpu"), 32, bound, "cpu", rounds=1)
    assert set(found.milliseconds) == set(BATCH_SIZES)
    assert min(found.milliseconds.values()) > 0
    assert found.cells(BATCH_SIZES)[:3] == ["constant", "32", "yes" if bound else "no"]


def test_where_memory_is_short_the_curve_ends():
    found = Inference("large", 16, True, {1: 20.0, 2: 15.0}, out_of_memory=4)
    assert found.cells(BATCH_SIZES) == ["large", "16", "yes", "20.00", "15.00", "-", "-", "-"]


def test_both_networks_come_in_32_and_in_16_bits(tmp_path):
    made = list(models(tmp_path, Namespace(size=64, narrower=16)))
    assert [bits for _, bits in made] == [32, 16, 32, 16]
    large = open_colorizer(made[2][0], device="cpu").contract
    assert (large.family, large.max_batch, large.input.size) == ("ddcolor", None, 64)


def test_a_run_is_measured_on_as_many_cores_as_asked(model, tmp_path):
    make_pictures("frame", tmp_path / "scans", 12)
    before = os.sched_getaffinity(0)
    found = running(model, 32, 1, tmp_path / "scans", "cpu")
    assert os.sched_getaffinity(0) == before
    assert found.cores == 1
    assert found.photos_a_second is None or found.photos_a_second > 0
    with only_cores(1):
        assert len(os.sched_getaffinity(0)) == 1


def test_what_is_slower_bounds():
    run = Running("m", 32, cores=4, photos_a_second=9.0, cpu=0.1, busy=None, memory=None)
    assert run.bound_by(best=2.0) == "cores (40.00/s)"
    assert run.bound_by(best=50.0) == "network (20.00/s)"


def driver(tmp_path, monkeypatch, said):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_the_busiest_card_is_watched(tmp_path, monkeypatch):
    driver(tmp_path, monkeypatch, "3 %%, 900 MiB\\n87 %%, 1500 MiB\\n")
    with watched_card() as looks:
        end = time.monotonic() + 30
        while not looks and time.monotonic() < end:
            time.sleep(0.05)
    assert looks[0] == (87.0, 1500.0)


def test_a_card_that_does_not_tell_is_no_error(tmp_path, monkeypatch):
    driver(tmp_path, monkeypatch, "[N/A], [N/A]\\n")
    with watched_card() as looks:
        time.sleep(0.6)
    assert looks == []


@pytest.mark.slow
def test_the_whole_of_it_on_a_processor(tmp_path, capsys):
    words = "--device cpu --photos 8 --kind frame --cores 1 --rounds 1 --size 64 --narrower 16"
    main([*words.split(), "--json", str(tmp_path / "figures.json")])
    said = capsys.readouterr().out
    assert said.startswith(CPU)
    assert said.count("| as-large-as-ddcolor-fp16 |") == 3
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert len(figures["inference"]) == 8
    assert len(figures["runs"]) == 4
