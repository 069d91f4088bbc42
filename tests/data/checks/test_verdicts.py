"""Verdicts on two responses are no responses."""

from __future__ import annotations

import pytest

from lager_lite.data import check_file, item_of_row, pairs_of_rows, read_items
from lager_lite.data.files.reading import open_rows
from lager_lite.data.keys.rows import Row
from tests.data.in_files import error, write

ROW = {"orig_instruction": "Name a tree.", "orig_response_A": "Oak.", "orig_response_B": "Sea.", "orig_preference": "A"}


@pytest.mark.parametrize(
    ("row", "way"),
    [
        (
            {**ROW, "instruction": "###Task: compare", "output": "Feedback: A is better. [RESULT] A"},
            "`lager-lite pairs --map response_a=orig_response_A --map response_b=orig_response_B "
            "--map instruction=orig_instruction --map preference=orig_preference` judges the two; ",
        ),
        (
            {
                "input": {"instruction": "Q", "input": "", "response1": "Oak.", "response2": "Sea."},
                "output": "1\n### Reason: good",
            },
            "write response1 and response2 under response_a and response_b of the row for `lager-lite pairs`; ",
        ),
        ({"instruction": "Compare the two.", "output": "[[B]]"}, "write the two responses under response_a and"),
        ({"prompt": "Compare.", "response": "Both are fine. [[A>>B]]"}, "write the two responses under response_a"),
    ],
)
def test_a_verdict_on_two_responses_is_refused_with_a_way_to_judge_the_two(tmp_path, row, way):
    path = write(tmp_path / "in.jsonl", row)
    found, key = error(path), list(row)[-1]
    assert f"{key!r} holds a judge's verdict on two responses, and no response, in 1 response" in found.message
    assert found.hint.startswith(way) and found.hint.endswith(f"--map response={key} judges the verdicts themselves")
    assert any("verdict on two responses" in line for line in check_file(path).errors)
    if "input" not in row:
        assert read_items(path, {"response": key}).items[0].fields["response"] == row[key]
    if "orig_response_A" in row:
        mapping = dict(part.split("=") for part in way.partition("`")[2].partition("`")[0].split() if "=" in part)
        pair = pairs_of_rows(open_rows(path), mapping).pairs[0]
        assert (pair.fields["instruction"], pair.responses, pair.preference) == ("Name a tree.", ("Oak.", "Sea."), 1.0)


def test_a_response_with_a_verdict_inside_it_or_in_few_rows_is_one(tmp_path):
    for texts in (("Write [[A]] at the end.", "Array [[1]]."), ("I write [[A]]", "An oak.", "An elm.")):
        rows = [{"prompt": "Q", "response": text} for text in texts]
        assert len(read_items(write(tmp_path / "in.jsonl", *rows)).items) == len(rows)
    row = Row({"instruction": "Q", "response": "[[A]]"}, "item 1")
    assert item_of_row(row, 1, {}).fields["response"] == "[[A]]"
