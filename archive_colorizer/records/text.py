"""Escape text from file names and files, for terminals, tables and UTF-8."""

import re
from typing import Final

_FORMULA: Final = re.compile(r"(^|[;\t\r\n])(?=[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n])")
"""Where a spreadsheet would begin a formula, whichever separator its country has."""


def escape_unprintable(text: str) -> str:
    """Escape characters that do not print or that change the direction of text."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def escape_surrogates(text: str) -> str:
    """Escape what UTF-8 cannot encode: the bytes of a name that is no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def escape_cell(text: str) -> str:
    """Escape what a spreadsheet would compute, and what does not print, for a cell of CSV."""
    return escape_unprintable(_FORMULA.sub(r"\1'", text))
