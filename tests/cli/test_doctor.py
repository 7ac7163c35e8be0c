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

    from archive_colorizer.model.colorizer import CUDA, providers_that_load

    if providers_that_load(model).get(CUDA):
        pytest.skip("this machine has CUDA")
    said = command("doctor", "--device", "cuda")
    assert said.returncode == 3
    assert "trouble: --device cuda" in said.stderr
