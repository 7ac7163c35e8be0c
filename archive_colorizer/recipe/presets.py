"""Presets: looks that have a name, each a set of ordinary settings.

How they were chosen, with pictures and figures: docs/settings.md.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "none": {},
        "natural": {"strength": 0.9, "strength_shadows": 0.6},
        "vivid": {"saturation": 1.4, "hue_range": ({"name": "skin", "saturation": 0.85},)},
        "faded": {"strength": 0.55, "strength_highlights": 0.7},
        "portrait": {
            "strength_shadows": 0.6,
            "strength_highlights": 0.7,
            "hue_range": ({"name": "skin", "saturation": 0.85, "shift": 4.0},),
        },
        "hand-tinted": {"blend": "soft-light", "saturation": 2.0, "strength_shadows": 0.5},
    }
)
"""What each preset sets; all else of the look is as by default."""

LOOK: Final = frozenset(key for one in PRESETS.values() for key in one)
"""The settings that some preset sets, and so every preset decides."""


def expanded(given: Mapping[str, object], defaults: Mapping[str, object]) -> dict[str, object]:
    """What a table of settings means: the look of its preset, then its other settings.

    A name that is no preset is left for the check of settings to refuse.
    """
    name = given.get("preset")
    if not isinstance(name, str) or name not in PRESETS:
        return dict(given)
    return {**{key: defaults[key] for key in LOOK}, **PRESETS[name], **given}
