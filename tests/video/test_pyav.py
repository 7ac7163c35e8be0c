"""Facts of video files, and files that are cut, damaged or no film."""

import subprocess
import sys
from fractions import Fraction

import pytest

from archive_colorizer.errors import (
    DamagedPicture,
    DependencyError,
    SourceError,
    UnsupportedPicture,
)
from archive_colorizer.video import pyav as video
from archive_colorizer.video.packet_index import FrameIndex
from archive_colorizer.video.reader import open_film
from tests.video import clips


def test_what_the_file_states_is_told(tmp_path):
    path = clips.write_video(
        tmp_path / "a.mov", "prores_ks", "yuv422p10le", count=5, aspect=Fraction(16, 15),
        rotation=90, tags=(6, 1), sound="pcm_s16le", chapters=["One"],
    )  # fmt: skip
    facts = open_film(path).facts
    assert (facts.pixel_aspect, facts.rotation) == (Fraction(16, 15), 90)
    assert (facts.codes.matrix, facts.codes.full_range) == ("bt601", False)
    assert facts.chroma == "4:2:2"
    assert "audio pcm_s16le" in facts.other_streams
    assert "1 chapters" in facts.other_streams


@pytest.mark.parametrize(("code", "matrix"), [(1, "bt709"), (5, "bt601"), (9, "bt2020")])
def test_a_stated_matrix_is_believed(tmp_path, code, matrix):
    facts = open_film(
        clips.write_video(tmp_path / "a.mp4", "libx264", count=3, tags=(code, 2))
    ).facts
    assert (facts.codes.matrix, facts.codes.full_range) == (matrix, True)
    assert facts.tags.matrix == code


def test_color_is_seen(tmp_path):
    assert open_film(clips.write_video(tmp_path / "a.mkv", count=3, color=True)).facts.has_color


def test_interlaced_film_is_warned_of(tmp_path):
    path = clips.write_video(
        tmp_path / "a.mpg", "mpeg2video", rate=Fraction(25), options={"flags": "+ilme+ildct"}
    )
    facts = open_film(path).facts
    assert facts.interlaced
    assert "interlaced" in facts.warnings[0]


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize(
    ("name", "codec", "words"),
    [("a.avi", "mjpeg", "24 frames"), ("a.mkv", "ffv1", "1.00 seconds")],
)
def test_a_cut_film_that_looks_whole_is_told(tmp_path, name, codec, words):
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = clips.write_video(tmp_path / name, codec, pixels, options={"g": "1"})
    whole = open_film(path).facts
    facts = open_film(cut(path, 0.6)).facts
    assert whole.warnings == ()
    assert 0 < facts.frames < 24
    assert any("is cut" in warning and words in warning for warning in facts.warnings)


def test_a_frame_whose_checksum_is_wrong_fails_alone(tmp_path):
    options = {"level": "3", "slicecrc": "1", "slices": "4", "g": "1"}
    path = clips.write_video(tmp_path / "a.mkv", options=options)
    data = bytearray(path.read_bytes())
    with clips.av.open(str(path)) as container:
        tenth = [bytes(packet) for packet in container.demux(video=0) if packet.size][10]
    data[data.index(tenth) + len(tenth) // 2] ^= 255
    path.write_bytes(data)
    film = open_film(path)
    with pytest.raises(DamagedPicture, match="frame 10 cannot be decoded"):
        list(film.read_frames(8, 12))
    assert [frame is None for frame in film.rescue_frames(8, 13)] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert len(list(film.read_frames(11, 24))) == 13


def test_what_is_no_film_is_refused(tmp_path):
    (tmp_path / "text.mkv").write_text("not a film " * 500)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "list.mkv").write_text("#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n")
    index_lost = cut(clips.write_video(tmp_path / "b.mp4", "libx264"), 0.5)
    for path in (tmp_path / "text.mkv", tmp_path / "empty.mp4", tmp_path / "list.mkv", index_lost):
        with pytest.raises(SourceError, match=path.name):
            open_film(path)


def test_sound_alone_is_refused(tmp_path):
    with pytest.raises(UnsupportedPicture, match=r"no pictures: it holds audio only"):
        open_film(clips.write_sound(tmp_path / "a.mkv"))


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DependencyError, match=r"archive-colorizer\[film\]"):
        video.load_pyav.__wrapped__()


def test_film_is_read_without_starting_the_library_early():
    script = "import archive_colorizer.video.reader, sys; print('av' in sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "False"


def test_decoding_begins_a_key_frame_earlier_than_needed():
    index = FrameIndex(tuple(range(30)), (0, 10, 20))
    assert [index.find_decode_start(at) for at in (0, 9, 10, 19, 20, 29)] == [0, 0, 0, 0, 10, 10]
    every = FrameIndex(tuple(range(30)), tuple(range(30)))
    assert every.find_decode_start(17) == 17
    assert FrameIndex(tuple(range(30)), ()).find_decode_start(17) == 0
