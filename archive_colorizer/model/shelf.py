"""The shelf: where models stand that can be asked for by name."""

from importlib import resources
from pathlib import Path

from archive_colorizer.errors import ModelError


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


def models_at_hand() -> dict[str, Path]:
    """Models that came with the program, by name."""
    return {path.stem: path for folder in _folders() for path in sorted(folder.glob("*.onnx"))}


def _folders() -> list[Path]:
    """models/ inside the installed package, or beside the package in a checkout."""
    package = Path(str(resources.files("archive_colorizer")))
    return [place for place in (package / "models", package.parent / "models") if place.is_dir()]
