"""Outputs that can be used at once: the input's own columns beside the scores, and no cell that a spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
import random

import pytest

from lager_lite.data import open_rows, write_rows

OURS = [
    "rubric",
    "score",
    "raw_score",
    "direct",
    "e_score",
    "uniform",
    "mass",
    "tokens",
    "probabilities",
    "flags",
    "error",
]


@pytest.fixture
def score(run, tiny_model):
    def call(*words: object):
        done = run("score", *words, "-m", tiny_model, "-r", "good.toml", "-t", 1, "--no-guard", "--no-store")
        assert done.exit_code == 0, done.stderr
        return done

    return call


def test_columns_of_a_table_stand_before_the_scores_and_none_is_lost(score, tmp_path):
    text = 'who,response,score,input_score,note\nAda,=1+1,4,x,\nBo,"a, b",-1.5,y,+49 30\n'
    (tmp_path / "in.csv").write_text(text)
    score("in.csv", "-o", "out.csv")
    out = (tmp_path / "out.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(out)))
    # `score` is ours, and `input_score` is another column of theirs.
    assert list(rows[0]) == ["id", "who", "response", "input_input_score", "input_score", "note", *OURS]
    assert [row["response"] for row in rows] == ["'=1+1", "a, b"], "the spreadsheet runs no formula"
    assert [row["input_input_score"] for row in rows] == ["4", "-1.5"], "numbers are numbers"
    assert [row["note"] for row in rows] == ["", "'+49 30"] and [row["id"] for row in rows] == ["1", "2"]
    again = [dict(row.values) for row in open_rows(tmp_path / "out.csv")]
    assert again[0]["response"] == "=1+1" and again[1]["note"] == "+49 30"


def test_keep_is_for_every_kind_of_file_and_the_id_is_written_once(score, tmp_path):
    rows = [
        {"uid": "a", "response": "R", "meta": {"n": [1, None]}, "tokens": 3},
        {"uid": "b", "response": "S", "x": 1.5},
    ]
    (tmp_path / "in.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows) + '{"uid":"c","response":"T","nan":NaN}\n'
    )
    plain = [json.loads(line) for line in score("in.jsonl").stdout.splitlines()]
    kept = [json.loads(line) for line in score("in.jsonl", "--keep").stdout.splitlines()]
    assert [list(row)[:4] for row in kept] == [
        ["id", "response", "meta", "input_tokens"],
        ["id", "response", "x", "rubric"],
        ["id", "response", "nan", "rubric"],
    ]
    assert kept[0]["meta"] == {"n": [1, None]} and kept[0]["input_tokens"] == 3 and kept[2]["nan"] is None
    assert [{key: row[key] for key in plain[0]} for row in kept] == plain
    score("in.jsonl", "-o", "out.csv")
    assert "meta" not in (tmp_path / "out.csv").read_text(), "not asked for"


def test_what_is_written_to_a_table_is_read_as_it_was(tmp_path):
    rng = random.Random(5)
    signs = "'=+-@\t\r\n＝1.5e a\",;"
    texts = ["".join(rng.choices(signs, k=rng.randrange(1, 7))) for _ in range(2000)]
    rows = [{"id": n, "=text": text} for n, text in enumerate(texts)]
    for name in ("t.csv", "t.tsv"):
        write_rows(tmp_path / name, rows)
        with open(tmp_path / name, newline="", encoding="utf-8") as file:
            cells = [row[1] for row in csv.reader(file, delimiter="\t" if name == "t.tsv" else ",")]
        assert cells[0] == "'=text"
        for cell, text in zip(cells[1:], texts):
            assert cell[0] not in "=@\t\r\n＝" and (cell[0] not in "+-" or float(cell) == float(text))
        assert [row.values["=text"] for row in open_rows(tmp_path / name)] == texts
