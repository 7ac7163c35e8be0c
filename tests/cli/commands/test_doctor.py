def test_doctor_says_what_there_is(command):
    said = command("doctor")
    assert said.returncode == 0, said.stdout + said.stderr
    for word in (
        "python",
        "dask",
        "CPUExecutionProvider",
        "cores",
        "memory",
        "model default",
        "sha256",
        "a run works here",
    ):
        assert word in said.stdout


def test_doctor_ends_with_3_when_the_device_asked_for_is_missing(command, model):
    import pytest

    from archive_colorizer.model.colorizer import read_model
    from archive_colorizer.model.runtime import CUDA, probe_providers

    if probe_providers(read_model(model)).get(CUDA):
        pytest.skip("this machine has CUDA")
    said = command("doctor", "--device", "cuda")
    assert said.returncode == 3
    assert "trouble: --device cuda" in said.stderr


def test_doctor_tells_of_cards(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from archive_colorizer import device
    from archive_colorizer.cli.commands.doctor import command

    program = tmp_path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\ncase "$1" in *uuid) echo GPU-a; echo GPU-b;; *) echo "0, NVIDIA H100";; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv(device.VISIBLE_DEVICES, raising=False)
    monkeypatch.setattr(device, "has_driver", lambda: True)
    said = CliRunner().invoke(command, ["--device", "cpu"], standalone_mode=False).stdout
    assert "NVIDIA card                  0, NVIDIA H100" in said
    assert "cards for a run              GPU-a, GPU-b" in said
    assert "a run uses                   CPUExecutionProvider" in said


def test_doctor_refuses_a_word_that_is_no_device(command):
    said = command("doctor", "--device", "gpu")
    assert said.returncode == 2
    assert "cuda:1" in said.stderr
