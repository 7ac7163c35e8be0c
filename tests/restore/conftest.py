import pytest

from tests.restore.studio import Studio


@pytest.fixture
def studio(tmp_path):
    return Studio(tmp_path)
