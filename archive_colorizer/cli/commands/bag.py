"""`archive-colorize bag`: an output as a BagIt bag."""

import json
from pathlib import Path

import click

from archive_colorizer.cli import printable
from archive_colorizer.cli.options import PATH
from archive_colorizer.errors import ExitCode


@click.command(epilog="Example: archive-colorize bag ./scans-colorized ./scans-colorized-bag")
@click.argument("output", metavar="OUT", type=PATH)
@click.argument("destination", metavar="DEST", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="One JSON report on stdout, nothing else.")
@click.option("--quiet", is_flag=True, help="Only the exit code.")
def command(output: Path, destination: Path, as_json: bool, quiet: bool) -> int:
    """Copy the results in OUT and their manifest into the new BagIt bag DEST.

    Every file is held against its recorded hash on the way; when one is missing or changed,
    no bag is made and the exit code is 7. What the manifest does not know stays behind.
    """
    # Late, so that --help answers at once.
    from archive_colorizer.export.bagit import write_bag

    bagged = write_bag(output.absolute(), destination.absolute())
    if as_json:
        found = [
            {"kind": one.kind, "path": one.path, "message": one.message} for one in bagged.findings
        ]
        said = {"bag": str(destination), "files": bagged.files, "bytes": bagged.size}
        click.echo(json.dumps({**said, "findings": found}))
    elif not quiet:
        for one in bagged.findings:
            click.echo(f"{one.kind}: {printable(one.path)}: {printable(one.message)}")
        if bagged.findings:
            click.echo("no bag was made; run the same job again, which makes these files anew")
        else:
            click.echo(
                f"{printable(str(destination))}: {bagged.files:,} files, {bagged.size:,} bytes"
            )
    return ExitCode.SOME_FAILED if bagged.findings else ExitCode.OK
