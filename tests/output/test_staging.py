import errno
import os

import pytest

from archive_colorizer.errors import OutputError
from archive_colorizer.output.deliveries import PendingResult
from archive_colorizer.output.staging import (
    discard_on_error,
    load_content,
    stage_content,
)

LARGE = 1 << 30


def write(file):
    """As the writer of TIFF does it: the beginning comes last, and is read before."""
    file.write(b"\0" * 4 + b"pixels")
    file.seek(4)
    assert file.read() == b"pixels"
    file.seek(0)
    file.write(b"head")


def failing(error):
    def write(file):
        file.write(b"begun")
        raise error

    return write


@pytest.mark.parametrize("size", [0, LARGE])
def test_a_draft_is_what_was_written_wherever_it_waits(tmp_path, size):
    content = stage_content(write, size, str(tmp_path))
    assert isinstance(content, bytes) == (size == 0)
    assert PendingResult(content, None, None).waiting_bytes == 10
    assert load_content(content) == b"headpixels"
    assert not list(tmp_path.iterdir())


def test_a_draft_that_went_away_weighs_nothing(tmp_path):
    content = stage_content(write, LARGE, str(tmp_path))
    content.unlink()
    assert PendingResult(content, None, None).waiting_bytes == 0


def test_without_a_folder_all_stay_in_memory():
    assert stage_content(write, LARGE, "") == b"headpixels"


@pytest.mark.parametrize("error", [ValueError("a picture of no kind"), OSError("encoder error")])
def test_what_a_writer_raises_leaves_no_file(tmp_path, error):
    with pytest.raises(type(error), match=str(error)):
        stage_content(failing(error), LARGE, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_of_the_output(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OutputError, match="No space left"):
        stage_content(failing(full), LARGE, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_went_away_is_an_error_of_the_output(tmp_path):
    with pytest.raises(OutputError, match="No such file"):
        stage_content(write, LARGE, str(tmp_path / "gone"))


def test_a_draft_that_is_not_wanted_any_more_goes(tmp_path):
    content = stage_content(write, LARGE, str(tmp_path))
    with pytest.raises(ValueError, match="changed"), discard_on_error(content):
        raise ValueError("changed")
    assert not list(tmp_path.iterdir())
