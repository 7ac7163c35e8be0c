from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.color.strip_image import StripImage

HEIGHT = 23
SAMPLES = np.arange(HEIGHT * 5 * 3, dtype=np.uint16).reshape(HEIGHT, 5, 3)


def made_in_strips(cuts):
    """SAMPLES in strips that end at `cuts`, all in one buffer, so that the last one is lost."""

    def strips():
        buffer = np.zeros_like(SAMPLES)
        for top, bottom in pairwise([0, *sorted(cuts), HEIGHT]):
            buffer[: bottom - top] = SAMPLES[top:bottom]
            yield buffer[: bottom - top]
            buffer[:] = 0

    return StripImage(SAMPLES.shape, SAMPLES.dtype, strips)


CUTS = st.sets(st.integers(1, HEIGHT - 1))


@given(cuts=CUTS)
def test_a_picture_in_strips_is_the_whole_one_as_often_as_it_is_asked(cuts):
    picture = made_in_strips(cuts)
    assert np.array_equal(picture.assemble(), SAMPLES)
    assert np.array_equal(picture.assemble(), SAMPLES)


@given(cuts=CUTS, count=st.integers(1, HEIGHT + 5))
def test_strips_have_the_rows_that_are_asked_for(cuts, count):
    strips = [strip.copy() for strip in made_in_strips(cuts).iterate_rows(count)]
    assert [len(strip) for strip in strips[:-1]] == [count] * (len(strips) - 1)
    assert np.array_equal(np.concatenate(strips), SAMPLES)


def test_a_whole_picture_is_not_copied():
    picture = StripImage.from_samples(SAMPLES)
    assert picture.assemble() is SAMPLES
    assert np.shares_memory(next(picture.iterate_rows(4)), SAMPLES)
