"""Finding photographs: order, hostile names, everything accounted for."""

import os
import socket

import pytest

from archive_colorizer.discovery import walk as discover
from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import SourceChanged, SourceError
from archive_colorizer.records.jobs import RejectedEntry, Source, Stamp
from archive_colorizer.storage.reading import get_storage, read_source
from tests.image.files import saved, small_grey

JPEG = b"\xff\xd8\xff\xe0 as good as a picture here"


def lay_out(root, names):
    for name in names:
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG)


def reasons(root):
    return {one.relative: one.reason for one in walk(root) if isinstance(one, RejectedEntry)}


HOSTILE = [
    b"new\nline.jpg",
    b"\xff\xfe not utf-8.jpg",
    b"-rf.jpg",
    b" spaces .JPG",
    "Übergröße 東京.jpeg".encode(),
    b"x" * 247 + b".jpg",
    b"folder \xe9/inner\ttab.png",
]


def test_hostile_names_survive(tmp_path):
    lay_out(tmp_path, HOSTILE)
    found = list(walk(tmp_path))
    assert sorted(os.fsencode(one.relative) for one in found) == sorted(HOSTILE)
    for one in found:
        assert isinstance(one, Source) and read_source(one.path)[0] == JPEG


def test_the_order_is_that_of_bytes_and_depth_first(tmp_path):
    names = [b"B.jpg", b"a/2.jpg", b"a/10.jpg", b"a.jpg", "ä.jpg".encode(), b"\xff.jpg", b"Z/1.jpg"]
    lay_out(tmp_path, names)
    found = [os.fsencode(one.relative) for one in walk(tmp_path)]
    assert found == [
        b"B.jpg",
        b"Z/1.jpg",
        b"a/10.jpg",
        b"a/2.jpg",
        b"a.jpg",
        "ä.jpg".encode(),
        b"\xff.jpg",
    ]


def test_250_levels_are_walked(tmp_path):
    lay_out(tmp_path, [b"d/" * 250 + b"deep.jpg"])
    (one,) = walk(tmp_path)
    assert one.relative.count("/") == 250


def test_stamp_root_and_prefix_are_given(tmp_path):
    lay_out(tmp_path, [b"in/a.jpg"])
    (one,) = walk(tmp_path / "in" / "..", prefix="first")
    assert one == Source(
        str(tmp_path), "in/a.jpg", Stamp.from_stat((tmp_path / "in/a.jpg").stat()), "first"
    )
    assert one.name == "first/in/a.jpg"


def test_links_are_never_followed(tmp_path):
    lay_out(tmp_path, [b"root/a.jpg", b"outside/secret.jpg"])
    root = tmp_path / "root"
    (root / "loop").symlink_to(root)
    (root / "file.jpg").symlink_to(tmp_path / "outside/secret.jpg")
    (root / "gone.jpg").symlink_to("nowhere")
    assert reasons(root) == dict.fromkeys(("loop", "file.jpg", "gone.jpg"), "symlink")
    assert len(list(walk(root))) == 4


def test_a_root_may_be_a_link_for_the_user_named_it(tmp_path):
    lay_out(tmp_path, [b"real/a.jpg"])
    (tmp_path / "alias").symlink_to("real")
    (one,) = walk(tmp_path / "alias")
    assert isinstance(one, Source)


def test_special_files_are_named_and_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert reasons(tmp_path) == {"pipe.jpg": "special-file", "socket": "special-file"}
    assert not any(one.failed for one in walk(tmp_path))


def test_content_decides_where_the_name_promises_nothing(tmp_path):
    (tmp_path / "scan.0001").write_bytes(JPEG)
    (tmp_path / "wrong.gif").write_bytes(JPEG)
    (tmp_path / "text.txt").write_text("BM and nothing else")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "animation").write_bytes(saved(small_grey(), "GIF"))
    (tmp_path / "photo.jxl").write_bytes(b"whatever")
    found = {one.relative: one for one in walk(tmp_path)}
    assert [name for name, one in found.items() if isinstance(one, Source)] == [
        "scan.0001",
        "wrong.gif",
    ]
    unfit = {
        name: (one.reason, one.failed)
        for name, one in found.items()
        if isinstance(one, RejectedEntry)
    }
    assert unfit == {
        "text.txt": ("not-a-picture", False),
        "empty": ("not-a-picture", False),
        "animation": ("unsupported", True),
        "photo.jxl": ("unsupported", True),
    }
    assert "GIF" in found["animation"].message


def test_what_file_browsers_leave_is_skipped(tmp_path):
    for name in ("._photo.jpg", "._folder"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    for name in ("Thumbs.db", ".DS_Store"):
        (tmp_path / name).write_bytes(JPEG)
    (tmp_path / "._real.jpg").write_bytes(JPEG)
    assert set(reasons(tmp_path).values()) == {"not-a-picture"} and len(reasons(tmp_path)) == 4
    assert [one.relative for one in walk(tmp_path) if isinstance(one, Source)] == ["._real.jpg"]


def test_files_with_a_picture_extension_are_not_opened(tmp_path, monkeypatch):
    lay_out(tmp_path, [b"a.jpg", b"b.TIFF", b"c.jp2", b"d.dib"])
    monkeypatch.setattr(discover, "_read_beginning", lambda *_: pytest.fail("opened"))
    assert len(list(walk(tmp_path))) == 4


def test_nothing_is_asked_twice(tmp_path, monkeypatch):
    lay_out(tmp_path, [b"a.jpg", b"in/b.jpg"])
    asked, lstat = [], os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: asked.append(path) or lstat(path))
    assert len(list(walk(tmp_path))) == 2
    assert len(asked) == len(set(asked)) == 3


def test_a_folder_that_cannot_be_listed_fails_alone(tmp_path, monkeypatch):
    lay_out(tmp_path, [b"a.jpg", b"locked/b.jpg", b"z.jpg"])
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    a, locked, z = walk(tmp_path)
    assert isinstance(a, Source) and isinstance(z, Source)
    assert (locked.reason, locked.failed) == ("unreadable", True)
    assert "Permission denied" in locked.message


def test_a_root_that_is_a_file_gives_that_file(tmp_path):
    lay_out(tmp_path, [b"a.jpg", b"b.jpg"])
    (one,) = walk(tmp_path / "b.jpg")
    assert (one.root, one.relative) == (str(tmp_path), "b.jpg")


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(SourceError, match="nowhere cannot be read: No such file"):
        list(walk(tmp_path / "nowhere"))


def test_read_source_says_why_not(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name, why in (("pipe", "no regular file"), ("link", "link"), ("none", "No such file")):
        with pytest.raises(SourceError, match=why):
            read_source(tmp_path / name)


def test_a_change_is_noticed(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(JPEG)
    _, stamp = read_source(path)
    get_storage(path).check_unchanged(stamp)
    path.write_bytes(JPEG + b"!")
    with pytest.raises(SourceChanged, match=r"a\.jpg was written to"):
        get_storage(path).check_unchanged(stamp)
    path.unlink()
    with pytest.raises(SourceChanged, match="went away"):
        get_storage(path).check_unchanged(stamp)


def test_sources_name_their_files_of_settings_the_nearest_last(tmp_path):
    lay_out(
        tmp_path,
        [
            b"colorize.toml",
            b"a.jpg",
            b"b.jpg",
            b"b.jpg.colorize.toml",
            b"box/c.jpg",
            b"box/inner/d.jpg",
            b"box/inner/colorize.toml",
            b"box/inner/d.jpg.colorize.toml",
        ],
    )
    found = {one.relative: one.overrides for one in walk(tmp_path) if isinstance(one, Source)}
    assert found == {
        "a.jpg": ("colorize.toml",),
        "b.jpg": ("colorize.toml", "b.jpg.colorize.toml"),
        "box/c.jpg": ("colorize.toml",),
        "box/inner/d.jpg": (
            "colorize.toml",
            "box/inner/colorize.toml",
            "box/inner/d.jpg.colorize.toml",
        ),
    }
    assert set(reasons(tmp_path).values()) == {"settings"}
    (alone,) = walk(tmp_path / "b.jpg")
    assert isinstance(alone, Source)
    assert alone.overrides == found["b.jpg"]


def test_settings_of_a_photograph_that_is_not_there_are_told(tmp_path):
    lay_out(tmp_path, [b"a.jpg", b"b.jpg.colorize.toml"])
    (told,) = (one.message for one in walk(tmp_path) if isinstance(one, RejectedEntry))
    assert told.endswith("b.jpg, which is not there")


def test_without_files_of_settings_nothing_more_is_looked_at(tmp_path, monkeypatch):
    lay_out(tmp_path, [b"box/%d.jpg" % number for number in range(20)])
    looked = []
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: looked.append(path) or real(path))
    assert all(one.overrides == () for one in walk(tmp_path))
    assert len(looked) == 21
