"""Writing rows: whole or absent, as text or as tables."""

from __future__ import annotations

import os

import pytest

from lager_lite.data.files.writing import write_rows
from lager_lite.data.items import read_items
from lager_lite.errors import OutputError


def test_no_rows_are_zero_bytes_of_jsonl(tmp_path):
    assert write_rows(tmp_path / "o.jsonl", []) == 0
    assert (tmp_path / "o.jsonl").read_bytes() == b""


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    def rows():
        yield {"id": "1"}
        raise KeyboardInterrupt

    path = tmp_path / "o.jsonl"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_rows(path, rows())
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["o.jsonl"]


def test_tables_hold_nested_values_as_json_and_read_back(tmp_path):
    path = tmp_path / "o.csv"
    rows = [{"id": "a", "response": "R", "scores": {"x": [1, 2]}}, {"id": "b", "response": "S", "score": [3, 4]}]
    assert write_rows(path, rows) == 2
    assert path.read_text().splitlines()[:2] == ["id,response,scores,score", 'a,R,"{""x"": [1, 2]}",']
    assert [dict(i.human) for i in read_items(path).items] == [{"x": (1.0, 2.0)}, {"": (3.0, 4.0)}]


def test_writing_to_stdout_is_jsonl(capsys):
    assert write_rows("-", [{"id": "ü"}]) == 1
    assert capsys.readouterr().out == '{"id": "ü"}\n'


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(OutputError) as caught:
        write_rows(tmp_path / "no" / "o.jsonl", [])
    assert caught.value.message == f"{tmp_path}/no/o.jsonl: cannot write: No such file or directory"
    with pytest.raises(OutputError) as caught:
        write_rows(tmp_path, [])
    assert caught.value.message == f"{tmp_path}: is a folder, expected a file to write"


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "real.jsonl").write_text("old")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    write_rows(tmp_path / "link.jsonl", [{"id": "1"}])
    assert (tmp_path / "link.jsonl").is_symlink() and (tmp_path / "real.jsonl").read_text() == '{"id": "1"}\n'
