"""Joined segments keep luma, times, sound and subtitles of the source."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from archive_colorizer.errors import OutputError
from archive_colorizer.video.film import ColorFrame
from archive_colorizer.video.layouts import choose_container, choose_layout
from archive_colorizer.video.muxer import join_segments
from archive_colorizer.video.reader import open_film
from archive_colorizer.video.writer import write_segment
from tests.video import clips

NOTE = {"comment": "The color was made by an algorithm", "colorizer_model": "m1"}
FINE = Fraction(1, 150_000)
"""Seconds; MKV holds hundredths of milliseconds, all others what the film has."""

UNEVEN = [sum((33, 40, 77)[index % 3] for index in range(at)) for at in range(24)]


def color_frames(film, layout, first, last):
    for frame in film.read_frames(first, last):
        luma = layout.convert_luma(frame.luma, film.facts.codes)
        shape = layout.get_chroma_shape(*luma.shape)
        cb, cr = (
            layout.codes.encode_chroma(np.full(shape, value, np.float32)) for value in (-0.1, 0.1)
        )
        yield ColorFrame(frame.index, frame.pts, luma, cb, cr)


def write_segments(film, codec, folder, cuts=(0, 7, 8, 24)):
    layout, paths = choose_layout(film.facts, codec), []
    for first, last in itertools.pairwise(cuts):
        paths.append(folder / f"{codec}-{first}.segment")
        count = write_segment(
            color_frames(film, layout, first, last), film.facts, layout, codec, paths[-1]
        )
        assert count == last - first
    return paths


def join(film, source, codec, container, folder):
    target = folder / f"done.{container}"
    parts = write_segments(film, codec, folder)
    return target, join_segments(source, film.facts, parts, target, container, NOTE)


def list_seconds(film):
    return [time * film.facts.time_base for time in film.facts.times]


def convert_times(film, unit):
    """Convert times to whole units of another film, to which they must be close."""
    times = [time / unit for time in list_seconds(film)]
    assert all(abs(time - round(time)) * unit < FINE for time in times)
    return [round(time) for time in times]


def read_packets(path, kind="audio"):
    with clips.av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(*streams)
            if packet.size
        ]


@pytest.mark.parametrize("pixels", ["gray", "gray10le", "yuv420p", "yuv422p10le", "yuv444p12le"])
def test_lossless_segments_keep_every_luma_code(tmp_path, pixels):
    source = clips.write_video(tmp_path / "a.mkv", pixels=pixels, rate=Fraction(25))
    film = open_film(source)
    target, warnings = join(film, source, "ffv1", "mkv", tmp_path)
    done = open_film(target)
    assert warnings == ()
    assert done.facts.has_color
    assert done.facts.codes == film.facts.codes
    for before, after in zip(film.read_frames(), done.read_frames(), strict=True):
        assert np.array_equal(before.luma, after.luma)


@pytest.mark.parametrize("codec", ["ffv1", "h264", "h265", "prores"])
@pytest.mark.parametrize("kind", ["constant.mkv", "uneven.mkv", "film.mp4", "b.mpg"])
def test_every_time_stamp_is_the_source_s(tmp_path, codec, kind):
    options = {
        "constant.mkv": {"rate": Fraction(25)},
        "uneven.mkv": {"times": UNEVEN},
        "film.mp4": {"codec": "libx264", "sound": "aac", "b_frames": 2},
        "b.mpg": {"codec": "mpeg2video", "rate": Fraction(25), "b_frames": 2},
    }
    source = clips.write_video(tmp_path / kind, **options[kind])
    film = open_film(source)
    container = choose_container(film.facts, codec)
    target, warnings = join(film, source, codec, container, tmp_path)
    done = open_film(target)
    assert warnings == ()
    assert done.facts.frames == film.facts.frames
    assert convert_times(done, film.facts.time_base) == list(film.facts.times)
    assert abs(done.facts.duration - film.facts.duration) < FINE
    if container != "mkv" or kind != "film.mp4":
        assert list_seconds(done) == list_seconds(film)
    if not film.facts.variable:
        assert done.facts.rate == film.facts.rate


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(18)])
def test_lossless_video_in_mp4_has_the_very_times(tmp_path, rate):
    source = clips.write_video(tmp_path / "a.mov", "libx264", rate=rate)
    film = open_film(source)
    target, warnings = join(film, source, "ffv1", "mp4", tmp_path)
    done = open_film(target)
    assert warnings == ()
    assert list_seconds(done) == list_seconds(film)
    assert (done.facts.duration, done.facts.rate) == (film.facts.duration, rate)
    for before, after in zip(film.read_frames(), done.read_frames(), strict=True):
        assert np.array_equal(before.luma, after.luma)


def test_fine_times_in_matroska_move_nothing_else(tmp_path):
    source = clips.write_video(
        tmp_path / "a.mov", "mpeg4", rate=Fraction(24), sound="aac", chapters=["One", "Two"],
        aspect=Fraction(16, 15),
    )  # fmt: skip
    film = open_film(source)
    target, warnings = join(film, source, "ffv1", "mkv", tmp_path)
    assert warnings == ()
    before, after = read_packets(source), read_packets(target)
    assert [data for _, data in after] == [data for _, data in before]
    assert max(abs(a - b) for (a, _), (b, _) in zip(before, after, strict=True)) < FINE
    strict = {"err_detect": "crccheck+explode"}
    with clips.av.open(str(target), options=strict) as done, clips.av.open(str(source)) as original:
        assert done.streams.video[0].time_base == Fraction(1, 100_000)
        assert done.streams.video[0].average_rate == 24
        assert done.streams.video[0].metadata["DURATION"].startswith("00:00:01.000000000")
        assert done.duration == pytest.approx(
            max(map(get_end, original.streams)) * 1_000_000, abs=20
        )
        for chapter, other in zip(done.chapters(), original.chapters(), strict=True):
            assert chapter["start"] * chapter["time_base"] == other["start"] * other["time_base"]
        # Anywhere in the film, by the index at its end.
        done.seek(500_000)
        (packet, *_) = done.demux(video=0)
        assert abs(packet.pts * packet.time_base - Fraction(1, 2)) <= Fraction(1, 24)
    assert open_film(target).facts.pixel_aspect == Fraction(16, 15)


def get_end(stream):
    return (stream.start_time + stream.duration) * stream.time_base


@pytest.mark.parametrize(
    ("name", "codec", "sounds"),
    [("a.mkv", "ffv1", "aac"), ("a.avi", "ffv1", "pcm_s16le"), ("a.mp4", "h264", "aac")],
)
def test_sound_is_copied_bit_for_bit_at_its_times(tmp_path, name, codec, sounds):
    inside = "ffv1" if name != "a.mp4" else "libx264"
    source = clips.write_video(tmp_path / name, inside, rate=Fraction(25), sound=sounds)
    film = open_film(source)
    target, _ = join(film, source, codec, choose_container(film.facts, codec), tmp_path)
    before, after = read_packets(source), read_packets(target)
    assert [data for _, data in after] == [data for _, data in before]
    assert max(abs(a - b) for (a, _), (b, _) in zip(before, after, strict=True)) <= Fraction(
        1, 2000
    )


def test_all_else_that_the_source_holds_comes_along(tmp_path):
    source = clips.write_video(
        tmp_path / "a.mkv", "libx264", rate=Fraction(25),
        subtitles="subrip", chapters=["One", "Two"],
        metadata={"title": "A film", "comment": "reel 3"}, timecode="01:02:03:04",
        aspect=Fraction(16, 15), tags=(5, 1),
    )  # fmt: skip
    film = open_film(source)
    target, warnings = join(film, source, "ffv1", "mkv", tmp_path)
    facts = open_film(target).facts
    assert warnings == ()
    assert (facts.pixel_aspect, facts.tags.matrix, facts.tags.range) == (Fraction(16, 15), 5, 1)
    assert read_packets(source, "subtitle") == read_packets(target, "subtitle") != []
    with clips.av.open(str(target)) as done:
        metadata = {key.lower(): text for key, text in done.metadata.items()}
        assert metadata["title"] == "A film"
        assert metadata["comment"] == "reel 3\nThe color was made by an algorithm"
        assert metadata["colorizer_model"] == "m1"
        assert [chapter["metadata"]["title"] for chapter in done.chapters()] == ["One", "Two"]
        assert done.streams.video[0].metadata["TIMECODE"] == "01:02:03:04"
        assert "title" not in done.streams.video[0].metadata


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_and_aspect_are_stated_again(tmp_path, turn):
    source = clips.write_video(
        tmp_path / "a.mp4", "libx264", count=24, rotation=turn, aspect=Fraction(12, 11)
    )
    film = open_film(source)
    assert film.facts.rotation == turn
    target, _ = join(film, source, "h264", "mp4", tmp_path)
    facts = open_film(target).facts
    assert (facts.rotation, facts.pixel_aspect) == (turn, Fraction(12, 11))


def test_what_a_container_cannot_hold_is_named(tmp_path):
    source = clips.write_video(tmp_path / "a.mkv", rate=Fraction(25), subtitles="subrip")
    film = open_film(source)
    _, warnings = join(film, source, "prores", "mov", tmp_path)
    assert warnings == ("MOV cannot hold subtitle (srt): left out",)


def test_a_part_of_a_film_begins_at_zero_with_its_own_sound(tmp_path):
    source = clips.write_video(tmp_path / "a.mkv", rate=Fraction(25), sound="pcm_s16le")
    film, target = open_film(source), tmp_path / "part.mkv"
    parts = write_segments(film, "ffv1", tmp_path, (10, 15, 20))
    join_segments(source, film.facts, parts, target, "mkv", NOTE, range(10, 20))
    done = open_film(target)
    assert list_seconds(done) == [Fraction(at, 25) for at in range(10)]
    for before, after in zip(film.read_frames(10, 20), done.read_frames(), strict=True):
        assert np.array_equal(before.luma, after.luma)
    assert 0 < len(read_packets(target)) < len(read_packets(source))


def test_segments_that_are_not_the_film_are_refused(tmp_path):
    source = clips.write_video(tmp_path / "a.mkv", rate=Fraction(25))
    film = open_film(source)
    first, second, third = write_segments(film, "ffv1", tmp_path)
    for wrong in ([first, third], [first, second], [second, first, third]):
        with pytest.raises(OutputError, match=r"frame \d+"):
            join_segments(source, film.facts, wrong, tmp_path / "x.mkv", "mkv", NOTE)


def test_frames_that_do_not_follow_each_other_are_refused(tmp_path):
    film = open_film(clips.write_video(tmp_path / "a.mkv", count=6))
    layout = choose_layout(film.facts, "ffv1")
    frames = [*color_frames(film, layout, 0, 2), *color_frames(film, layout, 3, 4)]
    with pytest.raises(ValueError, match="does not follow"):
        write_segment(frames, film.facts, layout, "ffv1", tmp_path / "x")


def test_prores_takes_full_range_into_its_own(tmp_path):
    source = clips.write_video(tmp_path / "a.mkv", pixels="gray", rate=Fraction(25))
    film = open_film(source)
    target, _ = join(film, source, "prores", "mov", tmp_path)
    done = open_film(target)
    assert (film.facts.codes.full_range, done.facts.codes.full_range) == (True, False)
    before, after = next(film.read_frames()), next(done.read_frames())
    away = film.facts.codes.normalize_luma(before.luma) - done.facts.codes.normalize_luma(
        after.luma
    )
    assert np.abs(away).mean() < 0.01
