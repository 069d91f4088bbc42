"""What is said about a file: which key each field was taken from, what was left, and what looks like a mistake."""

from __future__ import annotations

import json

import pytest

from lager_lite.data import open_items, read_items
from tests.data.in_files import error, write

TALK = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "R"}]
HELPSTEER = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")


def said(path, **options):
    data = read_items(path, **options)
    assert open_items(path, **options).understood == data.understood
    return data.understood


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            {"Question": "Q", "output": "O", "summary": "S", "human_score": 4, "lang": "en", "meta": {"a": 1}},
            "instruction <- Question, response <- output (not summary), score <- human_score; "
            "shown only by rubrics with a section for them: lang; ignored: meta",
        ),
        ({"answer": "gold", "prediction": "P"}, "reference <- answer, response <- prediction"),
        (
            {"context": ["a", "b"], "contexts": "c", "answer": "A"},
            "source <- context (not contexts), response <- answer",
        ),
        ({"messages": TALK}, "instruction <- messages[before it], response <- messages[last answer]"),
        (
            {"messages": TALK, "output": "O", "system": "Be brief.", "rating": "3"},
            "instruction <- system + messages, response <- output, score <- rating",
        ),
        ({"instruction": "I", "input": "x", "output": "O"}, "instruction <- instruction + input, response <- output"),
        (
            {"prompt": "P", "chosen": "C", "rejected": "R"},
            "instruction <- prompt, response <- chosen (1) or rejected (1)",
        ),
        (
            {"prompt": "P", "response": "R", **dict.fromkeys(HELPSTEER, 1)},
            f"instruction <- prompt, response <- response, scores <- {', '.join(HELPSTEER)}",
        ),
        ({"idx": 7, "responses": ["a", "b"]}, "response <- responses, id <- idx + responses"),
        ({"user_prompt": "Rate this.", "score": 3}, "whole prompt <- user_prompt, score <- score"),
    ],
)
def test_every_field_names_the_key_it_was_taken_from(tmp_path, row, line):
    assert said(write(tmp_path / "in.jsonl", row)).mapping_line() == line


def test_rows_that_lack_a_field_and_keys_that_differ_are_counted(tmp_path):
    rows = [
        {"question": "Q", "output": "A", "answer": "x"},
        {"question": "Q", "response": "B"},
        {"prompt": "P", "output": " "},
    ]
    found = said(write(tmp_path / "in.jsonl", *rows))
    assert found.message.endswith(": 3 items, 2 groups by instruction, 1 with a blank response")
    assert found.mapping_line() == (
        "instruction <- question (2) or prompt (1), reference <- answer (1 of 3), response <- output (2) or response (1)"
    )


def test_a_table_with_mapped_annotators_names_them_all(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("Frage;Antwort;a;b;note\nQ;A;1;2;n\nQ;B;2;;n\n", encoding="utf-8")
    mapping = {"instruction": "Frage", "response": "Antwort", "score": ("a", "b")}
    found = said(path, mapping=mapping)
    assert found.message == f"{path}: 2 items, 1 group by instruction, 3 scores"
    assert found.mapping_line({"note"}) == (
        "instruction <- Frage, response <- Antwort, score <- a + b (1) or a (1), note <- note; "
        "not shown by the rubric: instruction, response"
    )


def test_a_source_of_tags_is_warned_about_and_left_out_on_request(tmp_path):
    rows = [{"source": f"set_{n % 2}", "instruction": f"Q{n}", "response": "R"} for n in range(4)]
    path = write(tmp_path / "in.jsonl", *rows)
    (warning,) = said(path).warnings
    assert "source <- source holds 2 different short texts in 4 items ('set_0', 'set_1')" in warning
    assert "leave it out with --ignore source" in warning and said(path).groups == 2
    left = said(path, ignore=("Source",))
    assert (left.warnings, left.groups, left.left_out) == ((), 4, ("source",))
    assert left.mapping_line().endswith("; left out as asked: source")


@pytest.mark.parametrize(
    "source", ["https://x.y/z", "https://en.wikipedia.org/wiki/A_very_long_name_of_a_page", "a/b.pdf"]
)
def test_a_source_of_addresses_is_warned_about(tmp_path, source):
    (warning,) = said(write(tmp_path / "in.jsonl", {"source": source, "response": "R"})).warnings
    assert (
        f"an id in every item, such as {source[:60]!r}: " in warning and "leave it out with --ignore source" in warning
    )


def test_real_sources_are_no_tags(tmp_path):
    rows = [{"source": "The mill on the river was built in 1802, and burnt twice.", "response": "R"}] * 4
    assert said(write(tmp_path / "in.jsonl", *rows)).warnings == ()


def test_an_ignored_key_changes_what_a_row_is(tmp_path):
    """The name is a key where there is one, else a field with all its usual keys."""
    row = {"source": "tag", "context": "C", "messages": TALK, "output": "O", "human_score": 3}
    path = write(tmp_path / "in.jsonl", row)
    (item,) = read_items(path, ignore=("source", "messages", "score")).items
    assert (dict(item.fields), dict(item.human)) == ({"source": "C", "response": "O"}, {})
    assert error(path, ignore=("sauce",)).hint == "the keys are: context, human_score, messages, output, source"
    assert (
        error(path, {"response": "output"}, ignore=("output",)).message == "the key output is both mapped and ignored"
    )


def test_the_record_is_json(tmp_path):
    found = said(write(tmp_path / "in.jsonl", {"output": "O", "lang": "en"}))
    assert json.loads(json.dumps(found.to_dict()))["taken"] == {"response": {"output": 1}, "lang": {"lang": 1}}


def test_counts_do_not_depend_on_how_many_forms_are_held(tmp_path, monkeypatch):
    rows = [
        {f"k{n % 4}": 1, ("output", "prediction")[n % 2]: "R", "summary": "S"}
        if n % 3
        else {f"k{n % 4}": 1, ("output", "prediction")[n % 2]: "R"}
        for n in range(24)
    ]
    path = write(tmp_path / "in.jsonl", *rows)
    found = said(path)
    assert found.taken["response"] == {"output": 12, "prediction": 12} and found.kept["k0"] == 6
    assert found.beside == {"response": {"summary": 16}}
    monkeypatch.setattr("lager_lite.data.checks.observer._MOST_FORMS", 2)
    assert said(path) == found


def test_a_turn_behind_the_judged_answer_is_said(tmp_path):
    row = {"messages": [*TALK, {"role": "user", "content": "And then?"}]}
    assert said(write(tmp_path / "in.jsonl", {"messages": TALK}, row, row)).warnings == (
        "2 conversations end with a turn behind the last answer, first in item 2: the last answer is judged, and what "
        "stands behind it is left out",
    )
    row["output"] = "O"
    assert said(write(tmp_path / "in.jsonl", {"messages": TALK}, row)).warnings == ()


def test_a_pair_beside_a_response_says_which_is_judged(tmp_path):
    row = {"prompt": "P", "chosen": "C", "rejected": "R", "response": "O"}
    assert said(write(tmp_path / "in.jsonl", row)).warnings == (
        "1 row has chosen and rejected beside response: chosen and rejected are judged, each as an item, and not "
        "response",
    )
    del row["prompt"]
    assert said(write(tmp_path / "in.jsonl", row)).warnings == (
        "1 row has chosen and rejected beside response: response is judged, and not chosen or rejected",
    )


def test_fields_that_fall_through_from_key_to_key_are_counted(tmp_path):
    rows = [
        {
            "context": "One is the number of the mills that burnt on the river.",
            "article": "Two is the number of the mills that burnt on the river.",
            "answer": "A",
        },
        {"article": "Three is the number of the mills that burnt on the river.", "answer": "B"},
    ]
    rows += [
        {"id": "c", "context": "Four is the number of the mills that burnt on the river.", "answer": "C"},
        {"uid": "d", "context": "Five is the number of the mills that burnt on the river.", "answer": "D"},
    ]
    found = said(write(tmp_path / "in.jsonl", *rows))
    assert found.warnings == (
        "source is taken from different keys: article (2), context (2)",
        "id is taken from different keys: id (1), uid (1)",
    )


def test_a_field_that_the_run_reads_in_another_way_is_not_said_to_be_ignored(tmp_path):
    found = said(write(tmp_path / "in.jsonl", {"instruction": "Q", "response": "R", "pos": 3, "note": "n"}))
    line = "instruction <- instruction, response <- response"
    shown = {"instruction", "response"}
    assert found.mapping_line(shown) == f"{line}; ignored: pos, note"
    assert found.mapping_line(shown, {"pos"}) == f"{line}, pos <- pos; ignored: note"


def test_a_key_that_makes_the_groups_is_not_said_to_be_ignored(tmp_path):
    found = said(write(tmp_path / "in.jsonl", {"instruction": "Q", "response": "R", "group": "g", "note": "n"}))
    assert found.message.endswith("1 item, 1 group by group") and found.left(("group", "note")) == ["note"]
    assert found.mapping_line({"instruction", "response"}).endswith("response <- response; ignored: note")
