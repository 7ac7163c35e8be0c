import pickle
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import UsageError
from archive_colorizer.film.scene_cuts import Cut
from archive_colorizer.film.shots import (
    COLUMNS,
    build_shot_recipe,
    find_shots,
    format_cut_list,
    join_short,
    parse_cut_list,
    split_shot,
)
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Shot
from tests.film.restored_films import MemoryFilm, pan

SHOTS = (
    Shot(0, 44),
    Shot(44, 134, strength=0.5, hue=-30.0),
    Shot(134, 360, model="=evil()", saturation=1.2, value=0.9),
)


def test_shots_fill_the_film():
    pytest.importorskip("scenedetect", reason="finding cuts needs PySceneDetect")
    film = MemoryFilm(pan("astronaut", 30) + pan("coffee", 8) + pan("chelsea", 30))
    assert find_shots(film, 5) == (Shot(0, 30), Shot(30, 38), Shot(38, 68))
    assert len(find_shots(film, 12)) == 2
    assert find_shots(film, 5, range(10, 50)) == (Shot(10, 30), Shot(30, 38), Shot(38, 50))
    assert len(pickle.dumps(SHOTS[2])) < 500


def test_a_short_shot_joins_the_neighbor_that_is_more_like_it():
    cuts = [Cut(30, 50.0), Cut(35, 20.0)]
    assert join_short(cuts, range(100), 12) == [30]
    assert join_short(cuts[::1], range(100), 5) == [30, 35]
    assert join_short([Cut(30, 20.0), Cut(35, 50.0)], range(100), 12) == [35]


def test_short_ends_join_inwards_and_a_short_film_is_one_shot():
    assert join_short([Cut(3, 90.0), Cut(50, 20.0), Cut(98, 90.0)], range(100), 12) == [50]
    assert join_short([Cut(2, 90.0)], range(5), 12) == []


@given(
    st.lists(st.integers(1, 199), unique=True, max_size=20),
    st.integers(1, 40),
    st.randoms(use_true_random=False),
)
def test_no_joined_shot_is_too_short(at, shortest, random):
    cuts = [Cut(frame, random.uniform(12, 200)) for frame in sorted(at)]
    kept = join_short(cuts, range(200), shortest)
    bounds = [0, *kept, 200]
    assert set(kept) <= set(at)
    assert not kept or min(after - before for before, after in pairwise(bounds)) >= shortest


@given(st.integers(0, 1000), st.integers(1, 5000), st.integers(1, 400))
def test_parts_fill_a_shot_and_are_alike(first, frames, longest):
    parts = split_shot(Shot(first, first + frames), longest)
    lengths = [part.frames for part in parts]
    assert parts[0].first == first
    assert parts[-1].last == first + frames
    assert all(a.last == b.first for a, b in pairwise(parts))
    assert max(lengths) <= longest
    assert max(lengths) - min(lengths) <= 1


def test_a_list_comes_back_as_it_was():
    assert parse_cut_list(format_cut_list(SHOTS), "shots.csv", range(360)) == SHOTS


def test_no_cell_begins_a_formula():
    cells = format_cut_list(SHOTS).decode().replace("\r\n", ",").split(",")
    assert "'=evil()" in cells
    assert not [cell for cell in cells if cell[:1] in tuple("=+@") or cell[:2] == "-="]


@pytest.mark.parametrize(
    "text",
    [
        "first,last\n0,10\n10,20\n",
        "\ufeffshot;first;last;strength\r\n1;0;10;0.5\r\n\r\n2;10;20;\r\n",
        'Last , First,shot\n"10",0,one\n20,10,two\n',
    ],
    ids=["fewest columns", "spreadsheet", "other order"],
)
def test_lists_of_people_are_understood(text):
    shots = parse_cut_list(text.encode(), "shots.csv", range(20))
    assert [(shot.first, shot.last) for shot in shots] == [(0, 10), (10, 20)]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "first"),
        ("shot,first\n1,0\n", 1, "last"),
        ("first,last,strenght\n", 1, "strength"),
        ("first,last\n0,10\n11,20\n", 3, "10"),
        ("first,last\n0,10\n9,20\n", 3, "10"),
        ("first,last\n5,20\n", 2, "0"),
        ("first,last\n0,0\n", 2, "after"),
        ("first,last\n0,21\n", 2, "20"),
        ("first,last\n0,10\n", 2, "20"),
        ("first,last\n", 1, "20"),
        ("first,last\nzero,20\n", 2, "zero"),
        ("first,last\n-1,20\n", 2, "-1"),
        ("first,last\n0,2\u00b2\n", 2, "number of a frame"),
        ("first,last,strength\n0,20,much\n", 2, "much"),
        ("first,last,strength\n0,20,1.5\n", 2, "strength"),
        ("first,last,hue\n0,20,nan\n", 2, "hue"),
        ("first,last\n0,20,3\n", 2, "cells"),
        ('first,last\n0,"20\n', 2, "CSV"),
        ("first,last\n0," + "9" * 5000 + "\n", 2, "number of a frame"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, line, said):
    with pytest.raises(UsageError, match=rf"shots\.csv, line {line}\b.*{said}"):
        parse_cut_list(text.encode(), "shots.csv", range(20))


def test_other_encodings_are_refused():
    with pytest.raises(UsageError, match="UTF-8"):
        parse_cut_list("first,last\n0,20\n".encode("utf-16"), "shots.csv", range(20))


@given(st.binary(max_size=200))
def test_whatever_the_bytes_only_usage_errors_are_raised(data):
    try:
        parse_cut_list(b"first,last\n" + data, "shots.csv", range(20))
    except UsageError as error:
        assert "shots.csv" in str(error)


def test_a_shot_has_its_own_settings():
    recipe = build_shot_recipe(Recipe(saturation=0.8), SHOTS[1])
    assert (recipe.strength, recipe.hue, recipe.saturation) == (0.5, -30.0, 0.8)
    assert build_shot_recipe(Recipe(hue=20.0), SHOTS[0]) == Recipe(hue=20.0)
    assert COLUMNS[:3] == ("shot", "first", "last")
