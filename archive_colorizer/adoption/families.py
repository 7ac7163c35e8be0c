"""Families of networks: what each wants to see and what it says, as its own code has it.

Every entry is a contract to begin with; a file's own shapes and names are filled in when it is
adopted.  Where the facts come from stands in docs/models.md.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from archive_colorizer.model.contract import InputContract, ModelContract, OutputContract

CUSTOM: Final = "custom"

_LAB = OutputContract(name="output", space="lab-ab", low=-128.0, high=127.0)
_GREY = InputContract(
    name="input", space="grey-rgb", size=512, resize="square", multiple_of=32, high=1.0
)
_LIGHTNESS = replace(_GREY, space="lab-l", size=256, multiple_of=8, high=100.0)


def _family(
    name: str, licence: str, home: str, given: InputContract, made: OutputContract
) -> ModelContract:
    facts = {"home": f"https://github.com/{home}"}
    return ModelContract(
        name=name, family=name, licence=licence, input=given, output=made, training=facts
    )


def _deoldify(name: str, render_factor: int) -> ModelContract:
    """Grey 0..255 in, R, G, B 0..255 out; a square of 16 pixels times the render factor."""
    given = replace(_GREY, size=16 * render_factor, multiple_of=16, high=255.0)
    made = OutputContract(name="output", space="rgb", low=0.0, high=255.0)
    return _family(name, "MIT", "jantic/DeOldify", given, made)


FAMILIES: Final[Mapping[str, ModelContract]] = MappingProxyType(
    {
        one.name: one
        for one in (
            _family("ddcolor", "Apache-2.0", "piddnad/DDColor", _GREY, _LAB),
            _deoldify("deoldify-artistic", 35),
            _deoldify("deoldify-stable", 35),
            _deoldify("deoldify-video", 21),
            _family("siggraph17", "BSD-2-Clause", "richzhang/colorization", _LIGHTNESS, _LAB),
            _family("eccv16", "BSD-2-Clause", "richzhang/colorization", _LIGHTNESS, _LAB),
            _family(
                "colorformer",
                "BSD-3-Clause",
                "jixiaozhong/ColorFormer",
                replace(_GREY, size=256),
                _LAB,
            ),
        )
    }
)
"""By the name that `models adopt --as` takes."""
