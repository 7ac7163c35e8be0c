"""A manifest as a table."""

import codecs
import csv
import io
import json

import pytest

from archive_colorizer.export.table import COLUMNS, build_row, write_csv, write_json
from archive_colorizer.records.outcomes import Measures
from tests.manifest.records_of_a_run import EVIL_NAMES, done, evil, opening, skipped, written


def csv_of(account):
    stream = io.BytesIO()
    write_csv(account, stream)
    content = stream.getvalue()
    # A spreadsheet takes CSV for UTF-8 only where it begins with this mark.
    assert content.startswith(codecs.BOM_UTF8)
    return content.decode("utf-8-sig")


def test_json_holds_every_newest_outcome_exactly(tmp_path):
    stream = io.BytesIO()
    account = evil(tmp_path)
    write_json(account, stream)
    said = json.loads(stream.getvalue())
    assert len(said) == len(account) == len(EVIL_NAMES) + 3
    assert {one["name"] for one in said} >= set(EVIL_NAMES)
    assert said[0]["model"] == "constant"
    assert "model" not in said[-1]


def test_json_of_nothing_is_an_empty_list(tmp_path):
    stream = io.BytesIO()
    write_json(written(tmp_path, opening()), stream)
    assert json.loads(stream.getvalue()) == []


def test_a_row_has_all_columns_of_their_types(tmp_path):
    for entry in evil(tmp_path).iterate_newest():
        row = build_row(entry)
        assert list(row) == list(COLUMNS)
        assert all(one is None or type(one) is COLUMNS[name] for name, one in row.items())


def test_a_weak_result_has_its_names_and_figures(tmp_path):
    measures = Measures(grey=0.001, one_color=0.25, blotches=0.5, clipped=0.125)
    weak = done("a.png", weak=("grey", "blotches"), measures=measures)
    (entry,) = written(tmp_path, opening(), weak).iterate_newest()
    row = build_row(entry)
    assert (row["weak"], row["grey"], row["skin"]) == ("grey | blotches", 0.001, None)


def test_no_cell_of_the_csv_begins_a_formula(tmp_path):
    rows = list(csv.reader(io.StringIO(csv_of(evil(tmp_path)), newline="")))
    assert rows[0] == list(COLUMNS)
    assert len(rows) == 1 + len(EVIL_NAMES) + 3
    for row in rows[1:]:
        assert not [cell for cell in row if cell[:1] in tuple("=+-@\t\r\n")]
    names = [row[0] for row in rows[1:]]
    assert names[0] == "'" + EVIL_NAMES[0]
    assert names[4] == "'\\ttab.png"


FORMULAS = (
    "a;=1+1;b.jpg",
    "a; =1+1.jpg",
    'a;"=1+1".jpg',
    "a;'=1+1'.jpg",
    "a;\t@sum.jpg",
    "a\t=1+1.jpg",
    " =1+1.jpg",
    '"=1+1".jpg',
    "a;\uff1d1+1.jpg",
)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("quote", ['"', None])
def test_no_cell_is_a_formula_whatever_separates_cells(tmp_path, separator, quote):
    hostile = [
        done(f"{n}.jpg", warnings=(name, name), provider=name) for n, name in enumerate(FORMULAS)
    ]
    text = csv_of(written(tmp_path, opening(model="x;=1+1"), *map(done, FORMULAS), *hostile))
    quoting = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, **quoting))
    assert len(rows) == 1 + 2 * len(FORMULAS)
    cells = [cell.strip(' "\t') for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\uff1d"))]


def test_every_cell_of_the_csv_is_quoted(tmp_path):
    for line in csv_of(evil(tmp_path)).splitlines():
        assert line.startswith('"')
        assert line.endswith('"')
        assert line.count('","') == len(COLUMNS) - 1


def test_nothing_in_the_csv_turns_or_breaks_a_line(tmp_path):
    text = csv_of(evil(tmp_path))
    assert text.count("\r\n") == 1 + len(EVIL_NAMES) + 3
    assert text.replace("\r\n", "").isprintable()
    assert "gnp.\\u202eexe.png" in text
    assert "b\\udcffd.png" in text
    assert "<b>&amp;]]>.png" in text


def test_what_was_never_tried_has_empty_cells(tmp_path):
    account = written(tmp_path, opening(), skipped("notes.txt"))
    (row,) = csv.DictReader(io.StringIO(csv_of(account)))
    assert (row["state"], row["reason"], row["target"]) == ("skipped", "not-a-picture", "")
