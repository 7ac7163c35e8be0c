"""`archive-colorize models adopt`: a network of somebody else becomes a model for runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archive_colorizer.cli import printable
from archive_colorizer.errors import UsageError

if TYPE_CHECKING:
    from archive_colorizer.adoption.adopt import Adoption

_PATH = click.Path(path_type=Path)


@click.command(epilog="Example: archive-colorize models adopt ddcolor.onnx --as ddcolor --size 512")
@click.argument("file", type=_PATH)
@click.option(
    "--as",
    "family",
    required=True,
    metavar="FAMILY",
    help="ddcolor, deoldify-artistic, deoldify-stable, deoldify-video, siggraph17, eccv16, "
    "colorformer or custom.",
)
@click.option("--contract", "contract_file", type=_PATH, help="TOML that overrules the family's.")
@click.option("--size", type=int, help="Working size, if the file leaves it free.")
@click.option("--licence", help="Where the file has another than its family.")
@click.option("--output", type=_PATH, help="The .onnx to write.  [default: FILE's name, shelved]")
def command(
    file: Path,
    family: str,
    contract_file: Path | None,
    size: int | None,
    licence: str | None,
    output: Path | None,
) -> None:
    """Make FILE, an ONNX network of somebody else, a model for runs.

    The file is tried on two pictures, and a copy of it is written with the contract of its
    FAMILY inside. It is refused with the reason when it does not fit.
    """
    # Late, so that --help answers at once.
    from archive_colorizer.adoption.adopt import adopt
    from archive_colorizer.model.registry import place_on_shelf

    wishes = _read(contract_file) if contract_file else {}
    if size is not None:
        wishes.setdefault("input", {})["size"] = size
    if licence is not None:
        wishes["licence"] = licence
    place = output or place_on_shelf(file.stem)
    _show(adopt(file, family, wishes, place), place)


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        wishes = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--contract {path}: {error}") from None
    for part in ("input", "output"):
        if not isinstance(wishes.get(part, {}), dict):
            raise UsageError(f"--contract {path}: {part} must be a table, [{part}]")
    return wishes


def _show(adoption: "Adoption", place: Path) -> None:
    contract, findings = adoption.contract, adoption.findings
    given, made = contract.input, contract.output
    shapes = " and ".join(f"{height} x {width}" for height, width in findings.shapes)
    batches = "any number of" if contract.max_batch is None else "single"
    click.echo(printable(f"{place} is written: {contract.family}, {contract.licence}"))
    reach = f"{given.space} from {given.low:g} to {given.high:g}"
    click.echo(printable(f"  sees    {reach} ({adoption.interface})"))
    reach = f"{made.space} from {made.low:g} to {made.high:g}"
    click.echo(printable(f"  says    {reach} ({made.name!r})"))
    click.echo(
        f"  tried   at {shapes}, {batches} pictures at a time; answers from {findings.low:.4g} "
        f"to {findings.high:.4g}, chroma up to {findings.chroma:.2f}"
    )
    click.echo(f"  made of sha256 {adoption.sha256}")
