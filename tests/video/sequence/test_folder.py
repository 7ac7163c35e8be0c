"""Folders of frames appear whole, over nobody's, and their lists say what is in them."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from archive_colorizer.errors import OutputError, TargetExists
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Workplace
from archive_colorizer.storage.fixity import list_of, read_list
from archive_colorizer.video.sequence.folder import bring_folder, gather_frames


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    work = tmp_path / "out" / ".work" / "run"
    work.mkdir(parents=True)
    return Workplace(str(tmp_path / "out"), str(work), Recipe(), "model.onnx", "0" * 64)


def frames(folder: Path, *names: str) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())
    return {name: hashlib.sha256(name.encode()).hexdigest() for name in names}


def test_parts_are_put_together_and_stay(place: Workplace) -> None:
    parts = Path(place.output, "segments")
    lists = []
    for part, names in (("0-2", ("0.png", "1.png")), ("2-3", ("2.png",))):
        made = frames(parts / part, *names)
        lists.append(parts / f"{part}.sha256")
        lists[-1].write_bytes(list_of(part, made))
    temporary = Path(place.work, "together")
    together = gather_frames(lists, temporary)
    assert sorted(together) == ["0.png", "1.png", "2.png"]
    bring_folder(temporary, "scan", place, None, together)
    assert sorted(one.name for one in Path(place.output, "scan").iterdir()) == sorted(together)
    assert (parts / "0-2" / "0.png").exists()


def test_without_hard_links_frames_are_copied(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    made = frames(Path(place.output, "0-1"), "0.png")
    listed = Path(place.output, "0-1.sha256")
    listed.write_bytes(list_of("0-1", made))
    monkeypatch.setattr(os, "link", refuse)
    gather_frames([listed], Path(place.work, "together"))
    assert Path(place.work, "together", "0.png").read_bytes() == b"0.png"


def test_a_folder_with_a_stranger_s_file_is_kept(place: Workplace) -> None:
    made = frames(Path(place.work, "new"), "0.png")
    own = Path(place.output, "scan", "mine.txt")
    frames(own.parent, "0.png")
    own.write_text("MY OWN WORK")
    with pytest.raises(TargetExists, match="scan"):
        bring_folder(Path(place.work, "new"), "scan", place, None, made)
    assert own.read_text() == "MY OWN WORK"


def test_an_earlier_result_gives_way_and_so_does_what_a_killed_run_left(place: Workplace) -> None:
    folder, listed = Path(place.output, "scan"), Path(place.output, "scan.sha256")
    listed.write_bytes(list_of("scan", frames(folder, "old.png")))
    made = frames(Path(place.work, "new"), "0.png")
    bring_folder(Path(place.work, "new"), "scan", place, listed, made)
    assert [one.name for one in folder.iterdir()] == ["0.png"]
    again = frames(Path(place.work, "again"), "0.png")
    bring_folder(Path(place.work, "again"), "scan", place, None, again)
    assert [one.name for one in folder.iterdir()] == ["0.png"]


def test_a_link_in_a_folder_s_place_is_not_followed(place: Workplace, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    made = frames(elsewhere, "0.png")
    Path(place.output, "scan").symlink_to(elsewhere)
    frames(Path(place.work, "new"), "0.png")
    with pytest.raises(TargetExists):
        bring_folder(Path(place.work, "new"), "scan", place, None, made)
    assert (elsewhere / "0.png").exists()


def test_a_run_that_was_taken_over_brings_nothing(place: Workplace) -> None:
    made = frames(Path(place.work, "new"), "0.png")
    Path(place.work).rename(Path(place.work + ".dead"))
    with pytest.raises(OutputError):
        bring_folder(Path(place.work, "new"), "scan", place, None, made)
    assert not Path(place.output, "scan").exists()


def test_lists_lead_one_folder_down_and_nowhere_else(tmp_path: Path) -> None:
    digest = "a" * 64
    listed = tmp_path / "a.sha256"
    listed.write_text(
        f"{digest}  scan/0.png\n{digest}  ../secret\n{digest}  /etc/passwd\n"
        f"{digest}  a/b/c\n{digest}  x\nno line\n{digest}  scan/..\n"
    )
    assert read_list(listed) == {"scan/0.png": digest}
