"""Define presets, named sets of settings; docs/settings.md says how they were chosen."""

from collections.abc import Mapping
from typing import Any, Final

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
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
"""The settings of each preset; the rest of the look is at its defaults."""

LOOK: Final = frozenset(key for settings in PRESETS.values() for key in settings)
"""Settings of any preset: each preset decides all of them."""
