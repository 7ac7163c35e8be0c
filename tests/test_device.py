import subprocess

import pytest

from archive_colorizer import device
from archive_colorizer.device import VISIBLE_DEVICES, Device, list_visible_gpus
from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.recipe import Recipe


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("auto", Device("auto")),
        ("cpu", Device("cpu")),
        ("cuda", Device("cuda")),
        ("cuda:0", Device("cuda", 0)),
        ("tensorrt:12", Device("tensorrt", 12)),
    ],
)
def test_a_device_is_a_word_and_perhaps_a_card(text, meant):
    assert Device.parse(text) == meant
    assert str(meant) == text
    assert Recipe(device=text).device == text


@pytest.mark.parametrize(
    "text", ["", "gpu", "cuda:", "cuda:-1", "cpu:0", "CUDA", "cuda:1\n", "auto:1"]
)
def test_other_words_are_refused_and_the_known_ones_named(text):
    with pytest.raises(UsageError, match="auto, cpu, cuda, tensorrt"):
        Recipe(device=text)


@pytest.mark.parametrize(
    ("variable", "cards"),
    [
        ("", ()),
        ("-1", ()),
        ("1", ("1",)),
        ("2, 0", ("2", "0")),
        ("0,-1,1", ("0",)),
        ("1,1", ("1",)),
        ("GPU-aa,MIG-bb", ("GPU-aa", "MIG-bb")),
    ],
)
def test_cards_are_seen_as_cuda_reads_its_variable(monkeypatch, variable, cards):
    monkeypatch.setenv(VISIBLE_DEVICES, variable)
    assert list_visible_gpus() == cards


def test_the_driver_is_asked_where_nothing_is_set(monkeypatch, tmp_path):
    monkeypatch.delenv(VISIBLE_DEVICES, raising=False)
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\n[ "$1" = --query-gpu=uuid ] && printf "GPU-a\\nGPU-b\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert list_visible_gpus() == ("GPU-a", "GPU-b")


def test_a_driver_that_does_not_answer_shows_no_card(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho NVIDIA-SMI has failed; exit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert device.query_gpus("uuid") == ()

    def hang(*_words, **_more):
        raise subprocess.TimeoutExpired("nvidia-smi", 1)

    monkeypatch.setattr(subprocess, "run", hang)
    assert device.query_gpus("uuid") == ()
