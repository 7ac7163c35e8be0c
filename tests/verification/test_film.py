"""`verify --deep` of films: each frame's luma, and when it is shown."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from archive_colorizer.film import join as film_join
from archive_colorizer.film import tasks as film_task
from archive_colorizer.film.pipeline import restore_films
from archive_colorizer.film.request import Span
from archive_colorizer.verification.verify import verify_output
from tests.film.killed_film import order_of
from tests.film.samples import FRAMES, sequence, video
from tests.model.networks import constant_model

pytest.importorskip("av", reason="film needs PyAV")
pytest.importorskip("scenedetect", reason="film needs PySceneDetect")

BAD = 17


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return constant_model(tmp_path_factory.mktemp("models") / "constant.onnx")


def verified(out, **how):
    found = []
    verdict = verify_output(out, found.append, deep=True, **how)
    return verdict, [(str(one.kind), one.path, one.message) for one in found]


MAKE = {"a.mkv": video, "scan": sequence}


@pytest.mark.parametrize("name", MAKE)
def test_every_frame_is_compared(tmp_path, model, name):
    out = tmp_path / "out"
    restore_films(order_of(MAKE[name](tmp_path / name), out, model))
    verdict, found = verified(out)
    assert found == []
    assert (verdict.files, verdict.pictures, verdict.frames) == (2, 1, FRAMES)
    assert verdict.within == 1
    assert verdict.identical == 1


@pytest.mark.parametrize("name", MAKE)
def test_one_frame_of_another_luma_is_found(tmp_path, model, name, monkeypatch):
    real = film_task.restore_part

    def restore_wrongly(*given):
        for frame in real(*given):
            luma = frame.luma.copy()
            luma[3:5, 7] ^= 4 * (frame.index == BAD)
            yield replace(frame, luma=luma)

    monkeypatch.setattr(film_task, "restore_part", restore_wrongly)
    out = tmp_path / "out"
    restore_films(order_of(MAKE[name](tmp_path / name), out, model))
    verdict, ((kind, _, said),) = verified(out)
    assert kind == "LumaMismatch"
    assert f"luma of frame {BAD} differs by up to" in said
    assert verdict.within == 0


def test_frames_at_other_times_are_found(tmp_path, model, monkeypatch):
    real = film_join.join_segments

    def join_late(source, facts, *given):
        late = tuple(time + time // 20 for time in facts.times)
        return real(source, replace(facts, times=late), *given)

    monkeypatch.setattr(film_join, "join_segments", join_late)
    out = tmp_path / "out"
    restore_films(order_of(video(tmp_path / "a.mkv"), out, model))
    _, ((kind, path, said),) = verified(out)
    assert (kind, path) == ("LumaMismatch", "a.mkv")
    assert "is not shown when" in said


@pytest.mark.parametrize("is_wrong", [False, True])
def test_a_lossy_codec_is_compared_roughly(tmp_path, model, monkeypatch, is_wrong):
    real = film_task.restore_part

    def restore(*given):
        for frame in real(*given):
            turned = np.ascontiguousarray(frame.luma[::-1])
            yield replace(frame, luma=turned) if frame.index == BAD and is_wrong else frame

    monkeypatch.setattr(film_task, "restore_part", restore)
    out = tmp_path / "out"
    restore_films(order_of(video(tmp_path / "a.mkv"), out, model, codec="h264"))
    verdict, found = verified(out)
    assert [kind for kind, _, _ in found] == ["LumaMismatch"] * is_wrong
    assert (verdict.lossy, verdict.within) == (not is_wrong, 0)


@pytest.mark.parametrize("name", MAKE)
def test_a_stretch_is_compared_with_its_own_frames(tmp_path, model, name):
    out = tmp_path / "out"
    order = order_of(MAKE[name](tmp_path / name), out, model)
    restore_films(replace(order, span=Span.parse("0.5", "1")))
    verdict, found = verified(out)
    assert found == []
    assert verdict.frames == (6 if name == "a.mkv" else 12)


def test_sources_that_are_gone_changed_or_moved(tmp_path, model):
    film, out = video(tmp_path / "a.mkv", count=6), tmp_path / "out"
    restore_films(order_of(film, out, model))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(film, elsewhere)
    assert [kind for kind, _, _ in verified(out)[1]] == ["SourceMissing"]
    assert verified(out, scans=[elsewhere])[1] == []
    assert verified(out, scans=[elsewhere / "a.mkv"])[1] == []
    with (elsewhere / "a.mkv").open("ab") as stream:
        stream.write(b"more")
    assert [kind for kind, _, _ in verified(out, scans=[elsewhere])[1]] == ["SourceChanged"]


def test_parts_that_are_kept_are_no_films(tmp_path, model):
    out = tmp_path / "out"
    order = order_of(video(tmp_path / "a.mkv", count=6), out, model)
    restore_films(replace(order, keep_segments=True))
    verdict, found = verified(out)
    assert found == []
    assert (verdict.files, verdict.pictures) == (3, 1)
