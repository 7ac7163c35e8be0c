"""Frontal faces, beside scikit-image's evaluation of the same cascade."""

import cv2
import numpy as np
import pytest

from archive_colorizer.color.analysis.faces import find_faces
from archive_colorizer.color.space import compute_luma
from tests.photographs import photograph

# Where the face is: top, left, bottom, right.
ASTRONAUT = (60, 170, 190, 280)


def small(picture, height=256):
    luma = compute_luma(picture).astype(np.float32) / 255
    width = round(luma.shape[1] * height / luma.shape[0])
    return cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)


def test_the_face_of_a_portrait_is_found_where_it_is():
    (top, left, bottom, right), *others = find_faces(small(photograph("astronaut")))
    expected_top, expected_left, expected_bottom, expected_right = (x / 2 for x in ASTRONAUT)
    middle = ((top + bottom) / 2, (left + right) / 2)
    assert expected_top < middle[0] < expected_bottom
    assert expected_left < middle[1] < expected_right
    assert not others


def test_scikit_image_finds_the_same_face_with_the_same_cascade():
    data = pytest.importorskip("skimage.data")
    feature = pytest.importorskip("skimage.feature")
    luma = small(photograph("astronaut"))
    cascade = feature.Cascade(data.lbp_frontal_face_cascade_filename())
    (theirs, *_) = cascade.detect_multi_scale(
        img=luma.astype(np.float64), scale_factor=1.2, step_ratio=1, min_size=(48, 48),
        max_size=(200, 200),
    )  # fmt: skip
    top, left, bottom, right = find_faces(luma)[0]
    assert abs((top + bottom) / 2 - (theirs["r"] + theirs["height"] / 2)) < 8
    assert abs((left + right) / 2 - (theirs["c"] + theirs["width"] / 2)) < 8


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea"])
def test_no_face_is_found_where_there_is_none(name):
    assert find_faces(small(photograph(name))) == []


@pytest.mark.parametrize("shape", [(32, 32), (32, 128), (53, 60)])
def test_small_and_flat_pictures_have_no_face(shape):
    assert find_faces(np.full(shape, 0.5, dtype=np.float32)) == []
