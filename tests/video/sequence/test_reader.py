"""Numbered sequences: which are refused, and frames in the format of their sources."""

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.errors import DamagedPicture, SourceError
from archive_colorizer.image.metadata.xmp import ProvenanceNote
from archive_colorizer.video.film import ColorFrame
from archive_colorizer.video.layouts import choose_layout
from archive_colorizer.video.reader import FilmOptions, open_film
from archive_colorizer.video.sequence.folder import NamedFrame, write_frames
from archive_colorizer.video.sequence.source import list_frame_paths
from tests.video import clips

NOTE = ProvenanceNote("archive-colorizer 1", "m", "0" * 64, "s", "n", "1" * 64, "2026-01-01")


def test_numbers_are_sorted_as_numbers_whatever_their_digits(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    for at, number in enumerate(["8", "9", "010", "0000011", "12"]):
        clips.write_still(folder / f"reel2_frame.{number}.png", at, "png8")
    with open_film(folder, FilmOptions(rate=Fraction(18))) as film:
        assert film.facts.rate == 18
        assert film.facts.duration == Fraction(5, 18)
        for frame in film.read_frames():
            assert np.array_equal(frame.luma, clips.compute_luma(frame.index))


def test_a_pattern_names_one_of_several_sequences(tmp_path):
    clips.write_sequence(tmp_path / "a", "png8", name="one.{}.{}")
    clips.write_still(tmp_path / "a" / "two.1.png", 0, "png8")
    with pytest.raises(SourceError, match=r"several sequences \(one.#.png, two.#.png\)"):
        open_film(tmp_path / "a")
    for pattern in ("one.##.png", "one.%d.png"):
        assert open_film(tmp_path / "a" / pattern).facts.frames == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda at: (at / "f.11.png").unlink(), "frames 11 are missing"),
        (lambda at: [(at / f"f.{n}.png").unlink() for n in (9, 12, 13)], "9, 12 to 13"),
        (lambda at: (at / "f.9.png").rename(at / "poster.png"), "poster.png has no number"),
        (lambda at: (at / "f.09.png").write_bytes((at / "f.9.png").read_bytes()), "same number"),
        (lambda at: [path.unlink() for path in at.iterdir()], "no numbered pictures"),
        (lambda at: Image.new("L", (50, 48)).save(at / "f.10.png"), r"frame 10 .* 50 x 48"),
        (lambda at: Image.new("I;16", (64, 48)).save(at / "f.10.png"), r"frame 10 .* 16 bit"),
        (lambda at: (at / "f.12.png").write_bytes(b"\x89PNG"), "f.12.png is no picture"),
    ],
)
def test_a_sequence_that_is_not_whole_is_refused_by_name(tmp_path, change, message):
    folder = clips.write_sequence(tmp_path / "scan", "png8")
    change(folder)
    with pytest.raises(SourceError, match=message):
        open_film(folder)


def test_a_damaged_frame_is_named_when_it_is_reached_and_others_are_saved(tmp_path):
    folder = clips.write_sequence(tmp_path / "scan", "tiff8")
    cut = folder / "f.10.tif"
    cut.write_bytes(cut.read_bytes()[:-900])
    film = open_film(folder)
    with pytest.raises(DamagedPicture, match=r"frame 10 \(f.10.tif\)"):
        list(film.read_frames())
    assert [frame is None for frame in film.rescue_frames()] == [at == 2 for at in range(8)]


@pytest.mark.parametrize("kind", ["png8", "png16", "tiff8", "tiff16", "jpeg", "dpx10", "dpx12"])
def test_finished_frames_keep_format_depth_and_luma(tmp_path, kind):
    film = open_film(clips.write_sequence(tmp_path / "in", kind, count=3))
    facts, layout, done = film.facts, choose_layout(film.facts), tmp_path / "out"
    sources, finished = list_frame_paths(tmp_path / "in"), []
    random = np.random.default_rng(5)
    for frame in film.read_frames():
        shape = layout.get_chroma_shape(facts.height, facts.width)
        cb, cr = (
            layout.codes.encode_chroma(random.uniform(-0.4, 0.4, shape).astype(np.float32))
            for _ in range(2)
        )
        source = sources[frame.index]
        colored = ColorFrame(frame.index, frame.pts, frame.luma, cb, cr)
        finished.append(NamedFrame(colored, source, source.name))
    digests = write_frames(finished, layout.codes, done, NOTE)
    assert {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in done.iterdir()
    } == digests
    again = open_film(done)
    assert again.facts.has_color
    assert (again.facts.file_format, again.facts.codes) == (facts.file_format, facts.codes)
    for before, after in zip(film.read_frames(), again.read_frames(), strict=True):
        assert np.abs(before.luma.astype(int) - after.luma).max() <= 1


def written_frame(frame, film, folder):
    """The bytes of the first frame's file."""
    done, (source, *_) = folder.with_name("done-" + folder.name), list_frame_paths(folder)
    write_frames([NamedFrame(frame, source, "a frame")], film.facts.codes, done, NOTE)
    return (done / "a frame").read_bytes()


def test_a_finished_frame_says_that_its_color_was_made(tmp_path):
    for kind in ("png8", "dpx10"):
        film = open_film(clips.write_sequence(tmp_path / kind, kind, count=1))
        frame = next(film.read_frames())
        gray = np.full(frame.luma.shape, film.facts.codes.neutral, frame.luma.dtype)
        finished = ColorFrame(0, 0, frame.luma, gray, gray)
        data = written_frame(finished, film, tmp_path / kind)
        assert b"archive-colorizer 1" in data


def test_a_dpx_keeps_the_rest_of_its_header(tmp_path):
    film = open_film(clips.write_sequence(tmp_path / "in", "dpx10", count=1))
    frame = next(film.read_frames())
    gray = np.full(frame.luma.shape, 512, np.uint16)
    finished = ColorFrame(0, 0, frame.luma, gray, gray)
    written = written_frame(finished, film, tmp_path / "in")
    assert written[1920:1924] == b"\x01\x02\x03\x04"
    assert written[801] == 3
