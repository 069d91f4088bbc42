"""Files read one item at a time give what files read whole give, errors included."""

from __future__ import annotations

import json
import os
import tracemalloc

import pytest

from lager_lite.data.files import jsonlist
from lager_lite.data.files.writing import write_rows
from lager_lite.data.items import read_items
from lager_lite.data.source import open_items
from lager_lite.errors import DataError

ROWS = [{"id": f"i{n}", "source": f"text {n // 2}", "response": f"answer {n}", "score": n % 5} for n in range(6)]


def write(path, *rows):
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "data",
    [
        b'{"response": "no id"}\n\n{"id": 7, "output": "x"}\n',
        b'\xef\xbb\xbf{"id": "bom", "response": "x"}\r\n{"id": "b", "response": "y"}',
        '{"id": "é", "response": "\u2028 is no end of a line"}\n'.encode(),
    ],
    ids=["no id, blank line, alias", "byte order mark, CRLF, no last end", "line separator"],
)
def test_streamed_items_are_those_of_the_file_read_whole(tmp_path, data):
    path = tmp_path / "in.jsonl"
    path.write_bytes(data)
    source, whole = open_items(path), read_items(path)
    assert not isinstance(source.items, tuple), "the file was held in memory"
    assert tuple(source.items) == tuple(source.items) == whole.items
    assert (source.count, source.total, source.message) == (len(whole.items), len(whole.items), whole.message)


def test_count_groups_and_scores_are_told_without_holding_items(tmp_path):
    path = write(tmp_path / "in.jsonl", *ROWS)
    assert open_items(path).message == read_items(path).message == f"{path}: 6 items, 3 groups by source, 6 scores"


def test_limit_comes_first_and_keep_chooses_among_the_rest(tmp_path):
    path = write(tmp_path / "in.jsonl", *ROWS)
    source = open_items(path, limit=5, keep=lambda item: item.fields["source"] != "text 1")
    assert [i.id for i in source.items] == ["i0", "i1", "i4"]
    assert (source.count, source.total) == (3, 6)
    table = tmp_path / "in.csv"
    table.write_text("id,source,response\n" + "".join(f"{r['id']},{r['source']},{r['response']}\n" for r in ROWS))
    held = open_items(table, limit=5, keep=lambda item: item.fields["source"] != "text 1")
    assert [i.id for i in held.items] == ["i0", "i1", "i4"]
    assert (held.count, held.total) == (3, 6)


def test_mapped_keys_are_streamed_too(tmp_path):
    path = write(tmp_path / "in.jsonl", {"n": 1, "text": "a"}, {"n": 2, "text": "b"})
    source = open_items(path, {"id": "n", "response": "text"})
    assert not isinstance(source.items, tuple)
    assert [(i.id, i.fields["response"]) for i in source.items] == [("1", "a"), ("2", "b")]


def test_a_public_layout_is_detected_and_streamed(tmp_path):
    row = {"prompt": "P", "chosen": "good", "rejected": "bad"}
    path = write(tmp_path / "pairs.jsonl", row)
    assert tuple(open_items(path).items) == read_items(path).items
    assert "layout detected: pairs of a chosen and a rejected response" in open_items(path).message


@pytest.mark.parametrize(
    ("data", "mapping"),
    [
        (b'{"id": "a", "response": "x"}\nnot json\n', None),
        (b'{"id": "a", "response": "x"}\n\n{"id": "a", "response": "y"}\n', None),
        (b'{"id": "a"}\n{"id": "b"}\n{"id": "c"}\n', None),
        (b'{"id": "a", "response": "\xff"}\n', None),
        (b'{"id": "a", "response": "x"}\n', {"source": "nowhere"}),
        (b'{"id": "a", "response": ["x", "y"]}\n', None),
        (b" \n\n", None),
        (b"", None),
    ],
    ids=["not JSON", "one id twice", "no response", "not UTF-8", "no such key", "a list", "blank", "empty"],
)
def test_what_is_wrong_is_said_before_the_first_item_in_the_same_words(tmp_path, data, mapping):
    path = tmp_path / "in.jsonl"
    path.write_bytes(data)
    with pytest.raises(DataError) as whole:
        read_items(path, mapping)
    with pytest.raises(DataError) as streamed:
        open_items(path, mapping, limit=1)
    assert (streamed.value.message, streamed.value.hint) == (whole.value.message, whole.value.hint)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "tsv"])
def test_no_file_of_rows_is_held_in_memory(tmp_path, monkeypatch, suffix):
    """7 MB of rows; half of that would already be more than places, digests and one piece of the file."""
    monkeypatch.setattr(jsonlist, "_PIECE", 1 << 16)
    path = tmp_path / f"in.{suffix}"
    write_rows(path, ({"id": f"i{n}", "source": f"t{n // 3}", "response": f"{n} " * 1200} for n in range(1500)))
    tracemalloc.start()
    try:
        source = open_items(path)
        count = sum(1 for _ in source.items)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == source.count == 1500
    assert peak < 2.6e6 < path.stat().st_size / 2.5


def test_an_id_that_stands_twice_in_one_row_is_an_error(tmp_path):
    path = write(tmp_path / "in.jsonl", {"responses": [{"id": "z", "response": "c"}, {"id": "z", "response": "c"}]})
    with pytest.raises(DataError, match="the id '1/z' was used before"):
        open_items(path)


def test_a_file_that_changes_in_between_is_an_error(tmp_path):
    path = write(tmp_path / "in.jsonl", *ROWS)
    source = open_items(path)
    with open(path, "a") as file:
        file.write(json.dumps({"id": "late", "response": "x"}) + "\n")
    with pytest.raises(DataError, match="in.jsonl: was changed while it was being read"):
        list(source.items)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "in.jsonl"
    os.mkfifo(path)
    if os.fork() == 0:
        write(path, *ROWS)
        os._exit(0)
    assert [i.id for i in open_items(path).items] == [r["id"] for r in ROWS]
    os.wait()
