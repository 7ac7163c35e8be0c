"""The command line: commands that load late, and the boundary that turns errors into codes."""

import importlib
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import click

from archive_colorizer._version import __version__
from archive_colorizer.errors import ArchiveColorizerError, ExitCode

COMMANDS = {
    "run": "Give the photographs below SCANS their color back.",
    "watch": "Restore what comes into a folder, as it comes.",
    "film": "Give films their color back, steady in time, with their sound.",
    "sample": "Lay out a small archive of real photographs to try things on.",
    "recipe": "Show the settings in effect, check recipe files, describe them to editors.",
    "verify": "Check an output against its manifest, and its luma against the sources.",
    "report": "What became of every file: HTML with pictures, text, JSON, CSV, ...",
    "bag": "Pack a checked output into a BagIt bag.",
    "doctor": "Say what this machine has, and whether a run can work here.",
    "train": "Train a network on color photographs.",
    "export": "Turn a training checkpoint into a model file.",
    "evaluate": "Measure models on color photographs made grey.",
    "models": "Adopt, list and fetch models.",
}


class LateGroup(click.Group):
    """A group whose commands are imported when they are called, so that --help is quick.

    late: a sentence by name; package: the dotted name of the package that holds a module for each.
    """

    def __init__(
        self,
        *args: Any,
        late: Mapping[str, str],
        package: str = "archive_colorizer.cli.commands",
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self._late = late
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._late)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._late:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._late.items()))


@click.group(cls=LateGroup, late=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archive-colorize")
def program() -> None:
    """Give photo archives their color back.

    \b
    Try it:
      archive-colorize sample ./scans
      archive-colorize run ./scans
    """


def main() -> None:
    """Run the command line and leave with an exit code of docs/exit-codes.md."""
    sys.exit(run_program(sys.argv[1:]))


def run_program(arguments: list[str]) -> int:
    """Run one command; every error ends here as a message on stderr and an exit code."""
    try:
        code = program.main(arguments, "archive-colorize", standalone_mode=False)
    except ArchiveColorizerError as error:
        click.echo(f"archive-colorize: {printable(str(error))}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("archive-colorize: interrupted", err=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; what was to be done is done or can be resumed.
        sys.stderr.close()
        return ExitCode.OUTPUT
    except Exception:
        traceback.print_exc()
        click.echo("archive-colorize: this is a bug; please report the lines above", err=True)
        return ExitCode.BUG
    return code if isinstance(code, int) else ExitCode.OK


def printable(text: str) -> str:
    """Text from file names and files, safe for a terminal: control characters are escaped."""
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)
