"""The table of addresses: where models can be had, and what they must be when they come."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import UsageError
from archive_colorizer.model.registry import adopted_folder
from archive_colorizer.recipe.fields import reject_unknown

TABLE: Final = "addresses.toml"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A model that can be fetched; `family` is empty for a file that carries a contract.

    stated: where address and digest are said to belong together.
    """

    name: str
    address: str
    sha256: str
    licence: str
    family: str = ""
    stated: str = ""


def read_addresses(table: Path | None = None) -> dict[str, Address]:
    """The shipped table, overruled by the site's own: `table`, or the one on the shelf.

    Raises UsageError that names the file and the entry of what is wrong.
    """
    shipped = resources.files("archive_colorizer.adoption").joinpath(TABLE)
    known = _addresses(shipped.read_text(encoding="utf-8"), TABLE)
    own = table or adopted_folder() / TABLE
    if table is None and not own.is_file():
        return known
    try:
        text = own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"table {own}: {error}") from None
    return {**known, **_addresses(text, str(own))}


def _addresses(text: str, origin: str) -> dict[str, Address]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"table {origin}: {error}") from None
    return {name: _address(name, entry, f"table {origin}") for name, entry in table.items()}


def _address(name: str, entry: Any, origin: str) -> Address:
    where = f"{origin}: [{name}]"
    if not isinstance(entry, Mapping):
        raise UsageError(f"{where} must be a table")
    keys = [one.name for one in fields(Address) if one.name != "name"]
    reject_unknown(entry, keys, where)
    for key in ("address", "sha256", "licence"):
        if key not in entry:
            raise UsageError(f"{where} has no {key}")
    if not all(isinstance(value, str) for value in entry.values()):
        raise UsageError(f"{where}: all values are texts")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: a name has letters, digits, dots, dashes and underscores")
    if not entry["address"].startswith(("https://", "http://")):
        raise UsageError(f"{where}: the address must begin with https:// or http://")
    if not _SHA256.fullmatch(entry["sha256"]):
        raise UsageError(f"{where}: sha256 must be 64 digits 0-9a-f")
    return Address(name=name, **entry)
