"""The facts of a film as text, so that a long film is looked through once for all workers."""

import json
from dataclasses import asdict, fields
from fractions import Fraction
from typing import Any

from archive_colorizer.video.film import Codes, ColorTags, FilmFacts


def facts_as_text(facts: FilmFacts) -> str:
    """JSON of all that the facts say; fractions as "24000/1001"."""
    return json.dumps(asdict(facts), default=str)


def facts_from_text(text: str) -> FilmFacts:
    """The facts that `facts_as_text` wrote.  Raises ValueError for any other text."""
    try:
        told: dict[str, Any] = json.loads(text)
        told |= {key: Fraction(told[key]) for key in ("rate", "time_base", "pixel_aspect")}
        told |= {key: tuple(told[key]) for key in ("times", "keys", "besides", "warnings")}
        told |= {"codes": Codes(**told["codes"]), "tags": ColorTags(**told["tags"])}
        return FilmFacts(**{one.name: told[one.name] for one in fields(FilmFacts)})
    except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ValueError(f"these are no facts of a film ({error!r})") from None
