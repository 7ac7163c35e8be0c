"""Files of settings among the scans, whoever put them there."""

from pathlib import Path

from archive_colorizer.discovery.bagit import walk_root
from archive_colorizer.discovery.photo_settings import apply_overrides
from archive_colorizer.recipe.overrides import OverrideRules, parse_glob_overrides
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import RejectedEntry, Source


def find_entries(
    folder: Path, recipe: Recipe, rules: OverrideRules
) -> dict[str, Source | RejectedEntry]:
    entries = apply_overrides(walk_root(folder, ""), recipe, rules)
    return {entry.relative: entry for entry in entries}


def test_a_costly_setting_fails_the_photographs_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    for name in ("a.png", "b.png", "box/c.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a.png.colorize.toml").write_text("working_size = 2048\n")
    (tmp_path / "box" / "colorize.toml").write_text("working_size = 4096\n")
    entries = find_entries(tmp_path, Recipe(), OverrideRules())
    assert isinstance(entries["b.png"], Source)
    for name, file, size in (
        ("a.png", "a.png.colorize.toml", 2048),
        ("box/c.png", "box/colorize.toml", 4096),
    ):
        rejected = entries[name]
        assert isinstance(rejected, RejectedEntry) and rejected.failed
        assert rejected.reason == "usage"
        assert rejected.message == (
            f"{name}: {file}: working_size {size} takes more work than a file among the scans may "
            "ask for, which is 1024; set it in the recipe or as an option instead"
        )
    entries = find_entries(tmp_path, Recipe(working_size=1024), OverrideRules())
    assert isinstance(entries["a.png"], Source) and entries["a.png"].own is not None
    assert isinstance(entries["box/c.png"], RejectedEntry)


def test_the_recipe_and_options_may_ask_for_any_work(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    globs = parse_glob_overrides([{"match": "*", "working_size": 4096}], "recipe, ")
    entry = find_entries(tmp_path, Recipe(), OverrideRules(globs=globs))["a.png"]
    assert isinstance(entry, Source) and entry.own is not None
    (tmp_path / "colorize.toml").write_text("working_size = 4096\n")
    rules = OverrideRules(fixed=frozenset({"working_size"}))
    entry = find_entries(tmp_path, Recipe(working_size=256), rules)["a.png"]
    assert isinstance(entry, Source) and entry.own is not None and not entry.own.settings
