"""Batches of a few sizes, and what becomes of them when memory is short."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import ModelError
from archive_colorizer.model.batching import BATCH_SIZES, FixedBatchSizes


class Card:
    """A network that answers with the negative, for as many values as it has memory for."""

    def __init__(self, room=10**9):
        self.room = room
        self.tried = []

    def __call__(self, batch):
        self.tried.append(len(batch))
        if batch.size > self.room:
            raise MemoryError("Failed to allocate memory for requested buffer of size 1")
        return -batch


def pictures(count, side=2):
    return np.arange(count * side * side, dtype=np.float32).reshape(count, 1, side, side)


@given(st.integers(1, 70), st.integers(1, 20), st.integers(4, 400))
def test_every_picture_gets_its_answer_in_batches_of_few_sizes(count, most, room):
    card = Card(room)
    assert np.array_equal(FixedBatchSizes(card, most)(pictures(count)), -pictures(count))
    assert set(card.tried) <= {size for size in BATCH_SIZES if size <= most}


@given(st.integers(1, 16))
def test_little_is_filled_up(count):
    card = Card()
    FixedBatchSizes(card, 16)(pictures(count))
    assert sum(card.tried) - count <= sum(card.tried) / 4


def test_what_memory_does_not_suffice_for_is_not_tried_again():
    card = Card(room=5 * 4)
    fitted = FixedBatchSizes(card, 16)
    fitted(pictures(16))
    assert card.tried == [16, 8, 4, 4, 4, 4]
    card.tried.clear()
    fitted(pictures(16))
    assert card.tried == [4, 4, 4, 4]


def test_smaller_pictures_still_come_in_large_batches():
    card = Card(room=4 * 16)
    fitted = FixedBatchSizes(card, 16)
    fitted(pictures(8, side=4))
    card.tried.clear()
    fitted(pictures(16, side=2))
    assert card.tried == [16]


def test_one_picture_too_large_is_told():
    card = Card(room=15)
    fitted = FixedBatchSizes(card, 16)
    with pytest.raises(MemoryError, match="allocate"):
        fitted(pictures(3, side=4))
    assert card.tried == [4, 2, 1]
    assert np.array_equal(fitted(pictures(1)), -pictures(1))


def test_other_errors_are_not_tried_again():
    tried = []

    def broken(batch):
        tried.append(len(batch))
        raise ModelError("the network failed")

    with pytest.raises(ModelError):
        FixedBatchSizes(broken, 16)(pictures(4))
    assert tried == [4]
