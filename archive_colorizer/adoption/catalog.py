"""Read the catalog of models that can be downloaded, with their digests."""

import re
import tomllib
from dataclasses import dataclass, fields
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from archive_colorizer.errors import UsageError
from archive_colorizer.model.registry import get_adopted_folder
from archive_colorizer.recipe.fields import reject_unknown, require_table

CATALOG_FILE: Final = "addresses.toml"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """Describe a model to download; `family` is empty for a file that carries a contract.

    stated: the page that says which digest belongs to the address.
    """

    name: str
    address: str
    sha256: str
    licence: str
    family: str = ""
    stated: str = ""


def is_safe_address(address: str) -> bool:
    """Return whether nobody on the way can see or change what the address gives."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def load_catalog(table: Path | None = None) -> dict[str, CatalogEntry]:
    """Return the shipped catalog, overruled by `table` or the one next to adopted models."""
    entries = _parse_catalog(resources.files(__package__).joinpath(CATALOG_FILE), CATALOG_FILE)
    site_file = table or get_adopted_folder() / CATALOG_FILE
    if table is None and not site_file.is_file():
        return entries
    return {**entries, **_parse_catalog(site_file, str(site_file))}


def _parse_catalog(file: Traversable, origin: str) -> dict[str, CatalogEntry]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"table {origin}: {error}") from None
    return {name: _parse_entry(name, entry, f"table {origin}") for name, entry in table.items()}


def _parse_entry(name: str, entry: Any, origin: str) -> CatalogEntry:
    where = f"{origin}: [{name}]"
    entry = require_table(entry, where)
    keys = [field.name for field in fields(CatalogEntry) if field.name != "name"]
    reject_unknown(entry, keys, where)
    for key in ("address", "sha256", "licence"):
        if key not in entry:
            raise UsageError(f"{where} has no {key}")
    if not all(isinstance(value, str) for value in entry.values()):
        raise UsageError(f"{where}: all values are texts")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: a name has letters, digits, dots, dashes and underscores")
    if not is_safe_address(entry["address"]):
        raise UsageError(
            f"{where}: the address must begin with https://, or with http://localhost/"
        )
    if not _SHA256.fullmatch(entry["sha256"]):
        raise UsageError(f"{where}: sha256 must be 64 digits 0-9a-f")
    return CatalogEntry(name=name, **entry)
