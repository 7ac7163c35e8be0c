"""Give photo archives and film their color back.

>>> from archive_colorizer import load_model, restore_photo
>>> from skimage.data import camera
>>> model = load_model()
>>> colored = restore_photo(camera(), model=model, saturation=1.1)
>>> colored.shape, colored.dtype
((512, 512, 3), dtype('uint8'))

Luma stays what it was, to within one code value:

>>> import numpy as np
>>> bool(np.abs(colored @ [0.299, 0.587, 0.114] - camera()).max() <= 1)
True
"""

import importlib
from typing import TYPE_CHECKING

from archive_colorizer._version import __version__

if TYPE_CHECKING:
    from archive_colorizer.api import Model, load_model, restore_archive, restore_photo
    from archive_colorizer.recipe.files import load_recipe
    from archive_colorizer.recipe.recipe import Recipe

__all__ = [
    "Model",
    "Recipe",
    "__version__",
    "load_model",
    "load_recipe",
    "restore_archive",
    "restore_photo",
]

_HOMES = {"Recipe": "recipe.recipe", "load_recipe": "recipe.files"}
"""The modules of names that are not of the api."""


def __getattr__(name: str) -> object:
    """Late, so that a command that asks for its help need not load NumPy and OpenCV first."""
    if name in __all__:
        module = importlib.import_module(f"archive_colorizer.{_HOMES.get(name, 'api')}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
