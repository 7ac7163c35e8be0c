"""`--help` and `--help-all`: the options that most people need, and all of them in groups."""

import click
import pytest

from archive_colorizer.cli import COMMANDS, program
from archive_colorizer.cli.help_groups import GROUPS, GroupedCommand

CONTEXT = click.Context(program, info_name="archive-colorize")
GROUPED = [
    name for name in COMMANDS if isinstance(program.get_command(CONTEXT, name), GroupedCommand)
]


def long_options(name):
    found = program.get_command(CONTEXT, name)
    params = found.get_params(click.Context(found, CONTEXT, name))
    return [param.opts[-1] for param in params if isinstance(param, click.Option)]


def listed(text):
    """The long options that a help text has a line for."""
    options = text.partition("  Example: ")[0]
    words = [line.split() for line in options.splitlines() if line.startswith("  -")]
    return [next(word for word in line if word.startswith("--")) for line in words]


def test_the_long_commands_are_grouped():
    assert GROUPED == ["run", "watch", "film"]


@pytest.mark.parametrize("name", GROUPED)
def test_every_option_is_in_exactly_one_group(name):
    grouped = [f"--{option}" for names in GROUPS.values() for option in names.split()]
    assert len(grouped) == len(set(grouped))
    assert set(long_options(name)) <= set(grouped)


def test_no_group_has_an_option_that_no_command_has():
    known = {option for name in GROUPED for option in long_options(name)}
    assert {f"--{option}" for names in GROUPS.values() for option in names.split()} == known


@pytest.mark.parametrize("name", GROUPED)
def test_help_shows_ten_options_and_how_to_see_the_others(command, name):
    shown = command(name, "--help").stdout
    assert len(listed(shown)) == 10
    others = len(long_options(name)) - 10
    assert shown.splitlines()[-1] == f"  --help-all shows the other {others} options in groups."


@pytest.mark.parametrize("name", GROUPED)
def test_help_all_shows_every_option_once_below_its_heading(command, name):
    shown = command(name, "--help-all")
    assert shown.returncode == 0
    assert sorted(listed(shown.stdout)) == sorted(long_options(name))
    headings = [line[:-1] for line in shown.stdout.splitlines() if line[:1].isalpha()]
    assert [heading for heading in headings if heading in GROUPS] == headings[1:]
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_an_option_is_a_sentence_with_a_verb(name):
    verbs = {"the", "a", "of", "from", "with", "for", "which", "what", "where", "how"}
    for option in program.get_command(CONTEXT, name).params:
        if isinstance(option, click.Option):
            first = option.help.split()[0]
            assert first[0].isupper()
            assert first.lower() not in verbs, option
