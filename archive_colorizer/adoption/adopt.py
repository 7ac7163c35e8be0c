"""Turn an ONNX file from elsewhere into a model file with a contract."""

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from archive_colorizer.adoption.families import CUSTOM, FAMILIES
from archive_colorizer.adoption.onnx_graph import Interface
from archive_colorizer.adoption.probe import ProbeResult, probe_model
from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.model.colorizer import Colorizer, read_model, try_model
from archive_colorizer.model.contract import (
    CHANNELS,
    METADATA_KEY,
    InputContract,
    ModelContract,
    OutputContract,
)
from archive_colorizer.model.onnx_metadata import add_contract, read_metadata, stage_file


@dataclass(frozen=True, slots=True)
class Adoption:
    """Hold the contract that was added, and the results of the trial."""

    contract: ModelContract
    interface: Interface
    findings: ProbeResult
    sha256: str


def adopt(file: Path, family: str, overrides: Mapping[str, Any], output: Path) -> Adoption:
    """Try a network, then write a copy of its ONNX file with the contract of a family.

    overrides: keys of a contract, as TOML gives them, that overrule those of the family; for
    `custom` they are the contract.  Raises ModelError with what was expected and found, UsageError
    for overrides that are no contract, DependencyError without onnx, and OutputError.
    """
    data, origin = read_model(file), f"model {file}"
    if output.exists() and output.samefile(file):
        raise UsageError(f"the output {output} is the file itself; choose another --output")
    interface = Interface.inspect(data, origin)
    if METADATA_KEY in read_metadata(file):
        raise ModelError(f"{origin}: carries a contract already; run it, or adopt the original")
    sha256 = hashlib.sha256(data).hexdigest()
    contract = _fit_contract(
        _build_contract(family, overrides, output.stem, interface), interface, origin
    )
    size = overrides.get("input", {}).get("size", contract.input.size)
    if size != contract.input.size:
        raise ModelError(f"{origin}: expected {size} pixels; found {interface}, which is fixed")
    colorizer = _open_model(data, contract, interface, origin)
    findings = probe_model(colorizer, origin, batches=contract.max_batch != 1)
    if not findings.takes_batches:
        contract = replace(contract, max_batch=1)
    facts = {**contract.training, "adopted_from": file.name, "adopted_sha256": sha256}
    contract = replace(contract, training=facts)
    with stage_file(add_contract(data, contract), output):
        return Adoption(contract, interface, findings, sha256)


def _build_contract(
    family: str, overrides: Mapping[str, Any], name: str, interface: Interface
) -> ModelContract:
    """Return the contract of a family with the overrides and the names of the file."""
    if family != CUSTOM and family not in FAMILIES:
        families = ", ".join((*FAMILIES, CUSTOM))
        raise UsageError(f"--as {family!r} is no family; known are {families}")
    start: dict[str, Any] = {"family": CUSTOM} if family == CUSTOM else asdict(FAMILIES[family])
    raw = {**start, "name": name, **overrides}
    for part, tensors in (("input", (interface.input,)), ("output", interface.outputs)):
        raw[part] = {**start.get(part, {}), **overrides.get(part, {})}
        if len(tensors) == 1 and "name" not in overrides.get(part, {}):
            raw[part]["name"] = tensors[0]
    _reject_gaps(raw)
    return ModelContract.from_dict(raw, "--contract")


def _reject_gaps(raw: Mapping[str, Any]) -> None:
    """Raise UsageError that names required keys without a value."""
    parts = ((raw, ModelContract, ""), (raw["input"], InputContract, "input."))
    for values, kind, prefix in (*parts, (raw["output"], OutputContract, "output.")):
        gaps = [
            prefix + field.name
            for field in fields(kind)
            if field.default is field.default_factory is MISSING and field.name not in values
        ]
        if gaps:
            raise UsageError(f"--contract: does not say {', '.join(gaps)}; see docs/models.md")


def _fit_contract(contract: ModelContract, interface: Interface, origin: str) -> ModelContract:
    """Return the contract with the sizes of the file; raises ModelError where they differ."""
    batch, channels, height, width = interface.shape
    source = contract.input
    expected = CHANNELS[source.space]
    if channels != expected and not isinstance(channels, str):
        raise ModelError(
            f"{origin}: expected {expected} channels ({source.space}); found {interface}"
        )
    if isinstance(batch, int) and batch != 1:
        raise ModelError(f"{origin}: expected a batch of 1, or a free one; found {interface}")
    if contract.output.name not in interface.outputs:
        raise ModelError(
            f"{origin}: expected an output {contract.output.name!r}; found "
            f"{', '.join(map(repr, interface.outputs))}; name it in --contract"
        )
    if source.name != interface.input:
        raise ModelError(f"{origin}: expected an input {source.name!r}; found {interface}")
    if isinstance(height, str) and isinstance(width, str):
        if source.size % source.multiple_of:
            expectation = f"a size that is a multiple of {source.multiple_of}"
            raise ModelError(f"{origin}: expected {expectation}; found {source.size}")
    elif height == width and isinstance(height, int):
        step = source.multiple_of if height % source.multiple_of == 0 else 1
        source = replace(source, size=height, resize="square", multiple_of=step)
    else:
        raise ModelError(
            f"{origin}: expected a square, or a free height and width; found {interface}"
        )
    max_batch = 1 if isinstance(batch, int) else contract.max_batch
    return replace(contract, input=source, max_batch=max_batch)


def _open_model(
    data: bytes, contract: ModelContract, interface: Interface, origin: str
) -> Colorizer:
    try:
        return try_model(data, contract, origin)
    except ModelError as error:
        newest = interface.get_newest_opset()
        if interface.opset > newest:
            raise ModelError(
                f"{origin}: expected opset {newest} or older; found {interface.opset}, which "
                "onnxruntime does not open; export it again with an older one"
            ) from error
        raise
