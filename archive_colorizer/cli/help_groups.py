"""Show the options of a long command in groups, and by default only its most needed ones."""

from typing import Any, Final

import click

GROUPS: Final = {
    "Look": "recipe preset model merge merge-mode merge-weight strength strength-shadows "
    "strength-highlights saturation hue value hue-range blend working-size borders smoothing grid",
    "Known colors": "reference reference-strength",
    "Film": "from to rate shots codec allow-missing keep-segments preview",
    "Results": "output format jpeg-quality luma profile sharpen sharpen-radius sharpen-threshold "
    "page sidecar mark source-type max-megapixels paranoid report json quiet",
    "Again": "dry-run force retry retry-failed",
    "Machine": "device executor workers max-memory timeout time-budget nice settle poll linger "
    "on-finish metrics",
    "Cluster": "scheduler tls-ca tls-cert tls-key insecure",
    "Signing": "c2pa cert key",
    "Help": "help help-all",
}
"""The long options of `run`, `film` and `watch` by heading, in the order that --help-all shows."""


class GroupedCommand(click.Command):
    """A command whose --help shows the options in `first`, and --help-all all in groups."""

    def __init__(self, *args: Any, first: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._first = first
        show_all = click.Option(
            ["--help-all"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_all,
            help="Show all options in groups and exit.",
        )
        self.params.append(show_all)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = {
            option.opts[-1].removeprefix("--"): row
            for option in self.get_params(ctx)
            if (row := option.get_help_record(ctx))
        }
        groups = GROUPS if ctx.meta.get(__name__) else {"Options": self._first}
        for heading, names in groups.items():
            if shown := [rows[name] for name in names.split() if name in rows]:
                with formatter.section(heading):
                    formatter.write_dl(shown)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if not ctx.meta.get(__name__):
            options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
            rest = len(options) - len(self._first.split())
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(f"--help-all shows the other {rest} options in groups.")


def _show_all(context: click.Context, _option: click.Parameter, is_given: bool) -> None:
    if is_given and not context.resilient_parsing:
        context.meta[__name__] = True
        click.echo(context.get_help())
        context.exit()
