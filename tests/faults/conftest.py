from pathlib import Path

import pytest

from tests.faults.archive import Archive
from tests.model.networks import constant_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that paints every picture in one color."""
    return constant_model(tmp_path_factory.mktemp("models") / "constant.onnx")


@pytest.fixture
def archive(tmp_path: Path, model: Path) -> Archive:
    return Archive(tmp_path, model)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources do what their names say (see injected.py)."""
    from tests.faults.injected import restore_with_faults

    monkeypatch.setattr("archive_colorizer.pipeline.photos.restore_photos", restore_with_faults)
