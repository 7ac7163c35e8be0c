"""`archive-colorize models adopt`: make a network from elsewhere a model for runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archive_colorizer.cli.options import LOCAL_PATH, make_option
from archive_colorizer.cli.terminal import print_line
from archive_colorizer.errors import UsageError

if TYPE_CHECKING:
    from archive_colorizer.adoption.adopt import Adoption


@click.command(epilog="Example: archive-colorize models adopt ddcolor.onnx --as ddcolor --size 512")
@click.argument("file", type=LOCAL_PATH)
@make_option(
    "--as family",
    "Name its family: ddcolor, deoldify-artistic, deoldify-stable, deoldify-video, "
    "siggraph17, eccv16, colorformer or custom.",
    required=True,
    metavar="FAMILY",
)
@make_option("--contract contract_file", "Overrule the family's contract by TOML.", type=LOCAL_PATH)
@make_option("--size", "Set the working size, if the file leaves it free.", type=int)
@make_option("--licence", "Name a licence other than the family's.")
@make_option("--output", "Write this .onnx.", "an adopted model", type=LOCAL_PATH)
def command(
    file: Path,
    family: str,
    contract_file: Path | None,
    size: int | None,
    licence: str | None,
    output: Path | None,
) -> None:
    """Make FILE, an ONNX network from elsewhere, a model for runs.

    The file is tried on two pictures, and a copy with the contract of its FAMILY is written.
    A file that does not fit is refused with the reason.
    """
    from archive_colorizer.adoption.adopt import adopt
    from archive_colorizer.model.registry import get_adopted_path

    overrides = _read_contract(contract_file) if contract_file else {}
    if size is not None:
        overrides.setdefault("input", {})["size"] = size
    if licence is not None:
        overrides["licence"] = licence
    target = output or get_adopted_path(file.stem)
    _show(adopt(file, family, overrides, target), target)


def _read_contract(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        overrides = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--contract {path}: {error}") from None
    for part in ("input", "output"):
        if not isinstance(overrides.get(part, {}), dict):
            raise UsageError(f"--contract {path}: {part} must be a table, [{part}]")
    return overrides


def _show(adoption: "Adoption", target: Path) -> None:
    contract, findings = adoption.contract, adoption.findings
    model_input, model_output = contract.input, contract.output
    shapes = " and ".join(f"{height} x {width}" for height, width in findings.shapes)
    batches = "any number of" if contract.max_batch is None else "single"
    print_line(f"{target} is written: {contract.family}, {contract.licence}")
    values = f"{model_input.space} from {model_input.low:g} to {model_input.high:g}"
    print_line(f"  sees    {values} ({adoption.interface})")
    values = f"{model_output.space} from {model_output.low:g} to {model_output.high:g}"
    print_line(f"  says    {values} ({model_output.name!r})")
    click.echo(
        f"  tried   at {shapes}, {batches} pictures at a time; answers from {findings.low:.4g} "
        f"to {findings.high:.4g}, chroma up to {findings.chroma:.2f}"
    )
    click.echo(f"  made of sha256 {adoption.sha256}")
