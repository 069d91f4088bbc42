"""The public layouts: recognised, read, and refused where they break."""

from __future__ import annotations

import json

import pytest

from lager_lite.data.items import convert, read_items
from lager_lite.data.layouts.benchmarks import HELPSTEER, LAYOUTS
from tests.data.in_files import bare, error, write


def test_every_layout_has_a_reader_that_says_no_to_plain_rows(tmp_path):
    path = write(tmp_path / "in.jsonl", {"response": "R"})
    for name in LAYOUTS:
        found = error(path, layout=name)
        assert found.message == f"{path}: not in the layout {name}; its first keys are response"
    assert error(path, layout="flask").message == "there is no layout 'flask'"
    both = error(path, {"response": "response"}, "alpaca")
    assert both.message == "a mapping of keys and the layout alpaca exclude each other"


def test_helpsteer_has_five_criteria_from_0_to_4(tmp_path):
    row = {"prompt": "P", "response": "R", **dict(zip(HELPSTEER, (4, 3, 2, 1, 0)))}
    data = read_items(write(tmp_path / "h.jsonl", row, {**row, "response": "S"}))
    assert (data.layout, data.scale, data.criteria) == ("helpsteer", "0-4", HELPSTEER)
    assert dict(data.items[0].human) == dict(zip(HELPSTEER, [(4.0,), (3.0,), (2.0,), (1.0,), (0.0,)]))
    assert data.items[0].group == data.items[1].group
    assert data.message.endswith("layout detected: HelpSteer")


def test_biggen_with_human_scores_carries_its_own_rubric(tmp_path):
    rubric = {"criteria": "Is it so?", "score1_description": "no", "score5_description": "yes"}
    row = {"id": "x", "system_prompt": "You plan.", "input": "I", "reference_answer": "F", "score_rubric": rubric}
    rows = [{**row, "model_name": m, "response": "R", "human_score": 4} for m in ("m1", "m2")]
    data = read_items(write(tmp_path / "b.jsonl", *rows))
    assert (data.layout, [i.id for i in data.items]) == ("biggen", ["x/m1", "x/m2"])
    assert data.items[0].fields == {
        "instruction": "I",
        "response": "R",
        "reference": "F",
        "system_prompt": "You plan.",
        "rubric": "Is it so?\nScore 1: no\nScore 5: yes",
    }
    assert dict(data.items[0].human) == {"": (4.0,)}


def test_lager_lines_are_rendered_prompts_with_their_parts(tmp_path):
    text = (
        "###The instruction to evaluate:\nI\n\n###Response to evaluate:\nR\n\n###Score Rubrics:\n[C]\n\n###Feedback: "
    )
    rows = [{"user_prompt": text, "user_prompt_feedback": "F", "score": [3, 4]}, {"user_prompt": "other", "score": 2}]
    data = read_items(write(tmp_path / "l.jsonl", *rows))
    first, second = data.items
    assert (data.layout, first.rendered, second.rendered) == ("lager", text, "other")
    assert first.fields == {"instruction": "I", "response": "R", "rubric": "[C]", "rendered_feedback": "F"}
    assert (dict(first.human), dict(second.human), second.group) == ({"": (3.0, 4.0)}, {"": (2.0,)}, None)
    kept = read_items(write(tmp_path / "l.jsonl", *rows), keep_rendered=False).items
    assert [i.rendered for i in kept] == [None, "other"]


def test_flask_scores_are_peoples_and_prometheus_scores_are_not(tmp_path):
    row = {"idx": 1, "instruction": "###Task Description:\nwhole prompt\n\n###Response to evaluate:\nR"}
    flask = read_items(write(tmp_path / "f.jsonl", {**row, "human_score": [3, 4, 5], "gpt4_score": [1]}))
    assert dict(flask.items[0].human) == {"": (3.0, 4.0, 5.0)} and "GPT-4" not in flask.message
    other = read_items(write(tmp_path / "p.jsonl", {**row, "gpt4_score": [1, 2, 1]}))
    assert dict(other.items[0].human) == {"": (1.0, 2.0, 1.0)}
    assert other.message.endswith("(the scores are GPT-4's, not people's)")


def test_messages_and_alpaca_become_instruction_and_response(tmp_path):
    talk = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, {"from": "human", "value": "c"}]
    rows = [{"conversations": [*talk, {"from": "gpt", "value": "d"}]}, {"conversations": talk[:2]}]
    first, second = read_items(write(tmp_path / "m.jsonl", *rows)).items
    assert first.fields == {"instruction": "User: a\n\nAssistant: b\n\nUser: c", "response": "d"}
    assert second.fields == {"instruction": "a", "response": "b"}
    rows = [{"instruction": "I", "input": "X", "output": "O"}, {"instruction": "I", "input": "", "output": "O"}]
    assert [i.fields["instruction"] for i in read_items(write(tmp_path / "a.jsonl", *rows)).items] == ["I\n\nX", "I"]


def test_judge_bench_without_headings_keeps_the_text_whole_and_skips_categories(tmp_path):
    marks = {"Quality": {"mean_human": 2.5}, "Kind": {"majority_human": "b"}}
    content = {
        "annotations": [
            {"metric": "Quality", "category": "graded", "worst": 0, "best": 4},
            {"metric": "Kind", "category": "categorical"},
        ],
        "instances": [{"id": 3, "instance": "Some ## text", "annotations": marks}],
    }
    path = tmp_path / "j.json"
    path.write_text(json.dumps(content))
    data = read_items(path)
    assert data.items[0].fields == {"response": "Some ## text"}
    assert (dict(data.items[0].human), data.scale) == ({"quality": (2.5,)}, "0-4")


def test_a_broken_public_file_says_where_it_breaks(tmp_path):
    path = write(tmp_path / "h.jsonl", {"user_prompt": "Give a score."}, {"prompt": "b"})
    found = error(path)
    assert found.message == (
        f"{path}:2: looks like LAGER's JSON lines (rendered prompts), but breaks its layout: the key 'user_prompt' is missing"
    )


REAL = [
    ("judge_bench_newsroom.json", "judge-bench", 420, 60, "1-5"),
    ("lager_emotion_430.json", "emotion", 430, 50, "1-9"),
    ("eq_bench_v2_171.json", "eq-bench", 684, 50, "0-10"),
    ("self_aware.json", "self-aware", 3369, 3369, "1-5"),
    ("helpsteer_pairs.jsonl", "pairs", 1698, 848, None),
    ("prometheus_mt_bench.json", "prometheus", 320, 80, "1-5"),
    ("biggen_sample_evals.json", "biggen", 40, 40, "1-5"),
]


@pytest.mark.parametrize(("name", "layout", "count", "groups", "scale"), REAL, ids=[r[1] for r in REAL])
def test_real_files_are_detected_and_survive_conversion(data_folder, tmp_path, name, layout, count, groups, scale):
    data = read_items(data_folder / name)
    assert (data.layout, len(data.items), data.scale) == (layout, count, scale)
    assert len({i.group for i in data.items}) == groups
    out = tmp_path / "out.jsonl"
    assert convert(data, out) == count
    assert bare(read_items(out, layout="rows", require=()).items) == bare(data.items)


def test_newsroom_is_split_into_source_and_summary(data_folder):
    data = read_items(data_folder / "judge_bench_newsroom.json")
    assert data.criteria == ("informativeness", "relevance", "fluency", "coherence")
    assert all(set(i.fields) == {"source", "response"} for i in data.items)
    assert all(len(scores) == 3 for i in data.items for scores in i.human.values())
    first = data.items[0]
    assert first.fields["source"].startswith("'16 & Pregnant' Couple Arrested")
    assert first.fields["response"].startswith("collection of all usatoday.com coverage")
    assert first.human["informativeness"] == (4.0, 3.0, 1.0)


def test_the_emotion_sets_agree_on_dialogue_person_and_score(data_folder):
    small = read_items(data_folder / "lager_emotion_430.json").items
    full = {
        (i.group, i.fields["emotion"], i.fields["source"].strip()): i
        for i in read_items(data_folder / "eq_bench_v2_171.json").items
    }
    twins = [(i, full.get((i.group, i.fields["emotion"], i.fields["source"].strip()))) for i in small]
    assert sum(t is not None and t.human == i.human for i, t in twins) >= 0.95 * len(small)


def test_rows_of_the_feedback_collection_are_judged_by_their_own_parts(tmp_path):
    """Not by what stands under `instruction` and `output`: a whole grading prompt, and what a judge said."""
    row = {
        "instruction": "###Task Description: ... ###Response to evaluate:\nR\n\n###Feedback:",
        "output": "It is right. So the overall score is 5. [RESULT] 5",
        "input": "",
        "orig_instruction": "I",
        "orig_response": "R",
        "orig_reference_answer": "A",
        "orig_criteria": "Is it so?",
        "orig_score1_description": "no",
        "orig_score5_description": "yes",
        "orig_score": "4",
    }
    data = read_items(write(tmp_path / "f.jsonl", row, {**row, "orig_response": ""}))
    first, second = data.items
    assert (data.layout, data.scale, dict(first.human)) == ("feedback-collection", "1-5", {"": (4.0,)})
    rubric = "Is it so?\nScore 1: no\nScore 5: yes"
    assert first.fields == {"instruction": "I", "response": "R", "reference": "A", "rubric": rubric}
    assert "response" not in second.fields and ", 1 without response" in data.message
