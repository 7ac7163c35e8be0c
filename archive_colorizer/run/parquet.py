"""A manifest as a Parquet file.  The only door of pyarrow."""

from itertools import islice
from typing import Any, BinaryIO, Final

from archive_colorizer.errors import DependencyError
from archive_colorizer.export.table import COLUMNS, Cell, row_of
from archive_colorizer.manifest.reader import Account

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
