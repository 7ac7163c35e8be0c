"""Folders of frames appear whole, replace no other files, and are described by their lists."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from archive_colorizer.errors import OutputError, TargetExists
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import JobContext
from archive_colorizer.storage.fixity import format_checksum_list, read_checksum_list
from archive_colorizer.video.sequence.folder import deliver_folder, gather_frames


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    work = tmp_path / "out" / ".work" / "run"
    work.mkdir(parents=True)
    return JobContext(str(tmp_path / "out"), str(work), Recipe(), "model.onnx", "0" * 64)


def frames(folder: Path, *names: str) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())
    return {name: hashlib.sha256(name.encode()).hexdigest() for name in names}


def test_parts_are_put_together_and_stay(context: JobContext) -> None:
    parts = Path(context.output, "segments")
    lists = []
    for part, names in (("0-2", ("0.png", "1.png")), ("2-3", ("2.png",))):
        digests = frames(parts / part, *names)
        lists.append(parts / f"{part}.sha256")
        lists[-1].write_bytes(format_checksum_list(part, digests))
    temporary = Path(context.work, "together")
    together = gather_frames(lists, temporary)
    assert sorted(together) == ["0.png", "1.png", "2.png"]
    deliver_folder(temporary, "scan", context, None, together)
    assert sorted(path.name for path in Path(context.output, "scan").iterdir()) == sorted(together)
    assert (parts / "0-2" / "0.png").exists()


def test_without_hard_links_frames_are_copied(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    digests = frames(Path(context.output, "0-1"), "0.png")
    listed = Path(context.output, "0-1.sha256")
    listed.write_bytes(format_checksum_list("0-1", digests))
    monkeypatch.setattr(os, "link", refuse)
    gather_frames([listed], Path(context.work, "together"))
    assert Path(context.work, "together", "0.png").read_bytes() == b"0.png"


def test_a_folder_with_a_stranger_s_file_is_kept(context: JobContext) -> None:
    digests = frames(Path(context.work, "new"), "0.png")
    user_file = Path(context.output, "scan", "mine.txt")
    frames(user_file.parent, "0.png")
    user_file.write_text("MY OWN WORK")
    with pytest.raises(TargetExists, match="scan"):
        deliver_folder(Path(context.work, "new"), "scan", context, None, digests)
    assert user_file.read_text() == "MY OWN WORK"


def test_an_earlier_result_gives_way_and_so_does_what_a_killed_run_left(
    context: JobContext,
) -> None:
    folder, listed = Path(context.output, "scan"), Path(context.output, "scan.sha256")
    listed.write_bytes(format_checksum_list("scan", frames(folder, "old.png")))
    digests = frames(Path(context.work, "new"), "0.png")
    deliver_folder(Path(context.work, "new"), "scan", context, listed, digests)
    assert [path.name for path in folder.iterdir()] == ["0.png"]
    again = frames(Path(context.work, "again"), "0.png")
    deliver_folder(Path(context.work, "again"), "scan", context, None, again)
    assert [path.name for path in folder.iterdir()] == ["0.png"]


def test_a_link_in_a_folder_s_place_is_not_followed(context: JobContext, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    digests = frames(elsewhere, "0.png")
    Path(context.output, "scan").symlink_to(elsewhere)
    frames(Path(context.work, "new"), "0.png")
    with pytest.raises(TargetExists):
        deliver_folder(Path(context.work, "new"), "scan", context, None, digests)
    assert (elsewhere / "0.png").exists()


def test_a_run_that_was_taken_over_brings_nothing(context: JobContext) -> None:
    digests = frames(Path(context.work, "new"), "0.png")
    Path(context.work).rename(Path(context.work + ".dead"))
    with pytest.raises(OutputError):
        deliver_folder(Path(context.work, "new"), "scan", context, None, digests)
    assert not Path(context.output, "scan").exists()


def test_lists_lead_one_folder_down_and_nowhere_else(tmp_path: Path) -> None:
    digest = "a" * 64
    listed = tmp_path / "a.sha256"
    listed.write_text(
        f"{digest}  scan/0.png\n{digest}  ../secret\n{digest}  /etc/passwd\n"
        f"{digest}  a/b/c\n{digest}  x\nno line\n{digest}  scan/..\n"
    )
    assert read_checksum_list(listed) == {"scan/0.png": digest}
