from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from archive_colorizer.color.blend import blend_planes
from archive_colorizer.color.space import build_chroma_matrix, build_rgb_matrix
from archive_colorizer.color.temporal import LARGEST_ERROR, compute_reach
from archive_colorizer.errors import DamagedPicture
from archive_colorizer.film.colorize import restore_part
from archive_colorizer.model.colorizer import Colorizer
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Shot, ShotPart
from archive_colorizer.restore.colorize import colorize_photo
from archive_colorizer.video.film import Codes, Layout
from tests.film.restored_films import LIMITED, MemoryFilm, lit, pan
from tests.model.networks import CONTRACT

LAYOUT = Layout(LIMITED, "4:2:0")
COLOR = np.float32([-0.05, 0.08])


class Session:
    """A network that answers by a function of luma, n x 1 x h x w, and remembers its batches."""

    def __init__(self, answer):
        self.answer = answer
        self.shapes = []

    def run(self, _names, given):
        (batch,) = given.values()
        self.shapes.append(batch.shape)
        return [np.concatenate([self.answer(luma) for luma in batch])]


def constant(luma):
    return np.broadcast_to(COLOR[None, :, None, None], (1, 2, *luma.shape[1:]))


def nervous(luma):
    """Another color for each frame, by its mean luma, as networks do."""
    turn = np.sin(luma.mean() * 900) * 0.05
    return constant(luma) + np.float32([turn, -turn])[None, :, None, None]


def textured(luma):
    return np.stack([0.2 * (luma - 0.5), 0.1 - 0.2 * luma], axis=1)


def painter_of(answer, **contract):
    opened = Colorizer(replace(CONTRACT, **contract), "CPUExecutionProvider", Session(answer))
    return Ensemble((opened,))


def restored(film, answer, smoothing=0.0, layout=LAYOUT, part=None, **settings):
    shot = Shot(0, film.facts.frames)
    part = part or ShotPart(shot, shot.first, shot.last)
    recipe = Recipe(**settings)
    return list(restore_part(film, part, painter_of(answer), recipe, smoothing, layout))


def chroma_over_time(frames):
    return np.stack([np.stack([frame.cb, frame.cr]).astype(np.int64) for frame in frames])


@pytest.mark.parametrize("smoothing", [0.0, 0.7])
def test_luma_times_and_numbers_are_the_film_s_own(smoothing):
    film = MemoryFilm(pan("coffee", 12), times=tuple(range(100, 1300, 100)))
    frames = restored(film, nervous, smoothing)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.pts for frame in frames] == list(range(100, 1300, 100))
    assert all(map(np.array_equal, [frame.luma for frame in frames], film.lumas))
    assert {frame.cb.shape for frame in frames} == {(72, 96)}


def test_a_frame_for_itself_is_as_a_photograph():
    full = Codes(8, True, "bt601")
    lumas = [full.encode_luma(LIMITED.normalize_luma(luma)) for luma in pan("astronaut", 3)]
    painter = painter_of(textured)
    for frame in restored(MemoryFilm(lumas, full), textured, layout=Layout(full, "4:2:0")):
        cb, cr = blend_planes(frame.luma, colorize_photo(frame.luma, painter, Recipe())[0])
        assert np.abs(frame.cb.astype(int) - cb).max() <= 1
        assert np.abs(frame.cr.astype(int) - cr).max() <= 1


@pytest.mark.parametrize(
    "codes",
    [LIMITED, Codes(8, True, "bt709"), Codes(10, False, "bt709"), Codes(12, False, "bt2020")],
    ids=str,
)
@pytest.mark.parametrize("chroma", ["4:2:0", "4:2:2", "4:4:4"])
def test_color_is_in_the_codes_of_the_film(codes, chroma):
    lumas = [np.full((48, 64), codes.encode_luma(np.float32([0.5]))[0])] * 2
    layout = Layout(codes, chroma)
    (frame, _) = restored(MemoryFilm(lumas, codes), constant, 0.5, layout)
    expected = build_chroma_matrix(*codes.weights) @ build_rgb_matrix(0.299, 0.114) @ COLOR
    assert frame.cb.shape == layout.get_chroma_shape(48, 64)
    assert frame.cb.dtype == lumas[0].dtype
    for plane, unit in zip((frame.cb, frame.cr), expected, strict=True):
        assert np.abs(codes.normalize_chroma(plane) - unit).max() < 1.01 / codes.chroma_span + 3e-4


def test_a_deeper_film_can_be_brought_to_a_layout_of_fewer_bits():
    codes = Codes(10, False, "bt709")
    film = MemoryFilm([luma.astype(np.uint16) << 2 for luma in pan("coffee", 2)], codes)
    layout = Layout(Codes(8, False, "bt709"), "4:2:0")
    (frame, _) = restored(film, textured, layout=layout)
    assert frame.luma.dtype == frame.cb.dtype == np.uint8
    assert np.array_equal(frame.luma, film.lumas[0] >> 2)


def test_smoothing_calms_a_nervous_network():
    film = MemoryFilm(pan("coffee", 24))
    alone = chroma_over_time(restored(film, nervous)).astype(float)
    steady = chroma_over_time(restored(film, nervous, 0.7)).astype(float)
    assert np.abs(np.diff(steady, axis=0)).mean() < 0.15 * np.abs(np.diff(alone, axis=0)).mean()
    assert np.abs(steady.mean(axis=0) - alone.mean(axis=0)).mean() < 1.5


def test_corrections_come_after_smoothing():
    film = MemoryFilm(pan("coffee", 3))
    neutral = chroma_over_time(restored(film, nervous, 0.5, strength=0.0))
    assert (neutral == 128).all()


def test_parts_of_a_shot_fit_together():
    smoothing = 0.3
    count = 2 * compute_reach(smoothing) + 20
    film = MemoryFilm(lit(pan("coffee", count, step=1), 1 - 0.1 * (np.arange(count) % 3)))
    shot = Shot(0, count)
    whole = chroma_over_time(restored(film, nervous, smoothing))
    middle = count // 2
    parts = [ShotPart(shot, 0, 10), ShotPart(shot, 10, middle), ShotPart(shot, middle, count)]
    joined = np.concatenate(
        [chroma_over_time(restored(film, nervous, smoothing, part=part)) for part in parts]
    )
    assert np.abs(joined - whole).max() <= 1 + LARGEST_ERROR * 224


def test_color_never_comes_from_another_shot():
    film = MemoryFilm([None] * 10 + pan("coffee", 10) + [None] * 10)
    shot = Shot(10, 20)
    frames = restored(film, nervous, 0.9, part=ShotPart(shot, 10, 20))
    alone = restored(MemoryFilm(pan("coffee", 10)), nervous, 0.9)
    assert np.array_equal(chroma_over_time(frames), chroma_over_time(alone))


def test_a_damaged_frame_fails_its_part_alone():
    film = MemoryFilm(pan("coffee", 30))
    film.lumas[14] = None
    shot = Shot(0, 30)
    assert len(restored(film, nervous, 0.7, part=ShotPart(shot, 0, 10))) == 10
    assert len(restored(film, nervous, 0.7, part=ShotPart(shot, 20, 30))) == 10
    for smoothing in (0.0, 0.7):
        with pytest.raises(DamagedPicture, match="frame 14"):
            restored(film, nervous, smoothing, part=ShotPart(shot, 10, 20))


def test_the_network_sees_a_turned_film_upright():
    upright = pan("astronaut", 3)
    level = restored(MemoryFilm(upright), textured, 0.5)
    for degrees in (90, 180, 270):
        # Shown after turning clockwise, so stored turned counterclockwise.
        lumas = [np.ascontiguousarray(np.rot90(luma, degrees // 90)) for luma in upright]
        turned = restored(MemoryFilm(lumas, rotation=degrees), textured, 0.5)
        for one, other in zip(level, turned, strict=True):
            back = np.rot90(other.cb, -degrees // 90).astype(int)
            assert np.median(np.abs(back - one.cb)) == 0
            assert np.abs(back - one.cb).mean() < 0.5


def test_the_network_sees_square_pixels():
    film = MemoryFilm(pan("coffee", 2), pixel_aspect=Fraction(2))
    painter = painter_of(constant)
    shot = Shot(0, 2)
    list(restore_part(film, ShotPart(shot, 0, 2), painter, Recipe(), 0.5, LAYOUT))
    assert painter.colorizers[0].session.shapes == [(2, 1, 64, 160)]


@pytest.mark.parametrize(("most", "batches"), [(None, [8, 4]), (5, [5, 5, 2]), (1, [1] * 12)])
def test_the_network_is_given_no_larger_batch_than_it_takes(most, batches):
    painter = painter_of(constant, max_batch=most)
    shot = Shot(0, 12)
    film = MemoryFilm(pan("coffee", 12))
    list(restore_part(film, ShotPart(shot, 0, 12), painter, Recipe(), 0.5, LAYOUT))
    assert [shape[0] for shape in painter.colorizers[0].session.shapes] == batches


def test_frames_are_read_one_by_one_as_they_are_asked_for():
    class Watched(MemoryFilm):
        read = 0

        def rescue_frames(self, first=0, last=None):
            for frame in super().rescue_frames(first, last):
                self.read += 1
                yield frame

    film = Watched(pan("coffee", 20))
    shot = Shot(0, 20)
    frames = restore_part(film, ShotPart(shot, 0, 20), painter_of(constant), Recipe(), 0.5, LAYOUT)
    assert film.read == 0
    next(frames)
    assert film.read == 21
