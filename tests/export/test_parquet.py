"""A manifest as Parquet, read back by pyarrow."""

import io
import sys

import pytest

from archive_colorizer.errors import DependencyError
from archive_colorizer.export import table
from archive_colorizer.export.table import COLUMNS, build_row
from tests.manifest.records_of_a_run import done, evil, opening, written


def table_of(account):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet as reader

    stream = io.BytesIO()
    table.write_parquet(account, stream)
    return reader.read_table(io.BytesIO(stream.getvalue()))


def test_every_cell_comes_back(tmp_path):
    account = evil(tmp_path)
    table = table_of(account)
    assert table.column_names == list(COLUMNS)
    for read, entry in zip(table.to_pylist(), account.iterate_newest(), strict=True):
        row = build_row(entry)
        for name in ("name", "target"):
            row[name] = row[name] and row[name].replace("\udcff", "\\udcff")
        assert read == row


def test_rows_come_in_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "_ROWS_IN_GROUP", 7)
    account = written(tmp_path, opening(), *(done(f"{n}.png") for n in range(20)))
    assert table_of(account).num_rows == 20


def test_columns_that_are_empty_throughout_keep_their_type(tmp_path):
    pytest.importorskip("pyarrow")
    table = table_of(written(tmp_path, opening()))
    assert str(table.schema.field("width").type) == "int64"


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DependencyError, match=r"archive-colorizer\[parquet\]"):
        table.write_parquet(evil(tmp_path), io.BytesIO())
