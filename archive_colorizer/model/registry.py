"""The shelf: where models stand that can be asked for by name."""

import os
from importlib import resources
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from archive_colorizer.errors import ModelError

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
