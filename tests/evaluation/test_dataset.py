import numpy as np
import pytest
from PIL import Image

from archive_colorizer.errors import UsageError
from archive_colorizer.evaluation.dataset import (
    Subject,
    find_index,
    group_subjects,
    load_subjects,
)
from tests.photographs import photograph
from tests.training.conftest import jpeg_of, write_tar

INDEX = (
    "file,category,people,size\ne/chelsea.jpg,animal,no,9\ne/coffee.jpg,,no,9\nother.jpg,x,no,9\n"
)


@pytest.fixture
def described(tmp_path):
    """A tar with an index next to it."""
    members = {
        f"e/{name}.jpg": jpeg_of(photograph(name)[:96, :96]) for name in ("chelsea", "coffee")
    }
    folder = tmp_path / "described"
    folder.mkdir()
    (folder / "index.csv").write_text(INDEX)
    return write_tar(folder / "kept.tar", members)


def folder_of(path, *names):
    path.mkdir(parents=True)
    for name in names:
        Image.fromarray(photograph("coffee")[:96, :96]).save(path / name)
    return path


def test_the_index_beside_a_tar_is_used_unasked(described):
    assert find_index(described) == described.parent / "index.csv"
    found = load_subjects([described])
    assert group_subjects(found) == {
        "all": [0, 1],
        "category animal": [0],
        "people no": [0, 1],
    }
    assert [dict(one.traits) for one in load_subjects([described], columns=["size"])] == [
        {"size": "9"}, {"size": "9"},
    ]  # fmt: skip


def test_other_tables_and_folders_have_no_index(described):
    assert find_index(described.parent) is None
    (described.parent / "index.csv").write_text("file,licence\n")
    assert find_index(described) is None
    assert group_subjects(load_subjects([described])) == {"all": [0, 1]}


def test_equal_names_in_different_sets_and_kinds_are_different_photographs(tmp_path):
    first = folder_of(tmp_path / "one" / "scans", "p.jpg", "p.png")
    second = folder_of(tmp_path / "two" / "scans", "p.jpg")
    found = load_subjects([first, second])
    assert len({(one.dataset, one.name) for one in found}) == len(found) == 3
    assert group_subjects(found) == {
        "all": [0, 1, 2], f"set {first}": [0, 1], f"set {second}": [2],
    }  # fmt: skip


def test_equal_names_in_tars_of_one_folder_are_told_apart(tmp_path):
    content = jpeg_of(photograph("coffee")[:96, :96])
    for name in "ab":
        write_tar(tmp_path / f"{name}.tar", {"p.jpg": content})
    assert [one.name for one in load_subjects([tmp_path])] == ["a/p.jpg", "b/p.jpg"]


def test_an_index_that_does_not_fit_is_refused(described, tmp_path):
    index = tmp_path / "mine.csv"
    index.write_text("file,kind\nnobody.jpg,x\n")
    with pytest.raises(UsageError, match=r"mine\.csv: its column `file` names no photograph"):
        load_subjects([described], index, ["kind"])
    with pytest.raises(UsageError, match="has no column sort"):
        load_subjects([described], index, ["sort"])
    with pytest.raises(UsageError, match="cannot be read"):
        load_subjects([described], tmp_path / "absent.csv", ["kind"])


def test_the_fifth_with_the_least_color_is_a_group():
    subjects = []
    for saturation in (9, 3, 7, 0, 5, 8, 1, 6, 4, 2):
        rgb = np.full((16, 16, 3), 120, np.uint8)
        rgb[..., 0] += 10 * saturation
        subjects.append(Subject("s", f"{saturation}.png", rgb))
    assert group_subjects(subjects)["least color"] == [3, 6]
    assert "least color" not in group_subjects(subjects[:4])
