import hashlib

import cv2
import numpy as np
import pytest

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.training.config import Aging, TrainingRecipe
from archive_colorizer.training.data.crops import (
    CropSampler,
    TrainingPhoto,
    compute_source_chances,
    decode_photo,
    read_photos,
    split_photos,
    to_planes,
)
from tests.photographs import photograph
from tests.training.conftest import jpeg_of, without_aging, write_tar

PLAIN = TrainingRecipe(aging=without_aging())


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((255, 0, 0), (0.299, -0.1687, 0.5)),
        ((0, 255, 0), (0.587, -0.3313, -0.4187)),
        ((0, 0, 255), (0.114, 0.5, -0.0813)),
        ((255, 255, 255), (1.0, 0.0, 0.0)),
        ((90, 90, 90), (90 / 255, 0.0, 0.0)),
    ],
)
def test_known_colors_have_their_bt601_planes(rgb, expected):
    luma, chroma = to_planes(np.full((4, 6, 3), rgb, np.uint8))
    assert luma.shape == (4, 6)
    assert chroma.shape == (2, 4, 6)
    assert luma.dtype == chroma.dtype == np.float32
    np.testing.assert_allclose([luma[0, 0], *chroma[:, 0, 0]], expected, atol=2e-4)


def test_the_target_is_the_photo_s_own_color():
    orange = np.full((96, 96, 3), (240, 130, 20), np.uint8)
    recipe = TrainingRecipe(aging=Aging(border_share=0.0))
    crops = CropSampler([TrainingPhoto("a", "a/orange.jpg", jpeg_of(orange, 98))], recipe)
    truth = to_planes(orange)[1][:, 0, 0]
    for number in range(8):  # aged or not, the chroma to be found is the same
        chroma = crops.draw_crop(number, 32)[2]
        np.testing.assert_allclose(chroma.mean((1, 2)), truth, atol=0.01)


def test_tars_and_folders_give_the_same_photos(tmp_path, tar):
    folder = tmp_path / "photos"
    (folder / "mine" / "deep").mkdir(parents=True)
    content = jpeg_of(photograph("chelsea")[:128, :128])
    (folder / "mine" / "deep" / "cat.jpg").write_bytes(content)
    (folder / "free.tar").write_bytes(tar.read_bytes())
    found = read_photos([folder])
    assert [p.source for p in found] == ["free"] * 12 + ["mine"]
    assert found[-1].name == "mine/deep/cat.jpg"
    assert found[-1].content == content
    assert [p.content for p in found[:12]] == [p.content for p in read_photos([tar])]


def test_what_is_no_color_photo_is_left_out(tmp_path):
    picture = photograph("coffee")[:128, :128]
    good = jpeg_of(picture)
    _, png = cv2.imencode(".png", picture[..., ::-1])
    grey = cv2.imencode(".jpg", picture[..., 0])[1].tobytes()
    members = {
        "s/a.jpg": good,
        "s/b.jpg": b"\xff\xd8 nothing",
        "s/c.txt": b"words",
        "s/d.jpg": grey,
        "s/e.jpg": jpeg_of(picture[:32, :32]),
        "s/f.jpg": b"",
        "s/g.png": png.tobytes(),
    }
    found = read_photos([write_tar(tmp_path / "s.tar", members)])
    assert [p.name for p in found] == ["s/a.jpg", "s/g.png"]
    np.testing.assert_array_equal(decode_photo(found[1].content), picture)


def test_missing_broken_and_empty_places_are_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        read_photos([tmp_path / "nowhere"])
    (tmp_path / "torn.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(SourceError, match=r"torn\.tar"):
        read_photos([tmp_path / "torn.tar"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no color photographs"):
        read_photos([tmp_path / "empty"])


def test_a_crop_depends_on_its_number_and_the_seed_alone(photos):
    first, again = CropSampler(photos, TrainingRecipe()), CropSampler(photos, TrainingRecipe())
    together = first.make_batch(0, 6, 32)
    for number in (5, 0, 3):
        for whole, single in zip(together[:3], again.draw_crop(number, 32), strict=True):
            np.testing.assert_array_equal(whole[number].squeeze(), single.squeeze())
    other = CropSampler(photos, TrainingRecipe(seed=2)).make_batch(0, 6, 32)
    assert np.abs(other[1] - together[1]).max() > 0.05


def test_a_batch_has_the_promised_shapes_and_ranges(photos):
    batch = CropSampler(photos, TrainingRecipe()).make_batch(10, 5, 64)
    seen, luma, chroma, transforms = batch
    assert transforms.shape == (0, 2, 3)
    assert seen.shape == luma.shape == (5, 1, 64, 64)
    assert chroma.shape == (5, 2, 64, 64)
    assert seen.dtype == luma.dtype == chroma.dtype == np.float32
    assert min(seen.min(), luma.min()) >= 0.0
    assert max(seen.max(), luma.max()) <= 1.0
    assert np.abs(seen - luma).max() > 0.01  # some crops were aged
    assert np.abs(chroma).max() <= 0.5


def test_two_views_of_a_crop_show_one_place_aged_differently(photos):
    recipe = TrainingRecipe(consistency_weight=0.5, aging=Aging(share=1.0))
    aged, luma, _, transforms = CropSampler(photos, recipe).make_batch(4, 20, 64)
    assert len(luma) == 20
    assert transforms.shape == (10, 2, 3)
    scales = transforms[:, [0, 1], [0, 1]]
    assert {*np.sign(scales[:, 0])} == {-1.0, 1.0}
    assert (np.abs(scales[:, 0]) == scales[:, 1]).all()
    assert ((scales[:, 1] > 0.75) & (scales[:, 1] <= 1.0)).all()
    # No place of the second view lies outside the first.
    assert (np.abs(transforms[..., 2]) + scales[:, 1:] <= 1.0 + 1e-6).all()
    for first, second, transform in zip(luma[:10, 0], luma[10:, 0], transforms, strict=True):
        middle = (transform[:, 2] + 1.0) * 32.0 - 0.5
        inner = cv2.getRectSubPix(first, (9, 9), tuple(map(float, middle)))
        assert abs(inner.mean() - second[28:37, 28:37].mean()) < 0.08
    differences = np.abs(aged - luma).mean((1, 2, 3))
    assert (np.abs(differences[:10] - differences[10:]) > 1e-3).any()


def test_a_crop_without_color_of_a_color_photo_is_drawn():
    picture = np.full((512, 512, 3), 120, np.uint8)
    picture[:96, :96] = (200, 60, 60)
    only = TrainingPhoto("free", "free/wall.png", cv2.imencode(".png", picture)[1].tobytes())
    chroma = CropSampler([only], PLAIN).make_batch(0, 24, 32).chroma
    colored = np.abs(chroma).max((1, 2, 3)) > 3 / 255
    assert colored.any()
    assert not colored.all()


def test_damaged_and_colorless_photos_give_way(photos):
    torn = TrainingPhoto("free", "free/torn.jpg", photos[0].content[:300])
    grey = TrainingPhoto("free", "free/grey.jpg", jpeg_of(np.full((96, 96, 3), 99, np.uint8)))
    chroma = CropSampler([torn, grey, *photos], PLAIN).make_batch(0, 24, 32).chroma
    assert (np.abs(chroma).max((1, 2, 3)) > 3 / 255).all()
    with pytest.raises(SourceError, match="damaged or grey"):
        CropSampler([torn, grey], PLAIN).draw_crop(0, 32)


def test_a_large_jpeg_is_decoded_no_larger_than_it_has_to_be():
    content = jpeg_of(photograph("astronaut"))
    assert decode_photo(content).shape == (512, 512, 3)
    assert decode_photo(content, 128).shape == (128, 128, 3)
    assert min(decode_photo(content, 130).shape[:2]) >= 130
    assert decode_photo(content, 5000).shape == (512, 512, 3)


def test_near_duplicates_stay_on_one_side_and_the_split_never_moves():
    photos = [
        TrainingPhoto(
            "a", f"a/{hashlib.sha256(bytes([group])).hexdigest()[:8]}_{frame:03d}.jpg", b""
        )
        for group in range(200)
        for frame in range(3)
    ]
    training, validation = split_photos(photos, 0.2)
    assert len(training) + len(validation) == len(photos)
    assert not {p.group for p in training} & {p.group for p in validation}
    assert 60 < len(validation) < 190
    assert list(split_photos(photos[::-1], 0.2)[1]) == list(validation)[::-1]
    assert not split_photos(photos, 0.0)[1]


def test_sources_are_drawn_by_the_root_of_their_size_and_by_their_weights():
    sizes = {"large": 900, "small": 100, "twin": 300}
    names, even = compute_source_chances(sizes, TrainingRecipe())
    assert names == ["large", "small", "twin"]
    np.testing.assert_allclose(even / even[1], [3.0, 1.0, 3**0.5], rtol=1e-6)

    family = TrainingRecipe(families={"both": ("small", "twin")}, weights={"both": 0.5, "large": 2})
    _, chances = compute_source_chances(sizes, family)
    # 400 photos together: root 20, halved, shared 1 : 3; large: root 30, doubled.
    np.testing.assert_allclose(chances, np.array([60.0, 2.5, 7.5]) / 70.0, rtol=1e-6)

    with pytest.raises(UsageError, match="smal"):
        compute_source_chances(sizes, TrainingRecipe(weights={"smal": 1.0}))
    with pytest.raises(UsageError, match="weight 0"):
        compute_source_chances({"large": 9}, TrainingRecipe(weights={"large": 0.0}))


def test_drawing_follows_the_chances(photos):
    reds, blues = (
        [
            TrainingPhoto(n, f"{n}/{i}.jpg", jpeg_of(np.full((64, 64, 3), c, np.uint8)))
            for i in range(2)
        ]
        for n, c in (("red", (200, 40, 40)), ("blue", (40, 40, 200)))
    )
    crops = CropSampler(reds + blues, TrainingRecipe(weights={"red": 3.0}))
    chroma = crops.make_batch(0, 200, 32).chroma
    red = (chroma[:, 1].mean((1, 2)) > 0).mean()
    assert 0.65 < red < 0.85
