"""The options that `run` and `film` share, in the order in which --help lists them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import click

from archive_colorizer.errors import UsageError
from archive_colorizer.location import given_place, is_address
from archive_colorizer.recipe.hue_ranges import HueRange

Decorator: TypeAlias = Callable[[Any], Any]


class _LocalPath(click.Path):
    """A path; an address is refused where only files will do."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, str) and is_address(value):
            raise UsageError(
                f"{value.partition('://')[0]}:// cannot be given here; only `run`, `verify` and "
                "`report` read and write stores, else copy the files to a disk"
            )
        return super().convert(value, param, ctx)


class _PlaceType(click.Path):
    """A path, or the address of something in a store."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, str) and is_address(value):
            return given_place(value)
        return super().convert(value, param, ctx)


PATH: Final = _LocalPath(path_type=Path)
PLACE: Final = _PlaceType(path_type=Path)


def words(metavar: str) -> dict[str, Any]:
    """For an option that takes one of some words, `a|b`: shown by --help, completed by shells."""

    def complete(_context: object, _option: object, begun: str) -> list[str]:
        return [word for word in metavar.split("|") if word.startswith(begun)]

    return {"metavar": metavar, "shell_complete": complete}


def together(*options: Decorator) -> Decorator:
    """Options as one decorator, in the order in which --help lists them."""

    def decorate(command: Any) -> Any:
        # The nearest decorator comes last in --help.
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


color_options: Final = together(
    click.option(
        "--model", metavar="NAME|FILE", help="A model by name or file.  [default: default]"
    ),
    click.option("--merge", metavar="NAME|FILE", help="A second model to merge with the first."),
    click.option(
        "--merge-mode",
        **words("mean|chroma-limited|luma-masked|luma-weighted"),
        help="How the second counts.  [default: mean]",
    ),
    click.option("--merge-weight", type=float, help="Of the second, 0 to 1.  [default: 0.5]"),
    click.option("--recipe", "recipe_file", type=PATH, help="Settings from a TOML file."),
    click.option(
        "--device",
        **words("auto|cpu|cuda|tensorrt"),
        help="Where the network runs; cuda:1 is the second card.  [default: auto]",
    ),
    click.option(
        "--preset",
        **words("natural|vivid|faded|portrait|hand-tinted"),
        help="A look; options and recipe overrule it.  [default: none]",
    ),
    click.option("--strength", type=float, help="Share of the color used, 0 to 1.  [default: 1]"),
    click.option("--saturation", type=float, help="Factor on saturation.  [default: 1]"),
    click.option("--hue", type=float, help="Turn of the hue in degrees.  [default: 0]"),
    click.option("--value", type=float, help="Factor on the mask's value.  [default: 1]"),
    click.option(
        "--hue-range",
        multiple=True,
        metavar="RANGE",
        help="Corrections of some hues, as 20-60:saturation=0.8,shift=5; again for more.",
    ),
    click.option("--strength-shadows", type=float, help="Share in the dark.  [default: 1]"),
    click.option("--strength-highlights", type=float, help="Share in the light.  [default: 1]"),
    click.option("--blend", **words("luma|soft-light"), help="Of the mask.  [default: luma]"),
    click.option(
        "--working-size", type=int, help="Pixels that the network sees.  [default: the model's]"
    ),
    click.option("--reference", metavar="FILE", help="A color photograph with the palette wanted."),
    click.option(
        "--reference-strength", type=float, help="Share of its palette, 0 to 1.  [default: 1]"
    ),
    click.option("--borders", **words("none|auto"), help="Leave borders neutral.  [default: none]"),
)
"""Which color, and which network makes it."""

result_options: Final = together(
    click.option("--jpeg-quality", type=int, help="1 to 100; 0: keep luma.  [default: 0]"),
    click.option("--sharpen", type=float, help="Unsharp mask on luma, 0 to 5.  [default: 0]"),
    click.option("--sharpen-radius", type=float, help="Of its blur, pixels.  [default: 1]"),
    click.option("--sharpen-threshold", type=float, help="Spared grain, 0 to 255.  [default: 0]"),
    click.option("--luma", **words("encoded|lossless"), help="Of JPEGs.  [default: encoded]"),
    click.option(
        "--profile", **words("srgb|keep"), help="Color space of results.  [default: srgb]"
    ),
    click.option(
        "--format", **words("same|tiff|png|jpeg|webp|jp2"), help="Of results.  [default: same]"
    ),
    click.option(
        "--page", type=int, help="Of files with several pictures, from 1.  [default: first]"
    ),
    click.option(
        "--sidecar", is_flag=True, default=None, help="Write name.ext.xmp beside results."
    ),
    click.option("--mark", **words("none|corner"), help="Visible words.  [default: none]"),
    click.option("--c2pa", is_flag=True, default=None, help="Sign with Content Credentials."),
    click.option(
        "--source-type", metavar="TERM", help="IPTC digital source type that results state."
    ),
    click.option("--cert", metavar="FILE", help="For --c2pa: certificate chain, PEM."),
    click.option("--key", metavar="FILE", help="For --c2pa: private key, PEM."),
    click.option("--max-megapixels", type=float, help="Refuse larger pictures.  [default: 300]"),
    click.option("--paranoid", is_flag=True, default=None, help="Read every result back first."),
)
"""What a restored photograph is written as."""

saying_options: Final = together(
    click.option(
        "--json", "as_json", is_flag=True, help="One JSON summary on stdout, nothing else."
    ),
    click.option("--quiet", is_flag=True, help="Only errors."),
)
"""What a person or a program is told."""


cluster_options: Final = together(
    click.option(
        "--scheduler", metavar="ADDRESS|FILE", help="A Dask cluster: tcp:// or tls://HOST:PORT."
    ),
    click.option("--tls-ca", metavar="FILE", help="For tls://: the authority, PEM."),
    click.option("--tls-cert", metavar="FILE", help="For tls://: certificate, PEM."),
    click.option("--tls-key", metavar="FILE", help="For tls://: its private key, PEM."),
)
"""Where a Dask cluster is that is there already."""


def running_options(timed: str, colored: str) -> Decorator:
    """How many are restored; `timed` is what --timeout is for, `colored` what --force restores."""
    return together(
        click.option(
            "--workers", type=int, help="Worker processes; 0: one a core, or a card.  [default: 0]"
        ),
        click.option("--timeout", type=float, help=f"Seconds for {timed}; 0: any.  [default: 300]"),
        click.option("--max-memory", type=float, help="GB for one worker.  [default: its share]"),
        click.option("--time-budget", metavar="TIME", help="Stop cleanly after 2h, 90m, 7200."),
        click.option("--nice", type=int, help="Yield to others, 0 to 19.  [default: 0]"),
        click.option(
            "--executor", **words("dask|serial"), help="How to run many.  [default: dask]"
        ),
        cluster_options,
        click.option("--force", is_flag=True, default=None, help=f"Restore {colored}, too."),
        click.option("--retry-failed", is_flag=True, help="Try failures of earlier runs again."),
    )


def chosen(given: Mapping[str, object]) -> dict[str, object]:
    """The options that were given; the others leave a recipe as it is.

    Raises UsageError for a hue range that is none.
    """
    found = {name: value for name, value in given.items() if value not in (None, ())}
    if "hue_range" in found:
        written = cast(tuple[str, ...], found["hue_range"])
        found["hue_range"] = tuple(HueRange.parse(one) for one in written)
    return found
