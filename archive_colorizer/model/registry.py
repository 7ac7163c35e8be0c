"""The shelf: where models stand that can be asked for by name."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.model.contract import METADATA_KEY, ModelContract
from archive_colorizer.model.onnx_metadata import read_metadata

VARIABLE: Final = "ARCHIVE_COLORIZER_MODELS"
"""Of the environment: the folder for adopted models."""


def find_model(name_or_file: str) -> Path:
    """The path of a model given by name (`default`) or as a file (anything with a suffix).

    Raises ModelError that lists the names on the shelf when there is no such model.
    """
    if Path(name_or_file).suffix == ".onnx" or len(Path(name_or_file).parts) > 1:
        path = Path(name_or_file)
        if not path.is_file():
            raise ModelError(f"model {path}: there is no such file")
        return path.resolve()
    shelf = models_at_hand()
    if name_or_file not in shelf:
        known = ", ".join(sorted(shelf)) or "none"
        raise ModelError(
            f"model {name_or_file!r}: not on the shelf (there: {known}); "
            "give one of these names or the path of an .onnx file"
        )
    return shelf[name_or_file]


def find_there(path: Path) -> Path:
    """The model that another machine has at `path`: at the same place here, or on the shelf.

    On the shelf it has the name that the file has there.  Raises ModelError without either.
    """
    if path.is_file():
        return path
    found = models_at_hand().get(path.stem)
    if found is None:
        raise ModelError(
            f"model {path}: there is no such file, and no {path.stem!r} on the shelf; "
            "copy it to the same path, or adopt it under that name"
        )
    return found


def models_at_hand() -> dict[str, Path]:
    """Models by name: those that came with the program, and those that were adopted.

    A name that came with the program means that model, whatever else has it.
    """
    return {**_models_in(adopted_folder()), **shipped_models()}


def shipped_models() -> dict[str, Path]:
    """Models that came with the program, by name."""
    return {name: path for folder in _folders() for name, path in _models_in(folder).items()}


def adopted_folder() -> Path:
    """Where adopted models stand: $ARCHIVE_COLORIZER_MODELS, or the user's own data folder."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen) if chosen else user_data_path("archive-colorizer", False) / "models"


def _models_in(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*.onnx"))}


def _folders() -> list[Path]:
    """models/ inside the installed package, or beside the package in a checkout."""
    package = Path(str(resources.files("archive_colorizer")))
    return [place for place in (package / "models", package.parent / "models") if place.is_dir()]


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
