"""The command line: commands that load late, and the boundary that turns errors into codes."""

import importlib
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import click

from archive_colorizer._version import __version__
from archive_colorizer.cli.terminal import guard_streams, print_line
from archive_colorizer.errors import ArchiveColorizerError, ExitCode

COMMANDS = {
    "run": "Give the photographs below SCANS their color back.",
    "watch": "Restore the files that arrive in a folder.",
    "film": "Give films their color back, steady in time and with their sound.",
    "sample": "Write a small archive of real photographs to try things on.",
    "recipe": "Show the settings in effect, check recipe files, describe them to editors.",
    "verify": "Check an output against its manifest, and its luma against the sources.",
    "report": "Show what became of every file: HTML with pictures, text, JSON, CSV, ...",
    "bag": "Pack a checked output into a BagIt bag.",
    "doctor": "Check whether a run works on this machine or cluster.",
    "train": "Train a network on color photographs.",
    "export": "Turn a training checkpoint into a model file.",
    "evaluate": "Measure models on color photographs made grey.",
    "models": "Adopt, list and fetch models.",
}

_CONTEXT = {"help_option_names": ["-h", "--help"]}


class LazyGroup(click.Group):
    """Import commands when they are called, so that --help is quick.

    summaries: a sentence for each command; package: holds a module for each command.
    """

    def __init__(
        self,
        *args: Any,
        summaries: Mapping[str, str],
        package: str = "archive_colorizer.cli.commands",
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self._summaries = summaries
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._summaries:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))


@click.group(cls=LazyGroup, summaries=COMMANDS, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="archive-colorize")
def program() -> None:
    """Give photo archives their color back.

    \b
    Try it:
      archive-colorize sample ./scans
      archive-colorize run ./scans
    """


def main() -> None:
    """Run the command line and exit with a code from docs/exit-codes.md."""
    has_lost_words = guard_streams()
    code = run_program(sys.argv[1:])
    # A lost word is worth a code only where nothing more important is to be said.
    sys.exit(ExitCode.UNPRINTED if has_lost_words() and not code else code)


def run_program(arguments: list[str]) -> int:
    """Run one command and turn every error into a message on stderr and an exit code."""
    try:
        code = program.main(arguments, "archive-colorize", standalone_mode=False)
    except ArchiveColorizerError as error:
        print_line(f"archive-colorize: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("archive-colorize: interrupted", err=True)
        return ExitCode.INTERRUPTED
    except Exception as error:
        from archive_colorizer.cli.options import NO_WORKING_DIRECTORY, has_working_directory

        if isinstance(error, FileNotFoundError) and not has_working_directory():
            print_line(f"archive-colorize: {NO_WORKING_DIRECTORY}", err=True)
            return ExitCode.USAGE
        traceback.print_exc()
        click.echo("archive-colorize: this is a bug; please report the lines above", err=True)
        return ExitCode.BUG
    return code if isinstance(code, int) else ExitCode.OK
