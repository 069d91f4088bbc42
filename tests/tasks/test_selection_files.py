"""The suffix of the kept rows' file says what it holds, whatever the rows came from."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lager_lite.judging.score_file import Tally
from lager_lite.records import Counts
from lager_lite.tasks.pool import Scores, open_pool
from lager_lite.tasks.selection import select, write_selection

ROWS = [{"instruction": f"Nr. {n}\n", "output": f"fünf {n}", "score": 1.0} for n in range(3)]


@pytest.mark.parametrize("source", ["in.json", "in.jsonl"])
@pytest.mark.parametrize("output", ["out.json", "out.jsonl", "out.ndjson", "out"])
def test_a_list_becomes_lines_and_lines_a_list_where_the_suffix_asks(tmp_path, source, output):
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    (tmp_path / source).write_text(json.dumps(ROWS, indent=1) if source == "in.json" else lines, encoding="utf-8")
    pool = open_pool(tmp_path / source)
    values = np.array([[3.0], [1.0], [2.0]])
    scores = Scores(("a",), values, values, np.arange(3), {}, Tally().summary(Counts()))
    found = select(pool, scores, top=2)
    assert write_selection(pool, scores, found, tmp_path / output, tmp_path / "side.jsonl") == 2
    text = (tmp_path / output).read_text(encoding="utf-8")
    listed = output == "out.json" or output == "out" and source == "in.json"
    assert (json.loads(text) if listed else [json.loads(line) for line in text.splitlines()]) == [ROWS[0], ROWS[2]]
    assert "fünf" in text or source == "in.json" and listed
