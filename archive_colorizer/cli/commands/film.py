"""`archive-colorize film`: restore films, or compare one with its source."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archive_colorizer.cli import options
from archive_colorizer.cli.help_groups import GroupedCommand
from archive_colorizer.cli.hooks import FinishHooks, finish_options
from archive_colorizer.cli.options import PATH, make_option
from archive_colorizer.cli.terminal import print_line
from archive_colorizer.errors import ExitCode, UsageError
from archive_colorizer.recipe.files import OPTION, load_recipes
from archive_colorizer.recipe.film_shots import load_shots
from archive_colorizer.recipe.recipe import FilmRecipe

if TYPE_CHECKING:
    from archive_colorizer.film.request import FilmRequest

_RATE = ("Set the frames a second of numbered frames.", 24)
_FILM_SETTINGS = ("smoothing", "codec", "rate", "allow_missing")


@click.command(
    "compare",
    epilog="Example: archive-colorize film compare reel.mkv reel-in-color.mkv --output see.mp4",
)
@click.argument("source", type=PATH)
@click.argument("result", type=PATH)
@make_option("--output", "Write this video, MP4 or MKV.", type=PATH, required=True)
@make_option("--wipe", "Move a dividing line instead of side by side.", is_flag=True)
@make_option("--rate", *_RATE, default="")
@make_option("--from begin", "Begin at this time.", metavar="TIME")
@make_option("--to end", "End before this time.", metavar="TIME")
def _compare(
    source: Path,
    result: Path,
    output: Path,
    wipe: bool,
    rate: str,
    begin: str | None,
    end: str | None,
) -> int:
    """Show SOURCE at the left and RESULT at the right of one video."""
    from archive_colorizer.film.comparison import compare_films
    from archive_colorizer.film.request import Span

    settings = FilmRecipe().apply({"rate": rate}, OPTION)
    frames = compare_films(
        source, result, output, "wipe" if wipe else "side by side", settings, Span.parse(begin, end)
    )
    click.echo(f"{frames} frames: {output}")
    return ExitCode.OK


class _FilmCommand(GroupedCommand):
    """Restore films, unless the first word is `compare`."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["compare"]:
            return _compare.make_context("compare", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(
    cls=_FilmCommand,
    first="output preset strength saturation reference smoothing shots codec device preview",
    epilog="Example: archive-colorize film reel.mkv --output reel-in-color.mkv --smoothing 0.8",
)
@click.argument("films", nargs=-1, required=True, type=PATH, metavar="INPUT...")
@make_option("--output", "Write to a folder or FILE.mkv.", "INPUT-colorized", type=PATH)
@options.color_options
@make_option("--smoothing", "Blend color with frames around, 0 to 1.", 0.7, type=float)
@make_option("--codec", "Write videos in this codec.", "same", "same|ffv1|h264|h265|prores")
@make_option("--rate", *_RATE)
@make_option("--shots", "Read a cut list, with settings for single shots.", type=PATH)
@make_option("--from begin", "Begin at seconds, mm:ss or hh:mm:ss.", metavar="TIME")
@make_option("--to end", "End before this time.", metavar="TIME")
@make_option("--allow-missing", "Fill failed shots with the original.", is_flag=True, default=None)
@make_option("--keep-segments", "Keep the finished shots next to the film.", is_flag=True)
@options.build_running_options("ten frames", "films in color")
@make_option("--dry-run", "List the shots and an estimate; write nothing.", is_flag=True)
@make_option(
    "--preview", "Write only a sheet with a frame of each shot.", type=PATH, metavar="FILE.png"
)
@finish_options
@options.message_options
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
    **settings: object,
) -> int:
    """Give films their color back: videos, and folders of numbered frames.

    Originals are only read. A film is restored shot by shot, steady in time, and joined at the
    end with its sound; the same command again continues where it ended.

    \b
    film INPUT... [--output FOLDER|FILE.mkv]              restore
    film INPUT --dry-run                                  list its shots
    film INPUT --preview sheet.png                        one frame of each shot
    film compare SOURCE RESULT --output FILE.mp4          see both in one video
    """
    from archive_colorizer.cli.film_output import restore_with_progress
    from archive_colorizer.cli.progress import report_end
    from archive_colorizer.film.request import FilmRequest, Span

    if dry_run and preview is not None:
        raise UsageError("--dry-run and --preview exclude each other; give one of them")
    is_preview = dry_run or preview is not None
    with FinishHooks(None, None) if is_preview else FinishHooks(on_finish, metrics) as hooks:
        chosen = options.collect_chosen(settings)
        film_options = {name: chosen.pop(name) for name in _FILM_SETTINGS if name in chosen}
        recipe, film = load_recipes(recipe_file, chosen)
        request = FilmRequest(
            roots=films,
            output=Path(),
            recipe=recipe,
            film=film.apply(film_options, OPTION),
            shots=shots,
            shot_settings=load_shots(recipe_file) if recipe_file else (),
            span=Span.parse(begin, end),
            keep_segments=keep_segments,
            retry_failed=retry_failed,
            command=options.get_recorded_command(),
        ).validate(output)
        if dry_run:
            return _show_shots(request, as_json)
        if preview is not None:
            return _write_preview(request, preview, quiet or as_json)
        hooks.output = str(request.output)
        summary = restore_with_progress(request, as_json, quiet)
        hooks.run(summary)
    return report_end(summary)


def _show_shots(request: "FilmRequest", as_json: bool) -> int:
    """Print the shots of the films with their frames and times, and an estimate."""
    from archive_colorizer.film.preview import preview_film
    from archive_colorizer.film.request import format_clock

    previews = [preview_film(path, request) for path in request.roots]
    if as_json:
        films = [preview.as_dict() for preview in previews]
        click.echo(json.dumps({"dry_run": True, "films": films}))
        return ExitCode.OK
    for film in previews:
        print_line(f"{film.name}: {film.description}")
        for number, (first, last, begin, end) in enumerate(film.shots, 1):
            times = f"{format_clock(begin)} to {format_clock(end)}"
            click.echo(f"  shot {number:4}  frames {first} to {last - 1}  {times}")
        for warning in film.warnings:
            print_line(f"  {warning}")
        click.echo(
            f"  {film.frames} frames, about {film.rate:.1f} a second with {film.workers} workers: "
            f"{format_clock(film.seconds)[:-4]} for this film"
        )
    return ExitCode.OK


def _write_preview(request: "FilmRequest", sheet: Path, quiet: bool) -> int:
    """Write a contact sheet with one restored frame of each shot."""
    from archive_colorizer.film.preview import write_sheet

    shots = write_sheet(request, sheet)
    if not quiet:
        print_line(f"{shots} shots: {sheet}")
    return ExitCode.OK
