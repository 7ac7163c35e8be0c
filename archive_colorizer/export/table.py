"""A manifest as a table: a row for each file, for JSON, spreadsheets and data frames."""

import csv
import io
import json
from dataclasses import asdict, fields
from itertools import islice
from typing import Any, BinaryIO, Final, TypeAlias

from archive_colorizer.errors import DependencyError
from archive_colorizer.manifest.reader import Account, Entry
from archive_colorizer.records.outcomes import Measures

Cell: TypeAlias = str | int | float | None


COLUMNS: Final[dict[str, type]] = {
    "name": str,
    "state": str,
    "reason": str,
    "message": str,
    "source_sha256": str,
    "source_size": int,
    "target": str,
    "target_sha256": str,
    "target_size": int,
    "sidecar_sha256": str,
    "warnings": str,
    "weak": str,
    "grey": float,
    "one_color": float,
    "blotches": float,
    "clipped": float,
    "skin": float,
    "width": int,
    "height": int,
    "seconds": float,
    "provider": str,
    "model": str,
    "model_sha256": str,
    "model_licence": str,
    "settings": str,
    "overrides": str,
    "run": str,
    "started": str,
    "version": str,
}
"""The columns of a table and their types; any cell may be empty."""


_FORMULA: Final = frozenset("=+-@\t\r\n")


def row_of(entry: Entry) -> dict[str, Cell]:
    """The row of one file, with text as it is; see COLUMNS."""
    outcome, run = entry.outcome, entry.run
    row: dict[str, Cell] = {
        name: getattr(outcome, name) for name in COLUMNS if hasattr(outcome, name)
    }
    row |= {
        "state": str(outcome.state),
        "source_size": outcome.source_stamp.size if outcome.source_stamp else None,
        "target_size": outcome.target_stamp.size if outcome.target_stamp else None,
        "warnings": " | ".join(outcome.warnings) or None,
        "weak": " | ".join(outcome.weak) or None,
        "overrides": " | ".join(outcome.own.names) or None if outcome.own else None,
    }
    for one in fields(Measures):
        row[one.name] = getattr(outcome.measures, one.name) if outcome.measures else None
    for name in ("model", "model_licence", "run", "started", "version"):
        row[name] = getattr(run, name) if run else None
    return {name: row[name] for name in COLUMNS}


def write_json(account: Account, stream: BinaryIO) -> None:
    """A JSON array of all newest outcomes, each with its run's name, version and model.

    ASCII; a byte of a name that is no UTF-8 stands as a surrogate escape.
    """
    before = b"[\n"
    for entry in account.newest():
        run = entry.run
        known = {"run": run.run, "version": run.version, "model": run.model} if run else {}
        stream.write(before + json.dumps({**asdict(entry.outcome), **known}).encode("ascii"))
        before = b",\n"
    stream.write(b"\n]\n" if len(account) else b"[]\n")


def write_csv(account: Account, stream: BinaryIO) -> None:
    """CSV (UTF-8, RFC 4180) that a spreadsheet shows and never computes."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    try:
        lines = csv.writer(text)
        lines.writerow(COLUMNS)
        for entry in account.newest():
            lines.writerow([_cell(one) for one in row_of(entry).values()])
    finally:
        text.detach()


def shown(text: str) -> str:
    """Text with what does not print, and what turns the direction of writing, as escapes."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


def _cell(value: Cell) -> Cell:
    if not isinstance(value, str):
        return value
    guard = "'" if value[:1] in _FORMULA else ""
    return guard + shown(value)


_ROWS: Final = 16384
"""Of a row group; no more are in memory at once."""


def write_parquet(account: Account, stream: BinaryIO) -> None:
    """Parquet with the columns of `rows.COLUMNS`; raises DependencyError without pyarrow.

    Bytes of a name that are no UTF-8 stand as the text of an escape (`\\udcff`).
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise DependencyError(
            "Parquet needs pyarrow; run: pip install 'archive-colorizer[parquet]'"
        ) from None
    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema: Any = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    rows = (
        {name: _storable(value) for name, value in row_of(entry).items()}
        for entry in account.newest()
    )
    with parquet.ParquetWriter(stream, schema) as writer:
        while group := list(islice(rows, _ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _storable(value: Cell) -> Cell:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
