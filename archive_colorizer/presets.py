"""Presets: looks that have a name, each a set of ordinary settings.

How they were chosen, with pictures and figures: docs/settings.md.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "none": {},
        "natural": {"strength": 0.9, "strength_highlights": 0.8},
        "vivid": {"saturation": 1.35},
        "faded": {"strength": 0.6, "saturation": 0.9},
        "portrait": {"strength": 0.95},
        "hand-tinted": {"blend": "soft-light"},
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
