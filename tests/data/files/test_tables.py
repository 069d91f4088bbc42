"""Tables as other programs write them: delimiters, empty columns, encodings, gzip, spreadsheets."""

from __future__ import annotations

import gzip
import json

import pytest

from lager_lite.data import open_items, read_items
from lager_lite.errors import DataError
from lager_lite.tasks.pool import open_pool

TABLE = [["id", "prompt", "response", "score"], ["a", "Größe, in m; bitte?", "Zwei; oder drei, glaube ich.", "4"]]


def error(path, **options):
    with pytest.raises(DataError) as caught:
        read_items(path, **options)
    return caught.value


def table(mark):
    return "".join(mark.join(f'"{cell}"' if {",", ";"} & set(cell) else cell for cell in row) + "\n" for row in TABLE)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["in.csv", "in.tsv", "in.txt"])
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_the_header_shows_the_delimiter(tmp_path, mark, name, begin):
    path = tmp_path / name
    path.write_text(begin + table(mark), encoding="utf-8")
    item = read_items(path).items[0]
    assert (item.id, item.fields["instruction"], item.fields["response"]) == ("a", TABLE[1][1], TABLE[1][2])
    assert dict(item.human) == {"": (4.0,)}


def test_a_header_of_one_column_and_names_with_other_marks_stay(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("response\na; b\tc\n")
    assert read_items(path).items[0].fields == {"response": "a; b\tc"}
    path.write_text('response,"note; old",x\nR,N,Y\n')
    assert read_items(path).items[0].fields == {"response": "R", "note; old": "N", "x": "Y"}


def test_columns_without_name_at_the_end_are_left_out_where_they_are_empty(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id,response,,\na,R,,\nb,S\nc,T,,,\n")
    assert [dict(i.fields) for i in read_items(path).items] == [{"response": "R"}, {"response": "S"}, {"response": "T"}]
    path.write_text("id,response,,\na,R,,\nb,S,lost,\n")
    assert error(path).message == f"{path}:3: 4 cells, the header has 2"


@pytest.mark.parametrize(
    ("encoding", "text", "named"),
    [("latin-1", "Größe", "latin-1"), ("cp1252", "“Größe”", "cp1252")],
)
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.json"])
def test_the_error_names_an_encoding_with_which_the_file_is_read(tmp_path, encoding, text, named, name):
    rows = {"in.csv": f"response\n{text}\n", "in.jsonl": json.dumps({"response": text}, ensure_ascii=False) + "\n"}
    path = tmp_path / name
    path.write_bytes(rows.get(name, f'[{{"response": "{text}"}}]').encode(encoding))
    found = error(path)
    assert found.message.startswith(f"{path}: not UTF-8 at byte ") and f"--encoding {named}," in found.hint
    assert read_items(path, encoding=named).items[0].fields["response"] == text
    assert [i.fields["response"] for i in open_items(path, encoding=named).items] == [text]
    if name != "in.csv":
        assert len(open_pool(path, encoding=named)) == 1


def test_an_encoding_that_is_none_or_does_not_fit_is_said(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("response\nGröße\n", encoding="utf-8")
    assert error(path, encoding="latin1000").message == "there is no encoding 'latin1000'"
    assert error(path, encoding="ascii").message.startswith(f"{path}: not ascii: ")


@pytest.mark.parametrize("name", ["in.csv.gz", "in.jsonl.gz", "in.json.gz", "IN.CSV.GZ"])
def test_gzipped_files_are_read_by_the_suffix_before(tmp_path, name):
    text = "response\nR\nS\n" if "csv" in name.lower() else '{"response": "R"}\n{"response": "S"}\n'
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()))
    assert [i.fields["response"] for i in read_items(path).items] == ["R", "S"]
    path.write_bytes(gzip.compress(text.encode())[:-9])
    assert error(path).message.startswith(f"{path}: not a gzip file that can be read: ")


def test_a_spreadsheet_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "in.xlsx"
    path.write_bytes(b"PK\x03\x04\x00\x00")
    found = error(path)
    assert (found.message, found.hint) == (
        f"{path}: a spreadsheet cannot be read",
        "save it as CSV (UTF-8), and give that file",
    )


@pytest.mark.parametrize("name", ["in.csv", "in.txt"])
def test_a_file_with_the_mark_of_utf16_is_read_as_it_says(tmp_path, name):
    path = tmp_path / name
    path.write_bytes("prompt\tresponse\nQ\tGröße\n".encode("utf-16"))
    assert read_items(path).items[0].fields == {"instruction": "Q", "response": "Größe"}


def test_a_header_may_be_longer_than_a_cell_of_the_csv_module(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("response," + ",".join(f"column{n}" for n in range(20_000)) + "\nR" + ",1" * 20_000 + "\n")
    data = read_items(path)
    assert data.items[0].fields["response"] == "R" and len(data.understood.mapping_line()) < 300


def test_the_delimiter_may_stand_above_the_header_as_for_excel(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("sep=;\nprompt;response;score\nQ;R;4,5\nP;S;\n")
    first, second = read_items(path).items
    assert (first.fields, first.human, first.where) == (
        {"instruction": "Q", "response": "R"},
        {"": (4.5,)},
        f"{path}:3",
    )
    assert second.where == f"{path}:4"


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_lines_may_end_as_any_program_ends_them(tmp_path, end):
    path = tmp_path / "in.csv"
    path.write_bytes(end.join(["question,answer,rating", "Q,R,2", 'P,"S, T",3', ""]).encode())
    assert [(i.fields["response"], i.where) for i in read_items(path).items] == [
        ("R", f"{path}:2"),
        ("S, T", f"{path}:3"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "said", "hint"),
    [
        ("a.csv", "Survey\nid,question,answer\n1,Q,R\n", ":2: 3 cells, the header has 1", "seems to stand in line 2"),
        ("a.csv", "Survey,,\n,,\nid,question,answer\n1,Q,R\n", ":3: 3 cells", "seems to stand in line 3"),
        ("a.csv", "id,answer,score\n1\n", ":2: 1 cell, the header", "a cell for every column"),
        (
            "a.csv",
            "id|answer|score\n1|R|2\n",
            "the header 'id|answer|score' has no cells that can be told apart",
            "CSV",
        ),
        ("a.txt", "Wet land is a fen.\nA boat.\n", ": plain text cannot be read", "JSON Lines"),
        ("a.yaml", "- question: Q\n  answer: R\n", ": YAML cannot be read", "JSON Lines"),
    ],
)
def test_what_is_no_table_is_refused_with_the_way_out(tmp_path, name, text, said, hint):
    path = tmp_path / name
    path.write_text(text)
    found = error(path)
    assert said in found.message and hint in found.hint


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_named(tmp_path, encoding):
    path = tmp_path / "in.csv"
    path.write_bytes("question,answer\nQ,Größe\n".encode(encoding))
    assert error(path).hint == f"give --encoding {encoding}"
    assert read_items(path, encoding=encoding).items[0].fields["response"] == "Größe"
