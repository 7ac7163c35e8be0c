"""Define the contracts of known families of networks; docs/models.md has the sources.

Adoption fills in the shapes and names of the file.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from archive_colorizer.model.contract import InputContract, ModelContract, OutputContract

CUSTOM: Final = "custom"

_LAB = OutputContract(name="output", space="lab-ab", low=-128.0, high=127.0)
_RGB = OutputContract(name="output", space="rgb", low=0.0, high=255.0)
_GREY = InputContract(
    name="input", space="grey-rgb", size=512, resize="square", multiple_of=32, high=1.0
)
_SMALL_GREY = replace(_GREY, size=256)
_LIGHTNESS = replace(_GREY, space="lab-l", size=256, multiple_of=8, high=100.0)


def _make_family(
    name: str, licence: str, home: str, source: InputContract, answer: OutputContract
) -> ModelContract:
    training = {"home": f"https://github.com/{home}"}
    return ModelContract(
        name=name, family=name, licence=licence, input=source, output=answer, training=training
    )


def _make_deoldify(name: str, render_factor: int) -> ModelContract:
    """Return a contract with grey 0..255, RGB 0..255, and squares of 16 x render factor pixels."""
    source = replace(_GREY, size=16 * render_factor, multiple_of=16, high=255.0)
    return _make_family(name, "MIT", "jantic/DeOldify", source, _RGB)


FAMILIES: Final[Mapping[str, ModelContract]] = {
    family.name: family
    for family in (
        _make_family("ddcolor", "Apache-2.0", "piddnad/DDColor", _GREY, _LAB),
        _make_deoldify("deoldify-artistic", 35),
        _make_deoldify("deoldify-stable", 35),
        _make_deoldify("deoldify-video", 21),
        _make_family("siggraph17", "BSD-2-Clause", "richzhang/colorization", _LIGHTNESS, _LAB),
        _make_family("eccv16", "BSD-2-Clause", "richzhang/colorization", _LIGHTNESS, _LAB),
        _make_family("colorformer", "BSD-3-Clause", "jixiaozhong/ColorFormer", _SMALL_GREY, _LAB),
    )
}
"""By the name that `models adopt --as` takes."""
