"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.recipe import Recipe


def parse_duration(text: str) -> float:
    return Recipe().apply({"time_budget": text}, "a recipe").time_budget


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7200", 7200),
        ("90m", 5400),
        ("2h", 7200),
        ("2H", 7200),
        (" 1.5h ", 5400),
        ("1h30m", 5400),
        ("1d", 86400),
        ("45s", 45),
        ("0", 0),
    ],
)
def test_what_people_write(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "2 hours", "1h30", "-5", "2h!", "1e3", "nan", "٣h", "1,5h"]
)
def test_what_could_mean_something_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="90m, 2h"):
        parse_duration(text)


@given(st.integers(0, 400), st.integers(0, 59), st.integers(0, 59))
def test_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    whole = hours * 3600 + minutes * 60 + seconds
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == whole
