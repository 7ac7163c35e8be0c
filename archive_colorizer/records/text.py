"""Escape text from file names and files, for terminals, tables and UTF-8."""


def escape_unprintable(text: str) -> str:
    """Escape characters that do not print or that change the direction of text."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def escape_surrogates(text: str) -> str:
    """Escape what UTF-8 cannot encode: the bytes of a name that is no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
