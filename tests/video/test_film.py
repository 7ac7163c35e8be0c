"""Test all readers of film with one suite, and the meaning of codes."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.video.film import Codes, Layout
from archive_colorizer.video.reader import FilmOptions, open_film
from tests.video import clips

UNEVEN = [sum((33, 40, 77)[index % 3] for index in range(at)) for at in range(24)]

FILMS = {
    "png8": lambda at: clips.write_sequence(at, "png8"),
    "png16": lambda at: clips.write_sequence(at, "png16"),
    "tiff8": lambda at: clips.write_sequence(at, "tiff8"),
    "tiff16": lambda at: clips.write_sequence(at, "tiff16"),
    "jpeg": lambda at: clips.write_sequence(at, "jpeg"),
    "dpx10": lambda at: clips.write_sequence(at, "dpx10"),
    "dpx12": lambda at: clips.write_sequence(at, "dpx12"),
    "ffv1.mkv": clips.write_video,
    "gray.mkv": lambda at: clips.write_video(at, pixels="gray", tags=(2, 1)),
    "gray10.mkv": lambda at: clips.write_video(at, pixels="gray10le"),
    "ten.mkv": lambda at: clips.write_video(at, pixels="yuv420p10le"),
    "uneven.mkv": lambda at: clips.write_video(at, times=UNEVEN),
    "ffv1.avi": clips.write_video,
    "open.mp4": lambda at: clips.write_video(
        at, "libx264", options={"x264-params": "bframes=3:keyint=8:open-gop=1:scenecut=0:qp=0"}
    ),
    "b.mkv": lambda at: clips.write_video(
        at, "libx264", options={"x264-params": "bframes=2:keyint=6:qp=0"}
    ),
    "b.mpg": lambda at: clips.write_video(at, "mpeg2video", rate=Fraction(25), b_frames=2),
    "b.avi": lambda at: clips.write_video(at, "mpeg4", b_frames=2),
    "prores.mov": lambda at: clips.write_video(at, "prores_ks", "yuv422p10le"),
}
LOSSY = ("jpeg", "b.mpg", "b.avi", "prores.mov")


@pytest.fixture(scope="module", params=FILMS)
def film(request, tmp_path_factory):
    path = FILMS[request.param](tmp_path_factory.mktemp("film") / request.param)
    with open_film(path) as opened:
        yield opened, request.param


def test_facts_are_those_of_the_film(film):
    film, name = film
    facts = film.facts
    assert facts.kind == ("video" if "." in name else "sequence")
    assert facts.frames == len(facts.times) == (24 if "." in name else 8)
    assert (facts.height, facts.width) == (clips.HEIGHT, clips.WIDTH)
    assert list(facts.times) == sorted(set(facts.times))
    assert facts.variable == (name == "uneven.mkv")
    depths = {"png16": 16, "tiff16": 16, "dpx12": 12, "ffv1.mkv": 8}
    ten = name in ("dpx10", "gray10.mkv", "ten.mkv", "prores.mov")
    assert facts.codes.depth == depths.get(name, 10 if ten else 8)
    assert not facts.has_color
    assert not facts.interlaced
    assert facts.warnings == ()
    if "." not in name:
        assert facts.rate == 24
    elif not facts.variable:
        assert facts.rate == (25 if name == "b.mpg" else clips.FILM)


def test_duration_is_that_of_all_frames(film):
    film, _name = film
    facts = film.facts
    if not facts.variable:
        assert abs(facts.duration - facts.frames / facts.rate) <= facts.time_base


def test_frames_come_in_order_with_the_source_s_own_luma(film):
    film, name = film
    facts = film.facts
    frames = list(film.read_frames())
    assert [frame.index for frame in frames] == list(range(facts.frames))
    assert [frame.pts for frame in frames] == list(facts.times)
    for frame in frames:
        expected = clips.compute_luma(frame.index, facts.codes.depth)
        assert frame.luma.dtype == expected.dtype
        near = np.abs(frame.luma.astype(int) - expected).mean() / (1 << (facts.codes.depth - 8))
        assert near < 4 if name in LOSSY else near == 0


@pytest.mark.parametrize(("first", "last"), [(0, 1), (1, 4), (5, 8), (3, 3), (6, None)])
def test_any_range_is_exact(film, first, last):
    film, _ = film
    every = list(film.read_frames())
    part = list(film.read_frames(first, last))
    assert [frame.index for frame in part] == list(range(film.facts.frames))[first:last]
    for frame in part:
        assert np.array_equal(frame.luma, every[frame.index].luma)


def test_late_ranges_are_exact(film):
    film, _ = film
    every = list(film.read_frames())
    for first in range(film.facts.frames - 5, film.facts.frames):
        frame = next(iter(film.read_frames(first, first + 1)))
        assert frame.index == first
        assert np.array_equal(frame.luma, every[first].luma)


def test_two_readings_do_not_disturb_each_other(film):
    film, _ = film
    pairs = zip(film.read_frames(0, 4), film.read_frames(2, 6), strict=True)
    assert [(a.index, b.index) for a, b in pairs] == [(0, 2), (1, 3), (2, 4), (3, 5)]


def test_known_facts_spare_the_scan(film, monkeypatch):
    film, _name = film
    path = film._files[0].path.parent if film.facts.kind == "sequence" else film._path
    monkeypatch.setattr("archive_colorizer.video.reader.scan_packets", None)
    monkeypatch.setattr("archive_colorizer.video.sequence.reader._read_header", None)
    with open_film(path, known_facts=film.facts) as again:
        assert next(iter(again.read_frames(5, 6))).index == 5


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        open_film(tmp_path / "gone.mkv")


def test_a_video_keeps_its_own_rate(tmp_path):
    with pytest.raises(UsageError, match="rate of its own"):
        open_film(clips.write_video(tmp_path / "a.mkv", count=3), FilmOptions(rate=Fraction(25)))


@given(
    st.sampled_from([8, 9, 10, 12, 14, 16]),
    st.booleans(),
    st.sampled_from(["bt601", "bt709", "bt2020"]),
)
def test_codes_survive_the_way_to_unit_values_and_back(depth, full, matrix):
    codes = Codes(depth, full, matrix)
    every = np.arange(1 << depth).astype(np.uint8 if depth == 8 else np.uint16)
    assert np.array_equal(codes.encode_luma(codes.normalize_luma(every)), every)
    assert np.array_equal(codes.encode_chroma(codes.normalize_chroma(every)), every)
    ends = np.array([codes.black, codes.white], every.dtype)
    assert np.allclose(codes.normalize_luma(ends), [0, 1])
    assert codes.normalize_chroma(np.array([codes.neutral], every.dtype)) == 0


def test_more_bits_lose_nothing_and_shift_limited_range_exactly():
    eight, ten = Codes(8, False, "bt601"), Codes(10, False, "bt601")
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(Layout(ten, "4:2:0").convert_luma(every, eight), every.astype(int) * 4)


def test_chroma_of_odd_sizes_is_rounded_up():
    assert Layout(Codes(8, False, "bt601"), "4:2:0").get_chroma_shape(5, 7) == (3, 4)
    assert Layout(Codes(8, False, "bt601"), "4:2:2").get_chroma_shape(5, 7) == (5, 4)
