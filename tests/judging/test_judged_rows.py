"""What `score` wrote is read back as it was, whatever kind of file it wrote, with the items that --keep wrote beside."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lager_lite.data import read_items, write_rows
from lager_lite.errors import DataError
from lager_lite.judging import JudgmentRows, judgment_row, read_judgments
from lager_lite.judging.by_turn import by_conversation, turn_row
from lager_lite.judging.panel import panel_judgment
from lager_lite.prompts import make_rubric
from lager_lite.records import Judgment, NumberId

FULL = Judgment(
    id=NumberId(7),
    rubric="fluency",
    score=3.25,
    raw_score=3.5,
    probabilities={"poor": 0.25, "fair": 0.25, "good": 0.5},
    direct=3.0,
    e_score=2.25,
    uniform=2.0,
    per_layer=(2.0, 2.125, 2.25),
    mass=0.75,
    tokens=120,
    feedback=("Clear, but long.", "[sic] good"),
    flags=("low mass", "saturated"),
    interval=(2.5, 4.0),
    members=(3.0, 3.5),
)
FAILED = Judgment(id="b", rubric="fluency", score=None, error="no response", flags=("cut to fit",))


@pytest.mark.parametrize("name", ["s.jsonl", "s.json", "s.csv", "s.tsv", "s.jsonl.gz"])
def test_every_kind_of_output_is_read_back_as_the_judgments_it_was(tmp_path: Path, name: str) -> None:
    path = tmp_path / name.removesuffix(".gz")
    write_rows(path, [judgment_row(one, details=True) for one in (FULL, FAILED)])
    if name.endswith(".gz"):
        import gzip

        (tmp_path / name).write_bytes(gzip.compress(path.read_bytes()))
    found = [row.judgment for row in read_judgments(tmp_path / name)]
    assert [replace(one, where="") for one in found] == [FULL, FAILED]
    assert [row.item for row in read_judgments(tmp_path / name)] == [None, None]


def kept(tmp_path: Path, rows: list[dict[str, Any]], rubrics: tuple[str, ...] = ("fluency", "clarity")) -> Path:
    """The output of `score --keep` over rows."""
    (tmp_path / "i.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    items = read_items(tmp_path / "i.jsonl", need_scores=False, require=()).items
    given = {item.id: row for item, row in zip(items, rows)}
    make = JudgmentRows()
    made = [
        make(replace(item, row=given[item.id]), Judgment(item.id, rubric, 3.0, probabilities={"1": 0.5, "5": 0.5}))
        for item in items
        for rubric in rubrics
    ]
    write_rows(tmp_path / "s.jsonl", made)
    return tmp_path / "s.jsonl"


def test_kept_rows_give_back_the_item_with_its_human_score_and_the_names_it_had(tmp_path: Path) -> None:
    row = {
        "id": "x",
        "prompt": "Why?",
        "answer": "So.",
        "score": 4,
        "rubric": "Be kind.",
        "tokens": "many",
        "note": "n",
    }
    first, second = read_judgments(kept(tmp_path, [row]))
    assert first.item is second.item and first.item is not None
    assert first.item.id == "x" and first.item.scores_for("fluency") == (4.0,)
    assert first.item.fields == {
        "instruction": "Why?", "response": "So.", "rubric": "Be kind.", "tokens": "many", "note": "n"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "response"),
    [
        ({"instruction": "Add.", "input": "1 2", "output": "3"}, "3"),
        ({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}, "Yo"),
    ],
)
def test_kept_rows_of_public_layouts_are_read_as_they_were_scored(
    tmp_path: Path, row: dict[str, Any], response: str
) -> None:
    found = read_judgments(kept(tmp_path, [row]))[0].item
    assert found is not None and found.fields["response"] == response


@pytest.mark.parametrize("name", ["s.jsonl", "s.csv"])
@pytest.mark.parametrize("unit", ["turn", "conversation"])
def test_kept_conversations_give_back_what_was_judged_of_them(tmp_path: Path, unit: str, name: str) -> None:
    said = [("user", "Hi"), ("assistant", "Yo"), ("user", "Why?"), ("assistant", "So.")]
    talk = {"id": "t", "messages": [{"role": role, "content": text} for role, text in said]}
    (tmp_path / "i.jsonl").write_text(json.dumps(talk), encoding="utf-8")
    items = read_items(tmp_path / "i.jsonl", unit=unit).items
    judged = [(replace(item, row=talk), Judgment(item.id, "fluency", 3.0)) for item in items]
    make = JudgmentRows()
    rows = [{**make(item, one), **turn_row(item, turns)} for item, one, turns in by_conversation(judged)]
    write_rows(tmp_path / name, rows)
    found = read_judgments(tmp_path / name, unit="answer" if unit == "turn" else unit)
    assert [(row.item and row.item.id, row.item and row.item.fields) for row in found] == [
        (item.id, item.fields) for item in items
    ]


def refused(tmp_path: Path, *rows: object) -> str:
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_judgments(tmp_path / "s.jsonl")
    return error.value.message.replace(str(tmp_path) + "/", "")


def test_what_is_no_judgment_is_refused_with_its_place(tmp_path: Path) -> None:
    row = {"id": "a", "rubric": "r", "score": 1.0}
    assert refused(tmp_path, row, {"id": "b", "response": "Hi"}) == (
        "s.jsonl:2: not a row of `score`, since it has no id and rubric; its keys are id, response"
    )
    assert refused(tmp_path, {**row, "score": "high"}) == "s.jsonl:1: key 'score' holds 'high', expected a number"
    assert refused(tmp_path, {**row, "probabilities": {"1": "x"}}) == (
        "s.jsonl:1: key 'probabilities' holds {'1': 'x'}, expected an object of numbers by label"
    )
    assert (
        refused(tmp_path, {**row, "per_layer": 3}) == "s.jsonl:1: key 'per_layer' holds 3, expected a list of numbers"
    )
    assert refused(tmp_path, {**row, "id": 10**400, "mass": 10**400}).startswith("s.jsonl:1: key 'mass' holds 1000")
    verdict = {"id": "a", "rubric": "r", "verdict": "A", "a_first": 0.5, "b_first": 0.5, "probability": 0.5}
    assert refused(tmp_path, verdict) == "s.jsonl:1: a row of `pairs`, not of `score`"
    assert refused(tmp_path, row, row) == "s.jsonl:2: the item a was judged by r before, at s.jsonl:1"


def test_a_store_is_told_from_an_output_and_one_row_and_no_row_are_outputs(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite").write_bytes(b"SQLite format 3\x00" + bytes(100))
    with pytest.raises(DataError, match="this is a store, which holds readings without their ids and texts"):
        read_judgments(tmp_path / "s.sqlite")
    (tmp_path / "e.jsonl").write_bytes(b"")
    assert read_judgments(tmp_path / "e.jsonl") == ()
    write_rows(tmp_path / "one.jsonl", [judgment_row(FULL)])
    assert len(read_judgments(tmp_path / "one.jsonl")) == 1


def test_a_row_that_a_panel_could_not_judge_has_the_keys_of_the_others() -> None:
    rubric = make_rubric("fluency", "Is it fluent?")
    parts = [replace(FULL, members=None, interval=None), replace(FAILED, id=FULL.id)]
    row = judgment_row(panel_judgment(parts, rubric, None, ("a", "b")))
    assert row["members"] is None and row.keys() == judgment_row(replace(FULL, interval=None, feedback=None)).keys()
