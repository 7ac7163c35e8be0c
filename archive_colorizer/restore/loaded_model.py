"""A model that a program holds open in its own process, for restore_photo and restore_archive."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from archive_colorizer.executors.threads import cores
from archive_colorizer.model.colorizer import Colorizer, digest_of_model, open_colorizer
from archive_colorizer.model.ensemble import Painter, painter_with
from archive_colorizer.model.registry import find_model
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Workplace

Name: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network that is open in this process; see `load_model`.  Threads may share it."""

    path: Path
    sha256: str
    colorizer: Colorizer

    @property
    def name(self) -> str:
        """What its contract calls it."""
        return self.colorizer.contract.name

    @property
    def provider(self) -> str:
        """What it runs on, in onnxruntime's words: CPUExecutionProvider, for example."""
        return self.colorizer.provider


def load_model(model: Name = "default", *, device: str = "auto", threads: int = 0) -> Model:
    """Open a model by its name on the shelf, or an .onnx file.

    device: as in a Recipe; what cannot be used raises DeviceError.  threads: of the CPU for
    one picture, 0 for all.  Raises ModelError when there is no such model or it is not sound.
    """
    path = find_model(os.fspath(model))
    sha256 = digest_of_model(path)
    opened = open_colorizer(path, device=device, threads=threads or cores(), sha256=sha256)
    return Model(path, sha256, opened)


def file_of(model: Model | Name) -> Path:
    """Where the model is; raises ModelError when there is none of that name."""
    return model.path if isinstance(model, Model) else find_model(os.fspath(model))


def opened(model: Model | Name | None, recipe: Recipe) -> Model:
    """The model, or the one of the recipe, open; raises what `load_model` raises."""
    if isinstance(model, Model):
        return model
    return load_model(recipe.model if model is None else model, device=recipe.device)


def painter_of(model: Model, recipe: Recipe) -> Painter:
    """What colors photographs by the recipe, with its second model where it merges two."""
    networks = [model.colorizer]
    if recipe.merge:
        networks.append(load_model(recipe.merge, device=recipe.device).colorizer)
    return painter_with(networks, recipe)


def place_in(folder: Path, model: Model, recipe: Recipe) -> Workplace:
    """What a job needs to know whose result goes into `folder`."""
    place = Workplace(str(folder), "", recipe, str(model.path), model.sha256)
    if not recipe.merge:
        return place
    second = find_model(recipe.merge)
    return replace(place, merge=str(second), merge_sha256=digest_of_model(second))
