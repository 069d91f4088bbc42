"""Rows by place: both kinds of file, whatever the pieces they are read in, and every wrong file with its place."""

from __future__ import annotations

import json
import os

import pytest

from lager_lite.data import read_items
from lager_lite.data.files import bytesource, jsonlist
from lager_lite.data.files.reading import open_rows
from lager_lite.data.files.rowfile import ListFile
from lager_lite.errors import DataError

ROWS = [
    {"id": n, "text": t} for n, t in enumerate(["plain", 'quote " \\ ]', "ünïcode 日本 🌍", "", "new\nline", "x" * 90])
]


@pytest.fixture(params=[1, 2, 3, 7, 64, 1 << 20], ids=lambda n: f"pieces of {n}")
def pieces(request, monkeypatch):
    monkeypatch.setattr(jsonlist, "_PIECE", request.param)
    monkeypatch.setattr(bytesource, "_PIECE", request.param)


@pytest.mark.parametrize(
    "dump",
    [
        lambda: json.dumps(ROWS),
        lambda: json.dumps(ROWS, indent=4, ensure_ascii=False),
        lambda: "\ufeff \n[" + " ,\n\t".join(json.dumps(r, ensure_ascii=False) for r in ROWS) + " ]\n\n",
        lambda: "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in ROWS),
        lambda: "\ufeff" + "\r\n\r\n".join(json.dumps(r) for r in ROWS),
    ],
    ids=["list", "indented", "odd blanks and a mark", "lines", "lines with blank ones"],
)
def test_every_row_is_found_and_copied_as_it_stands(tmp_path, pieces, dump):
    path = tmp_path / "in.json"
    path.write_bytes(dump().encode())
    file = open_rows(path)
    assert [r.values for r in file] == ROWS == [r.values for r in file] and len(file) == 6
    assert file[2].values == ROWS[2]
    assert file.copy(tmp_path / "out.json", [1, 4]) == 2
    assert [r.values for r in open_rows(tmp_path / "out.json")] == [ROWS[1], ROWS[4]]
    file.copy(tmp_path / "all.json", range(6))
    if isinstance(file, ListFile) or "\r" not in dump():
        assert (tmp_path / "all.json").read_bytes() == dump().encode().removeprefix(b"\xef\xbb\xbf")
    assert (tmp_path / "none.json").exists() is False
    file.copy(tmp_path / "none.json", [])
    text = (tmp_path / "none.json").read_text()
    assert json.loads(text) == [] if isinstance(file, ListFile) else text == ""


def test_a_record_of_a_table_may_take_several_lines(tmp_path):
    path = tmp_path / "in.csv"
    path.write_bytes('\ufeffid,text\r\n1,"a\r\nb ""q"" \u2028"\r\n\r\n2,5" nails\r\n3,'.encode())
    file = open_rows(path)
    assert [r.values for r in file] == [
        {"id": "1", "text": 'a\r\nb "q" \u2028'},
        {"id": "2", "text": '5" nails'},
        {"id": "3"},
    ]
    assert [r.where for r in file] == [f"{path}:{n}" for n in (2, 5, 6)] and file[1].values["id"] == "2"


def test_places_are_those_of_the_format(tmp_path):
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n\n{"a": 2}\n')
    (tmp_path / "a.json").write_text('[{"a": 1}, {"a": 2}]')
    assert [r.where for r in open_rows(tmp_path / "a.jsonl")] == [f"{tmp_path}/a.jsonl:2", f"{tmp_path}/a.jsonl:4"]
    assert [r.where for r in open_rows(tmp_path / "a.json")] == [f"{tmp_path}/a.json[0]", f"{tmp_path}/a.json[1]"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": the file is empty"),
        (b" \n ", ": the file is empty"),
        (b'[{"a": 1}, 7]', "[1]: expected a JSON object, found a number"),
        (b'[{"a": 1}, "x"]', "[1]: expected a JSON object, found text"),
        (b'[{"a": 1},\n]', ":2: not JSON: Expecting value at column 1"),
        (b'[{"a": 1} {"a": 2}]', ":1: not JSON: Expecting ',' delimiter at column 11"),
        (b'[{"a": 1}', ":1: not JSON: Expecting ',' delimiter at column 10"),
        ('[{"a": "é"},\n {"é": "tor'.encode(), ":2: not JSON: Unterminated string starting at column 8"),
        (
            b'[{"a": 1}, {"a" 2}, {"a": "much more text after the wrong place"}]',
            ":1: not JSON: Expecting ':' delimiter at column 17",
        ),
        (b'[{"a": 1}] []', ":1: not JSON: Extra data at column 12"),
        ('[{"a": "ü"}, {"a": "'.encode() + b'\xff"}]', ": not UTF-8 at byte 21 (0xff)"),
        (b'{"a": 1}\n{"a": "\xfc"}\n', ": not UTF-8 at byte 16 (0xfc)"),
        (b'{"a": 1}\n[1]\n', ":2: expected a JSON object, found a list"),
        (b'{\n "a": 1\n}\n{}', ":1: not JSON: Expecting property name enclosed in double quotes at column 2"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(tmp_path, pieces, content, message):
    path = tmp_path / "in.json"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(open_rows(path))
    assert caught.value.message == f"{path}{message}"


def test_a_file_that_changes_or_goes_is_noticed_and_never_overwritten(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    file = open_rows(path)
    with pytest.raises(DataError, match="is the file that is being read"):
        file.copy(tmp_path / "." / "in.jsonl", [0])
    path.write_text('{"a": 1}\n{"a": 2}\n{"a": 3}\n')
    with pytest.raises(DataError, match="was changed while it was being read"):
        list(file)
    with pytest.raises(DataError, match="was changed"):
        file.copy(tmp_path / "out.jsonl", [0])
    os.remove(path)
    with pytest.raises(DataError, match="cannot be read again: No such file"):
        file[0]
    assert os.listdir(tmp_path) == []


def test_rows_that_a_spreadsheet_leaves_behind_are_skipped(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("question,response\nQ1,R1\n,\n , \nQ2,R2\n,\n")
    assert [(i.id, i.fields["response"]) for i in read_items(path).items] == [("1", "R1"), ("2", "R2")]
