"""`archive-colorize bag`: pack an output into a BagIt bag."""

import dataclasses
import json
from pathlib import Path

import click

from archive_colorizer.cli.options import PATH, make_option
from archive_colorizer.cli.terminal import print_line
from archive_colorizer.errors import ExitCode


@click.command(epilog="Example: archive-colorize bag ./scans-colorized ./scans-colorized-bag")
@click.argument("output", metavar="OUT", type=PATH)
@click.argument("destination", metavar="DEST", type=PATH)
@make_option("--json as_json", "Print one JSON report on stdout.", is_flag=True)
@make_option("--quiet", "Print nothing.", is_flag=True)
def command(output: Path, destination: Path, as_json: bool, quiet: bool) -> int:
    """Copy the results in OUT and their manifest into the new BagIt bag DEST.

    Each file is compared with its recorded hash while it is copied; when one is missing or
    changed, no bag is made and the exit code is 7. Files that the manifest does not list stay out.
    """
    from archive_colorizer.export.bagit import write_bag

    result = write_bag(output.absolute(), destination.absolute())
    if as_json:
        findings = [dataclasses.asdict(finding) for finding in result.findings]
        summary = {"bag": str(destination), "files": result.files, "bytes": result.size}
        click.echo(json.dumps({**summary, "findings": findings}))
    elif not quiet:
        for finding in result.findings:
            print_line(f"{finding.kind}: {finding.path}: {finding.message}")
        if result.findings:
            click.echo("no bag was made; run the same job again to restore these files")
        else:
            print_line(f"{destination}: {result.files:,} files, {result.size:,} bytes")
    return ExitCode.SOME_FAILED if result.findings else ExitCode.OK
