"""Define the options that several commands share."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import click

from archive_colorizer.errors import UsageError
from archive_colorizer.location import Location, has_scheme, parse_location
from archive_colorizer.recipe.files import load_recipe
from archive_colorizer.recipe.hue_ranges import HueRange
from archive_colorizer.recipe.overrides import OverrideRules

if TYPE_CHECKING:
    from archive_colorizer.pipeline.request import RestoreRequest

Decorator: TypeAlias = Callable[[Any], Any]


NO_WORKING_DIRECTORY: Final = (
    "the working directory was removed; change to one that exists, or give whole paths"
)


class _PathType(click.Path):
    """Accept a path, but a relative one only where the working directory still exists."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not (Path(value).is_absolute() or has_working_directory()):
            raise UsageError(f"{value}: {NO_WORKING_DIRECTORY}")
        return super().convert(value, param, ctx)


class _LocationType(_PathType):
    """Accept a path, and the address of something in a store if stores are allowed."""

    def __init__(self, allows_stores: bool) -> None:
        super().__init__(path_type=Path)
        self._allows_stores = allows_stores

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not (isinstance(value, str) and has_scheme(value)):
            return super().convert(value, param, ctx)
        if self._allows_stores:
            return parse_location(value)
        raise UsageError(
            f"{value.partition('://')[0]}:// cannot be given here, since only `run`, `verify` and "
            "`report` read and write stores; copy the files to a disk"
        )


PATH: Final = _LocationType(allows_stores=False)
LOCATION: Final = _LocationType(allows_stores=True)
LOCAL_PATH: Final = _PathType(path_type=Path)
"""A path, also one that looks like the address of a store."""


def has_working_directory() -> bool:
    """Return whether the working directory exists; another program may have removed it."""
    try:
        os.getcwd()  # noqa: PTH109 (it needs no path of it)
    except FileNotFoundError:
        return False
    return True


def make_option(
    names: str, text: str, shown: object = None, words: str = "", **settings: Any
) -> Decorator:
    """Make an option whose help is `text`, then the default as `shown`.

    names: the option, then its parameter where that has another name.  words: those that it
    takes, as `a|b`, which shells complete.
    """

    def suggest(_context: object, _option: object, prefix: str) -> list[str]:
        return [word for word in words.split("|") if word.startswith(prefix)]

    if words:
        settings |= {"metavar": words, "shell_complete": suggest}
    help_text = text if shown is None else f"{text}  [default: {shown}]"
    return click.option(*names.split(), help=help_text, **settings)


def combine_options(*options: Decorator) -> Decorator:
    """Combine options into one decorator; `recipe show` lists them in this order."""

    def apply_options(command: Any) -> Any:
        # click lists the options of the nearest decorator last.
        for option in reversed(options):
            command = option(command)
        return command

    return apply_options


_FLAG: Final[dict[str, Any]] = {"is_flag": True, "default": None}
"""A flag that leaves the recipe as it is unless it is given."""

color_options: Final = combine_options(
    make_option("--model", "Use this model, a name or a file.", "default", metavar="NAME|FILE"),
    make_option("--merge", "Merge a second model with the first.", metavar="NAME|FILE"),
    make_option(
        "--merge-mode",
        "Choose how the second model counts.",
        "mean",
        words="mean|chroma-limited|luma-masked|luma-weighted",
    ),
    make_option("--merge-weight", "Weigh the second model, 0 to 1.", 0.5, type=float),
    make_option("--recipe recipe_file", "Read settings from a TOML file.", type=PATH),
    make_option(
        "--device",
        "Choose where the network runs; cuda:1 is the second card.",
        "auto",
        words="auto|cpu|cuda|tensorrt",
    ),
    make_option(
        "--preset",
        "Start from a look; options and recipe overrule it.",
        "none",
        words="natural|vivid|faded|portrait|hand-tinted",
    ),
    make_option("--strength", "Use a share of the color, 0 to 1.", 1, type=float),
    make_option("--saturation", "Multiply the saturation.", 1, type=float),
    make_option("--hue", "Turn all hues, in degrees.", 0, type=float),
    make_option("--value", "Multiply the value of the mask.", 1, type=float),
    make_option(
        "--hue-range",
        "Correct some hues, as 20-60:saturation=0.8,shift=5; repeat for more.",
        multiple=True,
        metavar="RANGE",
    ),
    make_option("--strength-shadows", "Scale strength in shadows, 0 to 1.", 1, type=float),
    make_option("--strength-highlights", "Scale strength in highlights, 0 to 1.", 1, type=float),
    make_option("--blend", "Blend the mask by luma or soft light.", "luma", "luma|soft-light"),
    make_option("--working-size", "Set the side that the network sees.", "the model's", type=int),
    make_option("--reference", "Follow the palette of a color photograph.", metavar="FILE"),
    make_option("--reference-strength", "Use a share of its palette, 0 to 1.", 1, type=float),
    make_option("--borders", "Find borders and leave them neutral.", "none", "none|auto"),
)
"""Which color, and which network makes it."""

result_options: Final = combine_options(
    make_option("--jpeg-quality", "Set a quality, 1 to 100; 0 keeps luma.", 0, type=int),
    make_option("--sharpen", "Sharpen luma by an unsharp mask, 0 to 5.", 0, type=float),
    make_option("--sharpen-radius", "Set the unsharp mask's radius in pixels.", 1, type=float),
    make_option("--sharpen-threshold", "Spare grain below this, 0 to 255.", 0, type=float),
    make_option("--luma", "Choose how JPEGs keep luma.", "encoded", "encoded|lossless"),
    make_option("--profile", "Write sRGB, or keep the color space.", "srgb", "srgb|keep"),
    make_option("--format", "Write results in this format.", "same", "same|tiff|png|jpeg|webp|jp2"),
    make_option("--page", "Restore this page of files with several.", "first", type=int),
    make_option("--sidecar", "Write name.ext.xmp next to results.", **_FLAG),
    make_option("--mark", "Write visible words into a corner.", "none", "none|corner"),
    make_option("--c2pa", "Sign results with Content Credentials.", **_FLAG),
    make_option("--source-type", "State this IPTC digital source type.", metavar="TERM"),
    make_option("--cert", "Sign with this certificate chain, PEM.", metavar="FILE"),
    make_option("--key", "Sign with this private key, PEM.", metavar="FILE"),
    make_option("--max-megapixels", "Refuse larger pictures.", 300, type=float),
    make_option("--paranoid", "Read every result back before it counts.", **_FLAG),
)
"""What a restored photograph is written as."""

message_options: Final = combine_options(
    make_option("--json as_json", "Print one JSON summary on stdout, nothing else.", is_flag=True),
    make_option("--quiet", "Print only errors.", is_flag=True),
)
"""What a command prints."""

cluster_options: Final = combine_options(
    make_option("--scheduler", "Use the Dask cluster at tls://HOST:PORT.", metavar="ADDRESS|FILE"),
    make_option("--tls-ca", "Trust this authority on tls://, PEM.", metavar="FILE"),
    make_option("--tls-cert", "Show this certificate on tls://, PEM.", metavar="FILE"),
    make_option("--tls-key", "Use its private key on tls://, PEM.", metavar="FILE"),
    make_option("--insecure", "Also use a scheduler without TLS, tcp://.", **_FLAG),
)
"""Which existing Dask cluster to use."""


def build_running_options(timed: str, colored: str) -> Decorator:
    """Build the options of a run: what --timeout limits, and what --force also restores."""
    return combine_options(
        make_option("--workers", "Set worker processes; 0: one a core, or a card.", 0, type=int),
        make_option("--timeout", f"Limit seconds for {timed}; 0: no limit.", 300, type=float),
        make_option("--max-memory", "Limit a worker's memory in GB.", "its share", type=float),
        make_option("--time-budget", "Stop cleanly after 2h, 90m, 7200.", metavar="TIME"),
        make_option("--nice", "Yield to other programs, 0 to 19.", 0, type=int),
        make_option("--executor", "Run jobs in parallel, or one by one.", "dask", "dask|serial"),
        cluster_options,
        make_option("--force", f"Also restore {colored}.", **_FLAG),
        make_option("--retry-failed", "Retry failures of earlier runs.", is_flag=True),
    )


def build_request(
    roots: Sequence[Location],
    output: Location | None,
    recipe_file: Path | None,
    settings: Mapping[str, object],
    **more: Any,
) -> "RestoreRequest":
    """Build and validate the request of `run` and `watch` from their options."""
    from archive_colorizer.pipeline.request import validate_request

    options = collect_chosen(settings)
    return validate_request(
        roots,
        output,
        load_recipe(recipe_file, options),
        command=get_recorded_command(),
        overriding=OverrideRules.load(recipe_file, options),
        **more,
    )


def get_recorded_command() -> tuple[str, ...]:
    """Return the command line as manifests record it, without the secrets of --on-finish."""
    from archive_colorizer.run.notify import redact_target

    words = sys.argv[1:]
    for index, word in enumerate(words):
        option, is_assigned, target = word.partition("=")
        if index and words[index - 1] == "--on-finish":
            words[index] = redact_target(word)
        elif is_assigned and option == "--on-finish":
            words[index] = f"{option}={redact_target(target)}"
    return tuple(words)


def collect_chosen(options: Mapping[str, object]) -> dict[str, object]:
    """Collect the options that were given, with their hue ranges parsed.

    Raises UsageError for an invalid hue range.
    """
    chosen = {name: value for name, value in options.items() if value not in (None, ())}
    if "hue_range" in chosen:
        ranges = cast(tuple[str, ...], chosen["hue_range"])
        chosen["hue_range"] = tuple(HueRange.parse(text) for text in ranges)
    return chosen
