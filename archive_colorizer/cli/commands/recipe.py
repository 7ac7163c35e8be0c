"""`archive-colorize recipe`: what is set, by whom, and whether a recipe file is sound."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Final

import click

from archive_colorizer.cli import printable
from archive_colorizer.cli.commands import film, run
from archive_colorizer.cli.options import PATH, chosen
from archive_colorizer.errors import ExitCode, ModelError, UsageError
from archive_colorizer.recipe.files import Layer, load_recipe
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe, check_together

_FILM_SETTINGS: Final = frozenset(one.name for one in fields(FilmRecipe))


@click.group("recipe", epilog="Example: archive-colorize recipe show --recipe nightly.toml")
def command() -> None:
    """Show the settings in effect, check recipe files, and describe them to editors."""


def _setting_options() -> list[click.Parameter]:
    """The options of `run` and `film` that are settings, and --recipe; each once."""
    known = {"recipe_file", *(one.name for one in fields(Recipe)), *_FILM_SETTINGS}
    found: dict[str | None, click.Parameter] = {}
    for one in (*run.command.params, *film.command.params):
        if one.name in known:
            found.setdefault(one.name, one)
    return list(found.values())


@click.command(
    "show",
    params=_setting_options(),
    epilog="Example: archive-colorize recipe show --recipe nightly.toml --strength 0.8 > job.toml",
)
@click.option("--for", "photo", type=PATH, help="Those of this photograph, with what is beside it.")
@click.option("--scans", type=PATH, help="With --for: the folder of the run.  [default: its own]")
@click.option("--changed", is_flag=True, help="Only what is not as by default.")
@click.option("--json", "as_json", is_flag=True, help="JSON, with a digest.")
def show(
    recipe_file: Path | None,
    photo: Path | None,
    scans: Path | None,
    changed: bool,
    as_json: bool,
    **given: object,
) -> int:
    """Show every setting with where it came from: default, recipe file or option.

    What it prints is a recipe file.
    """
    from archive_colorizer.recipe.explain import as_toml, trace

    options = chosen(given)
    of_film = {name: options.pop(name) for name in _FILM_SETTINGS & set(options)}
    beside = _beside(photo, scans, recipe_file, options)
    traced = trace(recipe_file, options, of_film, beside)
    check_together(traced.recipe)
    if not as_json:
        click.echo(as_toml(traced, changed), nl=False)
        return ExitCode.OK
    said = {
        f"{table}.{name}" if table else name: {"value": value, "from": origins[name]}
        for table, settings, origins in traced.tables()
        for name, value in settings.as_dict().items()
        if not (changed and origins[name] == "default")
    }
    shots = [{"frame": shot.frame, **shot.chosen} for shot in traced.shots]
    known = {"digest": traced.recipe.digest(), "settings": said}
    click.echo(json.dumps({**known, "film.shot": shots} if shots else known))
    return ExitCode.OK


def _beside(
    photo: Path | None, scans: Path | None, recipe_file: Path | None, options: dict[str, object]
) -> list[Layer]:
    """What stands beside a photograph, and in the tables of a recipe that are about it."""
    if photo is None:
        if scans is not None:
            raise UsageError("--scans goes with --for PHOTO, whose settings are to be told")
        return []
    # Late, since it imports what reads pictures.
    from archive_colorizer.discovery.photo_settings import layers_beside
    from archive_colorizer.recipe.overrides import load_overriding

    return layers_beside(photo, load_overriding(recipe_file, options), scans)


@click.command(
    "check", epilog="Example: archive-colorize recipe check workflows/family-shoebox.toml"
)
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
def check(files: tuple[Path, ...]) -> int:
    """Say everything that is wrong with recipe files; ends with 2 when something is."""
    from archive_colorizer.recipe.explain import faults_of

    unsound = False
    for file in files:
        try:
            faults = faults_of(file)
        except UsageError as error:
            faults = [str(error)]
        for fault in faults:
            click.echo(printable(f"{file}: {fault}"), err=True)
        unsound |= bool(faults)
        if not faults:
            click.echo(printable(f"{file}: sound{_missing_model(file)}"))
    return ExitCode.USAGE if unsound else ExitCode.OK


def _missing_model(file: Path) -> str:
    """Said beside, since a recipe may have been written for another machine."""
    from archive_colorizer.model.registry import find_model

    try:
        find_model(load_recipe(file).model)
    except ModelError as error:
        return f"; but here: {error}"
    return ""


@click.command(
    "schema", epilog="Example: archive-colorize recipe schema > archive-colorizer.schema.json"
)
def show_schema() -> int:
    """Print the JSON schema of recipe files, for editors that help with TOML.

    With Taplo or Even Better TOML, begin a recipe with: #:schema archive-colorizer.schema.json
    """
    from archive_colorizer.recipe.schema import schema

    click.echo(json.dumps(schema(), indent=2))
    return ExitCode.OK


for one in (show, check, show_schema):
    command.add_command(one)
