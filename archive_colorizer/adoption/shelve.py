"""The shelf of adopted models: their places, and what is known of all models at hand."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.model.contract import METADATA_KEY, ModelContract
from archive_colorizer.model.onnx_metadata import read_metadata
from archive_colorizer.model.registry import adopted_folder, models_at_hand, shipped_models


def place_on_shelf(name: str) -> Path:
    """Where an adopted model of this name stands; UsageError for the name of a shipped one."""
    if name in shipped_models():
        raise UsageError(
            f"a model named {name!r} comes with the program; give --output with another name"
        )
    return adopted_folder() / f"{name}.onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A model at hand.  `contract` is None, and `trouble` says why, where it has none."""

    name: str
    path: Path
    is_shipped: bool
    size: int
    sha256: str
    contract: ModelContract | None
    trouble: str


def shelved_models() -> Iterator[Shelved]:
    """All models at hand, with their digests and without opening their networks."""
    shipped = shipped_models()
    for name, path in sorted(models_at_hand().items()):
        contract, trouble, sha256 = None, "", ""
        try:
            text = read_metadata(path).get(METADATA_KEY)
            if text is None:
                trouble = "carries no contract; archive-colorize models adopt stamps one"
            else:
                contract = ModelContract.from_json(text, f"model {path}")
            with path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        except (ModelError, OSError) as error:
            trouble = str(error)
        yield Shelved(
            name=name,
            path=path,
            is_shipped=name in shipped,
            size=path.stat().st_size,
            sha256=sha256,
            contract=contract,
            trouble=trouble,
        )
