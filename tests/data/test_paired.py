"""Rows with two responses: public layouts of preferences, what people's preference says, and what cannot be read."""

from __future__ import annotations

import json

import pytest

from lager_lite.data import Pair, open_rows, pairs_given, pairs_of_rows
from lager_lite.errors import DataError


def talk(*texts):
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


@pytest.fixture
def read(tmp_path):
    def call(rows, mapping=None, **more):
        path = tmp_path / "p.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        found = pairs_of_rows(open_rows(path), mapping, **more)
        return found and found.pairs

    return call


ONE_TURN = {"conversation_a": talk("hi", "A!"), "conversation_b": talk("hi", "B!")}
LAYOUTS = {
    "ours": ({"id": 3, "prompt": "q", "response_a": "one", "response_b": "two", "preference": "B"}, 0.0),
    "arena": ({"model_a": "x", "model_b": "y", "winner": "model_a", **ONE_TURN}, 1.0),
    "arena tie": ({"model_a": "x", "model_b": "y", "winner": "tie (bothbad)", **ONE_TURN}, 0.5),
    "arena flags": (
        {"prompt": '["hi"]', "response_a": '["A!"]', "response_b": '["B!"]'}
        | {"winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0},
        0.0,
    ),
    "AlpacaEval": ({"instruction": "q", "output_1": "one", "output_2": "two", "preference": 1.25}, 0.75),
    "LLMBar": ({"input": "q", "output_1": "one", "output_2": "two", "label": 2}, 0.0),
    "JudgeBench": ({"question": "q", "response_A": "one", "response_B": "two", "label": "B>A"}, 0.0),
    "HelpSteer 2": ({"prompt": "q", "response_1": "one", "response_2": "two", "preference_strength": -2}, 1.0),
    "HelpSteer 3": ({"context": talk("q"), "response1": "one", "response2": "two", "overall_preference": 3}, 0.0),
    "SafeRLHF": ({"prompt": "q", "response_0": "one", "response_1": "two", "better_response_id": 1}, 0.0),
    "SHP": ({"history": "q", "human_ref_A": "one", "human_ref_B": "two", "labels": 1}, 1.0),
    "by name": (
        {"prompt": "q", "response_a": "1", "response_b": "2", "model_a": "x", "model_b": "y", "winner": "Y"},
        0.0,
    ),
    "votes": ({"prompt": "q", "response_a": "one", "response_b": "two", "preference": ["A", "b", "tie", 1]}, 0.625),
    "nobody": ({"prompt": "q", "response_a": "one", "response_b": "two", "preference": None}, None),
    "HelpSteer pairs": ({"prompt": "q", "chosen": "one", "rejected": "two"}, 1.0),
    "UltraFeedback": ({"prompt": "q", "chosen": talk("q", "one"), "rejected": talk("q", "two")}, 1.0),
    "HH-RLHF": (
        {"chosen": "\n\nHuman: q\n\nAssistant: one", "rejected": "\n\nHuman: q\n\nAssistant: two"},
        1.0,
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_public_layout_is_read_as_a_pair(layout, read):
    row, preference = LAYOUTS[layout]
    (pair,) = read([row])
    assert (pair.preference, pair.error) == (preference, None)
    assert pair.fields["instruction"] in ("q", "hi")
    assert all(text and "User" not in text and "Human" not in text for text in pair.responses)
    assert not {"response_a", "response_b", "chosen", "rejected", "output_1", "winner", "label"} & pair.fields.keys()


def test_a_later_turn_is_judged_with_the_answers_that_it_follows(read):
    row = {"conversation_a": talk("q", "a1", "q2", "a2"), "conversation_b": talk("q", "b1", "q2", "b2")}
    first, second = read([{**row, "turn": 1}, {**row, "turn": 2}])
    assert (first.fields["instruction"], first.responses) == ("q", ("a1", "b1"))
    assert second.fields["instruction"] == "q"
    assert second.responses[0] == "Assistant: a1\n\nUser: q2\n\nAssistant: a2"


def test_a_question_id_that_every_row_has_for_itself_is_the_id(read):
    row = {"response_a": "x", "response_b": "y"}
    assert [pair.id for pair in read([{**row, "question_id": "u"}, {**row, "question_id": "v"}])] == ["u", "v"]
    assert [pair.id for pair in read([{**row, "question_id": "u"}, {**row, "question_id": "u"}])] == ["1", "2"]


def test_systems_are_named_beside_the_responses(read):
    (one,) = read([{"output_1": "o", "output_2": "p", "generator_1": "g", "generator_2": "h"}])
    (two,) = read([{"prompt": "q", "chosen": "o", "rejected": "p", "chosen_model": "g", "rejected_model": "h"}])
    assert one.systems == two.systems == ("g", "h")


def test_keys_are_mapped(read):
    mapping = {
        "instruction": "Q",
        "response_a": "L",
        "response_b": "R",
        "preference": "Who",
        "system_a": "U",
        "system_b": "V",
    }
    (pair,) = read([{"Q": "q", "L": "one", "R": "two", "Who": "B", "U": "x", "V": "y", "winner": "A"}], mapping)
    assert (pair.responses, pair.preference, pair.systems) == (("one", "two"), 0.0, ("x", "y"))
    with pytest.raises(DataError, match="no row has the key of response_b=nothing"):
        read([{"L": "one"}], {"response_a": "L", "response_b": "nothing"})
    with pytest.raises(DataError, match="names one response of the two"):
        read([{"L": "one"}], {"response_a": "L"})


def test_a_missing_side_is_an_error_of_its_pair_alone(read):
    rows = [{"response_a": "one", "response_b": "two"}, {"response_a": "one"}, {"response_a": "", "response_b": None}]
    assert [pair.error for pair in read(rows)] == [
        None,
        "there is no response B: nothing stands under 'response_b'",
        "there is no response A and no response B: nothing stands under 'response_a' and 'response_b'",
    ]


def test_preferences_outside_the_labels_are_named_with_their_rows(read):
    row = {"response_a": "one", "response_b": "two"}
    with pytest.raises(DataError) as caught:
        read([{**row, "winner": "maybe"}, {**row, "winner": 7}, {**row, "winner": "A"}])
    assert "p.jsonl:1: key 'winner' holds 'maybe', expected a label such as A, B or tie" in caught.value.message
    assert "p.jsonl:2: key 'winner' holds 7" in caught.value.message
    assert [pair.preference for pair in read([{**row, "winner": "maybe"}], ignore=["winner"])] == [None]


SPELLINGS = [
    ("response_a", "response_b", {"True": 1.0, "false": 0.0, 2: 0.0, "2": 0.0, "A is better": 1.0, "B is better": 0.0}),
    ("response_a", "response_b", {"N/A": None, "unknown": None, "Response B wins": 0.0, "tie": 0.5}),
    ("output_1", "output_2", {"output_1": 1.0, "Output 2": 0.0, 0: 0.5, 1.5: 0.5, 1.4: 0.6, "Answer 2": 0.0}),
    ("response_0", "response_1", {"response_1": 0.0, "response_0": 1.0, "model 1": 0.0}),
]


@pytest.mark.parametrize(("one", "two", "spelled"), SPELLINGS)
def test_usual_spellings_of_a_preference_are_read(one, two, spelled, read):
    found = read([{one: "x", two: "y", "preference": value} for value in spelled])
    assert [pair.preference for pair in found] == list(spelled.values())


def test_the_keys_of_both_sides_are_labels_of_a_mapped_preference(read):
    rows = [{"chosen": "x", "rejected": "y", "human": value} for value in ("chosen", "rejected")]
    assert [pair.preference for pair in read(rows, {"preference": "human"})] == [1.0, 0.0]


@pytest.mark.parametrize(("winner", "names"), [("A", ("B", "A")), ("1", ("2", "1")), (2, ("2", "1"))])
def test_a_name_of_one_system_that_is_the_place_of_the_other_is_refused(winner, names, read):
    row = {"response_a": "x", "response_b": "y", "model_a": names[0], "model_b": names[1]}
    with pytest.raises(DataError, match="by its place and response . by the names of the systems") as error:
        read([{**row, "winner": winner}])
    assert error.value.hint == "write response_a or response_b, or other names of the systems"
    assert [pair.preference for pair in read([{**row, "winner": "response_a"}])] == [1.0]
    named = {**row, "model_a": names[1], "model_b": names[0], "winner": winner}
    assert read([named])[0].preference == (1.0 if str(winner) == names[1] else 0.0)


def test_thoughts_are_left_out_of_both_sides(read):
    row = {"response_a": "<think>hm</think>one", "response_b": "two"}
    assert read([row])[0].responses == ("one", "two")
    assert read([row], keep_thoughts=True)[0].responses[0] == "<think>hm</think>one"


def test_rows_of_single_responses_are_no_pairs(read):
    assert read([{"prompt": "q", "response": "one"}]) is None


def test_dicts_of_a_program_are_pairs():
    (pair,) = pairs_given([{"prompt": "q", "response_a": "one", "response_b": "two", "winner": "A"}])
    assert (pair.id, pair.responses, pair.preference) == ("1", ("one", "two"), 1.0)
    (lacking,) = pairs_given([Pair("x", {}, ("one", None))])
    assert lacking.error == "there is no response B"
    whole, half = pairs_given([{"response_a": "one", "response_b": "two"}, {"response_a": "one"}])
    assert (whole.error, half.error) == (None, "there is no response B: nothing stands under 'response_b'")
    with pytest.raises(DataError, match="pair 1 has no two responses; its keys are response"):
        pairs_given([{"response": "one"}])
    with pytest.raises(DataError, match="pair 1 is a str"):
        pairs_given(["one"])
    with pytest.raises(DataError, match="the pairs are one dict, expected several"):
        pairs_given({"response_a": "one", "response_b": "two"})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.jsonl",
            '{"prompt": "q", "chosen": "a"}\n',
            "'chosen' is one response of a pair, and no row has the other one, 'rejected'",
        ),
        (
            "a.csv",
            "prompt,response_b\nq,a\n",
            "'response_b' is one response of a pair, and no row has the other one, 'response_a'",
        ),
        ("a.csv", "prompt,chosen,rejected\nq,a,\nr,b,\n", "there is no response B: nothing stands under 'rejected'"),
        (
            "a.jsonl",
            '{"prompt": "q", "chosen": null, "rejected": "b"}\n',
            "there is no response A: nothing stands under 'chosen'",
        ),
    ],
)
def test_a_side_that_no_row_has_is_named_with_what_to_do(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as error:
        pairs_of_rows(open_rows(tmp_path / name))
    assert message in error.value.message and f"{name}:" in error.value.message
    assert "--map response_a=KEY --map response_b=KEY" in error.value.hint


def test_a_lone_row_of_several_systems_is_no_half_of_a_pair(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"prompt": "q", "response": "a", "text_1": "about it"}\n')
    assert pairs_of_rows(open_rows(tmp_path / "a.jsonl")) is None


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ("Total,4,4\n", "seems to sum up the rows above"),
        (",c,d\n,e,f\n", "empty in 2 of 4 rows, below rows that have it, as merged cells are saved"),
    ],
)
def test_a_table_of_pairs_is_checked_as_one_of_items(tmp_path, last, message):
    (tmp_path / "a.csv").write_text("prompt,Response A,Response B\nq,a,b\nr,c,d\n" + last)
    with pytest.raises(DataError, match=message):
        pairs_of_rows(open_rows(tmp_path / "a.csv"))
    if "merged" in message:
        assert len(pairs_of_rows(open_rows(tmp_path / "a.csv"), ignore=["prompt"]).pairs) == 4
