import numpy as np
import pytest

from archive_colorizer.film.scene_cuts import find_cuts
from tests.film.restored_films import LIMITED, MemoryFilm, lit, pan
from tests.locations import SHARED

pytest.importorskip("scenedetect", reason="finding cuts needs PySceneDetect")

CLIP = SHARED / "data/film/bw_1950s_clip.mp4"


def cuts_of(lumas, **how):
    return [cut.frame for cut in find_cuts(MemoryFilm(lumas), **how)]


def test_cuts_between_pans_are_found_and_nothing_else():
    film = pan("astronaut", 30) + pan("coffee", 25) + pan("chelsea", 40) + pan("rocket", 20)
    assert cuts_of(film) == [30, 55, 95]


def test_a_cut_says_how_much_it_changes():
    (cut,) = find_cuts(MemoryFilm(pan("astronaut", 20) + pan("coffee", 20)))
    assert 12 < cut.change < 255


def test_only_the_frames_asked_for_are_looked_at():
    film = pan("astronaut", 30) + pan("coffee", 25) + pan("chelsea", 40)
    assert cuts_of(film, first=30, last=80) == [55]


@pytest.mark.parametrize("step", [0, 8])
def test_neither_a_still_nor_a_fast_pan_is_cut(step):
    assert cuts_of(pan("coffee", 40, step=step)) == []


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_flash_is_no_cut(length):
    gains = np.ones(40)
    gains[18 : 18 + length] = 4
    assert cuts_of(lit(pan("astronaut", 40), gains)) == []


def test_a_cut_beside_a_flash_is_still_a_cut():
    gains = np.ones(50)
    gains[10] = 4
    assert cuts_of(lit(pan("astronaut", 25) + pan("coffee", 25), gains)) == [25]


def test_the_flicker_of_a_print_is_no_cut():
    gains = 1 - 0.25 * np.random.default_rng(1).random(60)
    assert cuts_of(lit(pan("coffee", 60), gains)) == []


def test_a_fade_through_black_is_cut_where_it_is_dark():
    down, up = np.linspace(1, 0, 15), np.linspace(0, 1, 15)
    gains = np.concatenate([np.ones(10), down, np.zeros(6), up, np.ones(10)])
    (cut,) = cuts_of(lit(pan("astronaut", 28) + pan("coffee", 28), gains))
    assert 24 <= cut <= 33


def test_frames_that_cannot_be_decoded_are_no_cut():
    film = pan("astronaut", 30) + pan("coffee", 30)
    film[12] = film[40] = None
    assert cuts_of(film) == [30]


def test_deep_frames_are_understood():
    film = [luma.astype(np.uint16) << 2 for luma in pan("astronaut", 20) + pan("coffee", 20)]
    deep = MemoryFilm(film, type(LIMITED)(10, False, "bt709"))
    assert [cut.frame for cut in find_cuts(deep)] == [20]


@pytest.mark.skipif(not CLIP.exists(), reason="the 1950s clip lies beside the project")
def test_the_cuts_of_a_film_of_the_1950s():
    pytest.importorskip("av", reason="reading video needs PyAV")
    from archive_colorizer.video.reader import open_film

    with open_film(CLIP) as film:
        assert [cut.frame for cut in find_cuts(film)] == [44, 134, 299]
