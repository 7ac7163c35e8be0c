"""Find models by name: those shipped with the program, and adopted ones."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.model.contract import ModelContract
from archive_colorizer.model.onnx_metadata import read_contract

FOLDER_VARIABLE: Final = "ARCHIVE_COLORIZER_MODELS"
"""Environment variable with the folder of adopted models."""


def find_model(name_or_file: str) -> Path:
    """Return the path of a model, given by name (`default`) or as an .onnx file or path.

    Raises ModelError that lists the known names if the model does not exist.
    """
    if Path(name_or_file).suffix == ".onnx" or len(Path(name_or_file).parts) > 1:
        path = Path(name_or_file)
        if not path.is_file():
            raise ModelError(f"model {path}: there is no such file")
        return path.resolve()
    models = list_models()
    if name_or_file not in models:
        names = ", ".join(sorted(models)) or "none"
        raise ModelError(
            f"model {name_or_file!r}: is not among the models here ({names}); "
            "give one of these names or the path of an .onnx file"
        )
    return models[name_or_file]


def find_local_copy(path: Path) -> Path:
    """Return the local copy of a model that another machine has at `path`.

    It has the same path here, or the file's name in the registry; raises ModelError otherwise.
    """
    if path.is_file():
        return path
    path_by_name = list_models().get(path.stem)
    if path_by_name is None:
        raise ModelError(
            f"model {path}: there is no such file, and no model {path.stem!r} here; "
            "copy it to the same path, or adopt it under that name"
        )
    return path_by_name


def list_models() -> dict[str, Path]:
    """Return shipped and adopted models by name; a shipped model wins over an adopted one."""
    adopted = sorted(get_adopted_folder().glob("*.onnx"))
    return {**{path.stem: path for path in adopted}, **list_shipped_models()}


def list_shipped_models() -> dict[str, Path]:
    """Return the models that come with the program, by name."""
    package = Path(str(resources.files("archive_colorizer")))
    # In a checkout, models/ is next to the package.
    folders = (package / "models", package.parent / "models")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.onnx"))}


def get_adopted_folder() -> Path:
    """Return $ARCHIVE_COLORIZER_MODELS, or the models folder of the user's data folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else user_data_path("archive-colorizer", False) / "models"


def get_adopted_path(name: str) -> Path:
    """Return the path of an adopted model; raises UsageError for the name of a shipped one."""
    if name in list_shipped_models():
        raise UsageError(
            f"a model named {name!r} comes with the program; give --output with another name"
        )
    return get_adopted_folder() / f"{name}.onnx"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """Describe a model by its file; `trouble` says why it has no contract or no digest."""

    name: str
    path: Path
    is_shipped: bool
    size: int
    sha256: str
    contract: ModelContract | None
    trouble: str


def inspect_models() -> Iterator[RegisteredModel]:
    """Yield all models with their digests, without opening their networks."""
    shipped = list_shipped_models()
    for name, path in sorted(list_models().items()):
        contract, trouble, sha256 = None, "", ""
        try:
            contract = read_contract(path)
            if contract is None:
                trouble = "carries no contract; archive-colorize models adopt stamps one"
            with path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        except (ModelError, OSError) as error:
            trouble = str(error)
        size = path.stat().st_size
        yield RegisteredModel(name, path, name in shipped, size, sha256, contract, trouble)
