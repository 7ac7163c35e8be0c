"""`archive-colorize film`: films in color, and videos that compare them with their source."""

import sys
from pathlib import Path
from typing import Any

import click

from archive_colorizer.cli.hooks import Finish, finish_options
from archive_colorizer.cli.options import (
    PATH,
    chosen,
    color_options,
    running_options,
    saying_options,
    words,
)
from archive_colorizer.errors import ExitCode, UsageError
from archive_colorizer.recipe.files import OPTION, load_recipes
from archive_colorizer.recipe.film_shots import load_shots
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe

_FILM_SETTINGS = ("smoothing", "codec", "rate", "allow_missing")


@click.command(
    "compare",
    epilog="Example: archive-colorize film compare reel.mkv reel-in-color.mkv --output see.mp4",
)
@click.argument("source", type=PATH)
@click.argument("result", type=PATH)
@click.option("--output", type=PATH, required=True, help="The video to write, MP4 or MKV.")
@click.option("--wipe", is_flag=True, help="A line that goes to and fro, not side by side.")
@click.option("--rate", default="", help="Frames a second of numbered frames.  [default: 24]")
@click.option("--from", "begin", metavar="TIME", help="Begin here.")
@click.option("--to", "end", metavar="TIME", help="End before this.")
def compare(
    source: Path,
    result: Path,
    output: Path,
    wipe: bool,
    rate: str,
    begin: str | None,
    end: str | None,
) -> int:
    """Show a film and its result in one video: SOURCE at the left, RESULT at the right."""
    from archive_colorizer.film.comparison import compare_films
    from archive_colorizer.film.request import span_of

    settings = FilmRecipe().changed({"rate": rate}, OPTION)
    frames = compare_films(
        source, result, output, "wipe" if wipe else "side by side", settings, span_of(begin, end)
    )
    click.echo(f"{frames} frames: {output}")
    return ExitCode.OK


class _Film(click.Command):
    """The restoration, unless the first word is `compare`."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["compare"]:
            return compare.make_context("compare", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(
    cls=_Film,
    epilog="Example: archive-colorize film reel.mkv --output reel-in-color.mkv --smoothing 0.8",
)
@click.argument("films", nargs=-1, required=True, type=PATH, metavar="INPUT...")
@click.option("--output", type=PATH, help="A folder or FILE.mkv.  [default: INPUT-colorized]")
@color_options
@click.option("--smoothing", type=float, help="Color from frames around, 0 to 1.  [default: 0.7]")
@click.option("--codec", **words("same|ffv1|h264|h265|prores"), help="Of videos.  [default: same]")
@click.option("--rate", help="Frames a second of numbered frames.  [default: 24]")
@click.option("--shots", type=PATH, help="A cut list, with settings for single shots.")
@click.option("--from", "begin", metavar="TIME", help="Begin here: seconds, mm:ss or hh:mm:ss.")
@click.option("--to", "end", metavar="TIME", help="End before this.")
@click.option(
    "--allow-missing", is_flag=True, default=None, help="Fill failed shots with the original."
)
@click.option("--keep-segments", is_flag=True, help="Keep the finished shots beside the film.")
@running_options("ten frames", "films in color")
@click.option("--dry-run", is_flag=True, help="List the shots and estimate; write nothing.")
@click.option("--preview", type=PATH, metavar="FILE.png", help="One frame a shot, nothing else.")
@finish_options
@saying_options
def command(
    films: tuple[Path, ...],
    output: Path | None,
    recipe_file: Path | None,
    shots: Path | None,
    begin: str | None,
    end: str | None,
    keep_segments: bool,
    retry_failed: bool,
    dry_run: bool,
    preview: Path | None,
    on_finish: str | None,
    metrics: Path | None,
    as_json: bool,
    quiet: bool,
    **given: object,
) -> int:
    """Give films their color back: videos, and folders of numbered frames.

    Originals are only read. The film is restored shot by shot, steady in time, and put
    together at the end with its sound; the same command again goes on where it ended.

    \b
    film INPUT... [--output FOLDER|FILE.mkv]              restore
    film INPUT --dry-run                                  list its shots
    film INPUT --preview sheet.png                        one frame of each shot
    film compare SOURCE RESULT --output FILE.mp4          see both in one video
    """
    # Late, so that --help answers at once.
    from archive_colorizer.cli import film_output as film_report
    from archive_colorizer.cli.progress import exit_code_of
    from archive_colorizer.film.request import FilmOrder, place_film_order, span_of

    if dry_run and preview is not None:
        raise UsageError("--dry-run and --preview are two things; give one of them")
    only_looks = dry_run or preview is not None
    with Finish(None, None) if only_looks else Finish(on_finish, metrics) as finish:
        recipe, film = _recipes(recipe_file, chosen(given))
        order = FilmOrder(
            films=films,
            output=Path(),
            recipe=recipe,
            film=film,
            shots=shots,
            own=load_shots(recipe_file) if recipe_file else (),
            span=span_of(begin, end),
            keep_segments=keep_segments,
            retry_failed=retry_failed,
            command=tuple(sys.argv[1:]),
        )
        order = place_film_order(order, output)
        if dry_run:
            return film_report.show_shots(order, as_json)
        if preview is not None:
            return film_report.show_preview(order, preview, quiet or as_json)
        finish.output = str(order.output)
        summary = film_report.restore(order, as_json, quiet)
        finish.told(summary)
    return exit_code_of(summary)


def _recipes(file: Path | None, options: dict[str, object]) -> tuple[Recipe, FilmRecipe]:
    of_film = {key: options.pop(key) for key in _FILM_SETTINGS if key in options}
    recipe, film = load_recipes(file, options)
    return recipe, film.changed(of_film, OPTION)
