"""Export a manifest as JSON, CSV or Parquet, with a row for each file."""

import csv
import io
import json
from dataclasses import asdict, fields
from itertools import islice
from typing import Any, BinaryIO, Final, TypeAlias

from archive_colorizer.errors import DependencyError
from archive_colorizer.manifest.reader import ManifestEntry, ManifestReader
from archive_colorizer.records.outcomes import Measures
from archive_colorizer.records.text import escape_cell, escape_surrogates

Cell: TypeAlias = str | int | float | None

_INTEGERS: Final = frozenset(("source_size", "target_size", "width", "height"))
_FLOATS: Final = frozenset(("grey", "one_color", "blotches", "clipped", "skin", "seconds"))
COLUMNS: Final[dict[str, type]] = {
    name: int if name in _INTEGERS else float if name in _FLOATS else str
    for name in (
        "name state reason message source_sha256 source_size target target_sha256 target_size "
        "sidecar_sha256 warnings weak grey one_color blotches clipped skin width height seconds "
        "provider model model_sha256 model_licence settings overrides run started version"
    ).split()
}
"""The columns and their types; any cell may be empty."""


def build_row(entry: ManifestEntry) -> dict[str, Cell]:
    """Build the row of one file, with unescaped text."""
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
    for measure in fields(Measures):
        row[measure.name] = getattr(outcome.measures, measure.name) if outcome.measures else None
    for name in ("model", "model_licence", "run", "started", "version"):
        row[name] = getattr(run, name) if run else None
    return {name: row[name] for name in COLUMNS}


def write_json(manifest: ManifestReader, stream: BinaryIO) -> None:
    """Write an ASCII JSON array of the newest outcomes, with their run, version and model.

    A byte of a name that is no UTF-8 becomes a surrogate escape.
    """
    separator = b"[\n"
    for entry in manifest.iterate_newest():
        run = entry.run
        run_facts = {"run": run.run, "version": run.version, "model": run.model} if run else {}
        outcome_facts = asdict(entry.outcome)
        del outcome_facts["errno"]  # It is never in a manifest.
        stream.write(separator + json.dumps({**outcome_facts, **run_facts}).encode("ascii"))
        separator = b",\n"
    stream.write(b"\n]\n" if len(manifest) else b"[]\n")


def write_csv(manifest: ManifestReader, stream: BinaryIO) -> None:
    """Write CSV (RFC 4180) that a spreadsheet opens as UTF-8 and never computes.

    Every cell is quoted, since a semicolon or a tab separates cells in many countries.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="", write_through=True)
    try:
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS)
        for entry in manifest.iterate_newest():
            cells = build_row(entry).values()
            writer.writerow(escape_cell(cell) if isinstance(cell, str) else cell for cell in cells)
    finally:
        text.detach()


_ROWS_IN_GROUP: Final = 16384
"""More rows are never in memory at once."""


def write_parquet(manifest: ManifestReader, stream: BinaryIO) -> None:
    """Write Parquet with COLUMNS; raises DependencyError without pyarrow.

    A byte of a name that is no UTF-8 becomes the text of an escape (`\\udcff`).
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
        {
            name: escape_surrogates(value) if isinstance(value, str) else value
            for name, value in build_row(entry).items()
        }
        for entry in manifest.iterate_newest()
    )
    with parquet.ParquetWriter(stream, schema) as writer:
        while group := list(islice(rows, _ROWS_IN_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
