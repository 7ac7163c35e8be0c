"""Which files belong to a photograph, by name alone."""

import os

import pytest

from archive_colorizer.discovery.companions import Companions
from archive_colorizer.discovery.walk import attach_companions, walk
from archive_colorizer.records.jobs import RejectedEntry, Source, Stamp


def is_photograph(name):
    return name.rpartition(".")[2] in ("jpg", "tif", "png")


@pytest.mark.parametrize(
    ("names", "of", "owners"),
    [
        (["a.jpg", "b.png"], {}, {}),
        (["a.jpg", "a.mask.png"], {"a.jpg": ["a.mask.png"]}, {"a.mask.png": "a.jpg"}),
        (["a.jpg", "a.jpg.mask.png"], {"a.jpg": ["a.jpg.mask.png"]}, {"a.jpg.mask.png": "a.jpg"}),
        (["a.jpg", "a.Hints.PNG"], {"a.jpg": ["a.Hints.PNG"]}, {"a.Hints.PNG": "a.jpg"}),
        (["b.jpg", "a.mask.png"], {}, {}),
        (["a.txt", "a.mask.png"], {}, {}),
        (["mask.png", "hints.png", ".mask.png"], {}, {}),
        (
            ["a.jpg", "a.mask.png", "a.tif"],
            {"a.jpg": ["a.mask.png"], "a.tif": ["a.mask.png"]},
            {"a.mask.png": "a.jpg"},
        ),
        (
            ["a.jpg", "a.jpg.mask.png", "a.mask.png"],
            {"a.jpg": ["a.jpg.mask.png"]},
            {"a.jpg.mask.png": "a.jpg", "a.mask.png": None},
        ),
        (
            ["a.jpg", "a.jpg.mask.png", "a.mask.png", "a.tif"],
            {"a.jpg": ["a.jpg.mask.png"], "a.tif": ["a.mask.png"]},
            {"a.jpg.mask.png": "a.jpg", "a.mask.png": "a.tif"},
        ),
        (
            ["a.jpg", "a.hints.png", "a.mask.png"],
            {"a.jpg": ["a.mask.png", "a.hints.png"]},
            dict.fromkeys(["a.mask.png", "a.hints.png"], "a.jpg"),
        ),
    ],
)
def test_names_say_what_belongs_together(names, of, owners):
    found = Companions.find(names, is_photograph)
    assert {name: [one for _, one in own] for name, own in found.by_photograph.items()} == of
    assert found.owners == owners


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_a_walk_gives_photographs_with_what_they_have_and_accounts_for_the_rest(tmp_path):
    put(tmp_path, "a.jpg", "a.mask.png", "box/a.hints.png", "box/b.tif", "box/b.tif.mask.png")
    found = {one.relative: one for one in walk(tmp_path)}
    assert [(one.role, one.name) for one in found["a.jpg"].beside] == [("mask", "a.mask.png")]
    assert found["a.jpg"].beside[0].stamp == Stamp.from_stat(os.lstat(tmp_path / "a.mask.png"))
    assert isinstance(found["a.mask.png"], RejectedEntry)
    assert found["a.mask.png"].reason == "companion"
    assert found["a.mask.png"].message == "a.mask.png is the mask of a.jpg"
    assert found["box/b.tif.mask.png"].message == "box/b.tif.mask.png is the mask of b.tif"
    # Without a photograph of its name it is a photograph itself.
    assert isinstance(found["box/a.hints.png"], Source)


def test_a_single_file_has_companions_too_and_only_it_is_given(tmp_path):
    put(tmp_path, "a.jpg", "a.mask.png", "b.jpg")
    (only,) = walk(tmp_path / "a.jpg")
    assert [one.name for one in only.beside] == ["a.mask.png"]
    alone = Source(str(tmp_path), "a.jpg", only.stamp)
    assert attach_companions(alone) == only
    (mask,) = walk(tmp_path / "a.mask.png")
    assert isinstance(mask, Source)


def test_where_no_name_asks_for_it_no_file_is_looked_at_twice(tmp_path, monkeypatch):
    put(tmp_path, *(f"{at}.jpg" for at in range(5)))
    asked = []
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: asked.append(path) or real(path))
    assert len(list(walk(tmp_path))) == len(asked) == 5
