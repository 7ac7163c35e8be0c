"""`archive-colorize recipe`: show, check and describe settings."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Final

import click

from archive_colorizer.cli.commands import film, run
from archive_colorizer.cli.options import PATH, collect_chosen, make_option
from archive_colorizer.cli.terminal import print_line
from archive_colorizer.errors import ExitCode, ModelError, UsageError
from archive_colorizer.recipe.files import Layer, load_recipe
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe

_FILM_SETTINGS: Final = frozenset(field.name for field in fields(FilmRecipe))


@click.group("recipe", epilog="Example: archive-colorize recipe show --recipe nightly.toml")
def command() -> None:
    """Show the settings in effect, check recipe files, and describe them to editors."""


def _collect_setting_options() -> list[click.Parameter]:
    """Collect the options of `run` and `film` that are settings, and --recipe, each once."""
    names = {"recipe_file", *(option.name for option in fields(Recipe)), *_FILM_SETTINGS}
    options: dict[str | None, click.Parameter] = {}
    for option in (*run.command.params, *film.command.params):
        if option.name in names:
            options.setdefault(option.name, option)
    return list(options.values())


@click.command(
    "show",
    params=_collect_setting_options(),
    epilog="Example: archive-colorize recipe show --recipe nightly.toml --strength 0.8 > job.toml",
)
@make_option("--for photo", "Show the settings of this photograph.", type=PATH)
@make_option("--scans", "Name the run's folder for --for.", "its own", type=PATH)
@make_option("--changed", "Show only what differs from the default.", is_flag=True)
@make_option("--json as_json", "Print JSON with a digest.", is_flag=True)
def _show(
    recipe_file: Path | None,
    photo: Path | None,
    scans: Path | None,
    changed: bool,
    as_json: bool,
    **settings: object,
) -> int:
    """Print all settings as a recipe file, each with its origin.

    The origin is the default, a recipe file or an option.
    """
    from archive_colorizer.recipe.explain import TracedSettings

    options = collect_chosen(settings)
    film_options = {name: options.pop(name) for name in _FILM_SETTINGS & set(options)}
    companion_layers = _load_companion_layers(photo, scans, recipe_file, options)
    explained = TracedSettings.trace(recipe_file, options, film_options, companion_layers)
    explained.recipe.check_combination()
    if not as_json:
        click.echo(explained.render_toml(changed), nl=False)
        return ExitCode.OK
    entries = {
        f"{table}.{name}" if table else name: {"value": value, "from": origins[name]}
        for table, settings, origins in explained.iterate_tables()
        for name, value in settings.as_dict().items()
        if not (changed and origins[name] == "default")
    }
    shots = [{"frame": shot.frame, **shot.chosen} for shot in explained.shots]
    report = {"digest": explained.recipe.compute_digest(), "settings": entries}
    click.echo(json.dumps({**report, "film.shot": shots} if shots else report))
    return ExitCode.OK


def _load_companion_layers(
    photo: Path | None, scans: Path | None, recipe_file: Path | None, options: dict[str, object]
) -> list[Layer]:
    """Load the settings next to a photograph, and the recipe's tables that match it."""
    if photo is None:
        if scans is not None:
            raise UsageError("--scans needs --for PHOTO, whose settings it shows")
        return []
    from archive_colorizer.discovery.photo_settings import find_layers
    from archive_colorizer.recipe.overrides import OverrideRules

    return find_layers(photo, OverrideRules.load(recipe_file, options), scans)


@click.command(
    "check", epilog="Example: archive-colorize recipe check workflows/family-shoebox.toml"
)
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
def _check(files: tuple[Path, ...]) -> int:
    """Check recipe files and name every fault; the exit code is 2 when there is one."""
    from archive_colorizer.recipe.explain import find_faults

    has_faults = False
    for file in files:
        try:
            faults = find_faults(file)
        except UsageError as error:
            faults = [str(error)]
        for fault in faults:
            print_line(f"{file}: {fault}", err=True)
        has_faults |= bool(faults)
        if not faults:
            print_line(f"{file}: sound{_describe_missing_model(file)}")
    return ExitCode.USAGE if has_faults else ExitCode.OK


def _describe_missing_model(file: Path) -> str:
    """Describe a model that is missing here, since a recipe may be for another machine."""
    from archive_colorizer.model.registry import find_model

    try:
        find_model(load_recipe(file).model)
    except ModelError as error:
        return f"; but here: {error}"
    return ""


@click.command(
    "schema", epilog="Example: archive-colorize recipe schema > archive-colorizer.schema.json"
)
def _show_schema() -> int:
    """Print the JSON schema of recipe files, for editors of TOML.

    With Taplo or Even Better TOML, begin a recipe with: #:schema archive-colorizer.schema.json
    """
    from archive_colorizer.recipe.schema import build_schema

    click.echo(json.dumps(build_schema(), indent=2))
    return ExitCode.OK


for subcommand in (_show, _check, _show_schema):
    command.add_command(subcommand)
