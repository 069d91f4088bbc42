"""Scores of another model are not taken for people's without a word."""

from __future__ import annotations

import pytest

from lager_lite.data import read_items
from tests.data.in_files import write

ROW = {"prompt": "Q", "response": "R", "score": 5}


@pytest.mark.parametrize(
    ("more", "sign"),
    [
        ({"judge": "gpt-4o", "judgment": "Good answer"}, "judge 'gpt-4o'"),
        ({"judge_model": "in-house", "judge_explanation": "Fine"}, "judge_model 'in-house'"),
        ({"evaluator": "claude-3"}, "evaluator 'claude-3'"),
        ({"parsed_result": {"score": "5"}}, "parsed_result"),
        ({"judgment": "Good. Rating: [[5]]"}, "judgment"),
        ({"judge": "expert_2", "judgment": "A good answer"}, ""),
        ({"annotator": "ann", "judgment": "good"}, ""),
    ],
)
def test_the_score_of_a_model_is_told_from_a_person_s(tmp_path, more, sign):
    path = write(tmp_path / "in.jsonl", {**ROW, **more})
    warnings = read_items(path).understood.warnings
    assert len(warnings) == bool(sign)
    if sign:
        said = f"since {sign} stands beside score; --ignore score leaves it out"
        assert warnings[0] == f"1 item has a human score that seems to be a model's, not people's, {said}"
        assert not read_items(path, ignore=("score",)).understood.warnings
        assert not read_items(path, {"score": "score"}).understood.warnings


def test_the_prompt_of_a_judge_is_no_instruction(tmp_path):
    row = {"prompt": "You are an expert evaluator.\nUSER: Name a tree.\nAI: Elm.", "model_output": "Elm."}
    assert (
        "1 instruction is the prompt of another judge"
        in read_items(write(tmp_path / "in.jsonl", row)).understood.warnings[0]
    )
