"""Adoption: a network of somebody else becomes a model file that runs can open."""

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from archive_colorizer.adoption.families import CUSTOM, FAMILIES
from archive_colorizer.adoption.onnx_graph import Interface, examine, newest_opset
from archive_colorizer.adoption.probe import Findings, try_out
from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.model.colorizer import Colorizer, read_model, try_model
from archive_colorizer.model.contract import (
    CHANNELS,
    METADATA_KEY,
    InputContract,
    ModelContract,
    OutputContract,
)
from archive_colorizer.model.onnx_metadata import drafted, read_metadata, stamped


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was adopted: the contract as it was stamped, and what the trial has shown."""

    contract: ModelContract
    interface: Interface
    findings: Findings
    sha256: str


def adopt(file: Path, family: str, wishes: Mapping[str, Any], output: Path) -> Adoption:
    """Stamp the contract of a family into a copy of an ONNX file, after a trial.

    wishes: keys of a contract, as TOML gives them, that overrule those of the family; for
    `custom` they are the contract.  Nothing is written when something does not fit.  Raises
    ModelError with what was expected and found, UsageError for wishes that are no contract,
    DependencyError without onnx, and OutputError.
    """
    data, origin = read_model(file), f"model {file}"
    if output.exists() and output.samefile(file):
        raise UsageError(f"the output {output} is the file itself; choose another --output")
    interface = examine(data, origin)
    if METADATA_KEY in read_metadata(file):
        raise ModelError(f"{origin}: carries a contract already; run it, or adopt the original")
    sha256 = hashlib.sha256(data).hexdigest()
    contract = _fitted(_wanted(family, wishes, output.stem, interface), interface, origin)
    asked = wishes.get("input", {}).get("size", contract.input.size)
    if asked != contract.input.size:
        raise ModelError(f"{origin}: expected {asked} pixels; found {interface}, which is fixed")
    colorizer = _opened(data, contract, interface, origin)
    findings = try_out(colorizer, origin, batches=contract.max_batch != 1)
    if not findings.takes_batches:
        contract = replace(contract, max_batch=1)
    facts = {**contract.training, "adopted_from": file.name, "adopted_sha256": sha256}
    contract = replace(contract, training=facts)
    with drafted(stamped(data, contract), output):
        return Adoption(contract, interface, findings, sha256)


def _wanted(
    family: str, wishes: Mapping[str, Any], name: str, interface: Interface
) -> ModelContract:
    """The contract of a family with a person's wishes, for the names that the file has."""
    if family != CUSTOM and family not in FAMILIES:
        known = ", ".join((*FAMILIES, CUSTOM))
        raise UsageError(f"--as {family!r} is no family; known are {known}")
    start: dict[str, Any] = {"family": CUSTOM} if family == CUSTOM else asdict(FAMILIES[family])
    raw = {**start, "name": name, **wishes}
    found = {"input": interface.input, "output": interface.outputs[0]}
    for part in found:
        wished = wishes.get(part, {})
        raw[part] = {**start.get(part, {}), **wished}
        is_single = part == "input" or len(interface.outputs) == 1
        if is_single and "name" not in wished:
            raw[part]["name"] = found[part]
    _reject_gaps(raw)
    return ModelContract.from_dict(raw, "--contract")


def _reject_gaps(raw: Mapping[str, Any]) -> None:
    """Name what a contract of one's own leaves open."""
    parts = ((raw, ModelContract, ""), (raw["input"], InputContract, "input."))
    for values, kind, prefix in (*parts, (raw["output"], OutputContract, "output.")):
        needed = [
            one.name
            for one in fields(kind)
            if one.default is MISSING and one.default_factory is MISSING
        ]
        gaps = [prefix + one for one in needed if one not in values]
        if gaps:
            raise UsageError(f"--contract: does not say {', '.join(gaps)}; see docs/models.md")


def _fitted(contract: ModelContract, interface: Interface, origin: str) -> ModelContract:
    """The contract with the sizes that the file has; raises ModelError where they differ."""
    batch, channels, height, width = interface.shape
    given = contract.input
    expected = CHANNELS[given.space]
    if channels != expected and not isinstance(channels, str):
        raise ModelError(
            f"{origin}: expected {expected} channels ({given.space}); found {interface}"
        )
    if isinstance(batch, int) and batch != 1:
        raise ModelError(f"{origin}: expected a batch of 1, or a free one; found {interface}")
    if contract.output.name not in interface.outputs:
        raise ModelError(
            f"{origin}: expected an output {contract.output.name!r}; found "
            f"{', '.join(map(repr, interface.outputs))}; name it in --contract"
        )
    if given.name != interface.input:
        raise ModelError(f"{origin}: expected an input {given.name!r}; found {interface}")
    if isinstance(height, str) and isinstance(width, str):
        if given.size % given.multiple_of:
            raise ModelError(
                f"{origin}: expected a size that is a multiple of {given.multiple_of}; "
                f"found {given.size}"
            )
    elif height == width and isinstance(height, int):
        step = given.multiple_of if height % given.multiple_of == 0 else 1
        given = replace(given, size=height, resize="square", multiple_of=step)
    else:
        raise ModelError(
            f"{origin}: expected a square, or a free height and width; found {interface}"
        )
    most = 1 if isinstance(batch, int) else contract.max_batch
    return replace(contract, input=given, max_batch=most)


def _opened(data: bytes, contract: ModelContract, interface: Interface, origin: str) -> Colorizer:
    try:
        return try_model(data, contract, origin)
    except ModelError as error:
        newest = newest_opset()
        if interface.opset > newest:
            raise ModelError(
                f"{origin}: expected opset {newest} or older; found {interface.opset}, which "
                "onnxruntime does not open; export it again with an older one"
            ) from error
        raise
