"""Items from Python mean what the same rows mean in a file."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest

from lager_lite.data import read_items
from lager_lite.errors import DataError, KeyWarning, PromptError
from lager_lite.judging import Judge, judgment_row, score_frame
from lager_lite.judging.given import items_given, items_of_frame
from lager_lite.llama import BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.records import Item, Judgment

ROWS = [
    {"id": 7, "instruction": "Say it.", "output": "One.", "reference": None, "human_score": 4, "stars": 3},
    {"id": 8, "instruction": "Say it.", "output": "Two.", "reference": "A two.", "human_score": None, "stars": 1.5},
    {"id": 9, "instruction": " ", "output": " ", "reference": "Three.", "human_score": [2, 3], "tags": ["a"]},
]
SHORT = make_rubric("short", "Is it good?", template="{sections} {criterion}")
OTHER = make_rubric("other", "Is it bad?", template="{sections} {criterion}")
OPTIONS = BackendOptions.exact(threads=1)


def facts(items):
    return [(i.id, dict(i.fields), dict(i.human), i.group, i.rendered) for i in items]


@pytest.fixture
def from_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return read_items(path, layout="rows").items


def test_dicts_are_read_as_the_rows_of_a_file(from_file):
    assert facts(items_given(ROWS)) == facts(from_file)
    filled = [{key: math.nan if value is None else value for key, value in row.items()} for row in ROWS]
    assert facts(items_given(filled)) == facts(from_file)
    numbers = [{**row, "id": np.int64(row["id"])} for row in ROWS]
    assert facts(items_given(numbers)) == facts(from_file)


def test_items_stay_as_they_are_and_rows_without_id_are_numbered():
    item = Item("a", {"response": "x"})
    first, second = items_given([item, {"response": "y"}])
    assert first is item
    assert (second.id, second.where) == ("2", "item 2")


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (
            "in.jsonl",
            "the items are one str, expected several items",
            "put it in a list: [item]; read a file with read_items",
        ),
        (
            {"response": "x"},
            "the items are one dict, expected several items",
            "put it in a list: [item]; read a file with read_items",
        ),
        (["x"], "item 1 is a str, expected an Item, a dict or a row of pandas", ""),
        (
            [{"response": ["x", "y"]}],
            "item 1: key 'response' holds a list, expected text",
            "give each of its texts a dict or a row of its own",
        ),
    ],
    ids=["a path", "one dict", "texts", "a list as response"],
)
def test_what_is_no_item_is_refused(given, message, hint):
    with pytest.raises(DataError) as caught:
        list(items_given(given))
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_keys_that_are_ignored_are_said_with_what_was_understood():
    with pytest.warns(KeyWarning) as caught:
        list(items_given(ROWS))
    assert [str(one.message) for one in caught] == [
        "the items: instruction <- instruction (2 of 3), reference <- reference (2 of 3), response <- output, "
        "score <- human_score (2 of 3); shown only by rubrics with a section for them: stars; ignored: tags",
        "the items: 1 of 3 items without an instruction and a source, which the others have: these responses are judged "
        "alone",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(items_given([{"id": 7, "instruction": "Say it.", "output": "One."}, Item("a", {"response": "x"})]))


def test_a_judge_takes_dicts(tiny_model, from_file):
    with Judge(tiny_model, rubric=SHORT, options=OPTIONS) as judge:
        expected = [(j.id, j.score, j.error) for j in judge.score(from_file)]
        assert [(j.id, j.score, j.error) for j in judge.score(ROWS)] == expected


@pytest.mark.parametrize("given", [None, 3, Item("a", {"response": "x"})], ids=["none", "a number", "one item"])
def test_what_is_not_several_items_is_refused(given):
    with pytest.raises(DataError, match="^the items are one .*, expected several items$"):
        list(items_given(given))


def test_fields_of_an_item_are_texts_or_missing():
    given = [Item("a", {"response": "x", "source": None, "reference": math.nan}), Item(7, {"response": "y"})]
    found = list(items_given(given))
    assert [(i.id, dict(i.fields)) for i in found] == [("a", {"response": "x"}), ("7", {"response": "y"})]
    assert judgment_row(Judgment(found[1].id, "r", 1.0))["id"] == 7
    for value in (3, ["x"]):
        kind = type(value).__name__
        with pytest.raises(
            DataError, match=f"^item 'a': the field 'response' is a value of type {kind}, expected text$"
        ):
            list(items_given([Item("a", {"response": value})]))


def test_two_dicts_of_one_id_are_refused_and_a_misspelt_key_is_said():
    with pytest.raises(DataError, match="^item 2: the id '1' was used before, at item 1$"):
        list(items_given([{"id": 1, "response": "a"}, {"id": 1, "response": "b"}]))
    with pytest.warns(KeyWarning) as caught:
        list(items_given([{"id": n, "instrction": "Q", "response": "a"} for n in range(3)]))
    assert [str(one.message) for one in caught] == [
        "the items: no item has the field instruction, but there is the key instrction: is it meant as instruction?"
    ]


@pytest.mark.parametrize("rubric", [3, None, [3], {"default": 1}])
def test_a_rubric_of_another_kind_is_refused_in_words(rubric):
    with pytest.raises(PromptError, match="expected a name, a path, a Rubric, or a list of these$"):
        Judge("no-model-is-opened", rubric=rubric)


class TestFrames:
    """Frames of pandas."""

    @pytest.fixture(autouse=True)
    def pandas(self):
        self.pd = pytest.importorskip("pandas")

    def test_a_frame_and_its_rows_are_read_as_the_rows_of_a_file(self, from_file):
        frame = self.pd.DataFrame(ROWS)
        # In a frame a column of numbers with a gap is one of floats; "stars" is such a column, "id" is none.
        expected = facts(from_file)
        expected[0][1]["stars"] = "3.0"
        assert facts(items_of_frame(frame)) == expected
        assert facts(items_given(row for _, row in frame.iterrows())) == expected

    def test_scores_come_with_the_index_of_the_frame(self, tiny_model):
        frame = self.pd.DataFrame(ROWS[:2], index=["x", "y"])
        with Judge(tiny_model, rubric=[SHORT, OTHER], options=OPTIONS) as judge:
            expected = [(j.id, j.rubric, round(j.score, 6)) for j in judge.score(ROWS[:2])]
            found = score_frame(judge, frame)
        assert list(found.index) == ["x", "x", "y", "y"]
        assert list(zip(map(str, found["id"]), found["rubric"], found["score"])) == expected
        assert found["id"].iloc[0] == ROWS[0]["id"], "an id keeps its type"

    def test_a_row_without_a_response_and_a_frame_without_rows_are_answered(self, tiny_model):
        frame = self.pd.DataFrame([{"question": "Q", "answer": None}, {"question": "Q", "answer": "R"}])
        with Judge(tiny_model, rubric=SHORT, options=OPTIONS) as judge:
            found, empty = score_frame(judge, frame), score_frame(judge, frame[:0])
        assert found.error[0] == (
            "no response; the item has only instruction "
            "(give the text under the key that is missing, or choose another rubric)"
        )
        assert list(empty.columns) == list(found.columns) and len(empty.score) == 0

    def test_arrays_are_read_as_the_lists_that_they_were(self):
        """As `read_parquet` gives them."""
        talk = np.array([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "R"}], dtype=object)
        (item,) = items_of_frame(self.pd.DataFrame({"messages": [talk]}))
        assert item.fields == {"instruction": "Q", "response": "R"}
        passages, marks = np.array(["One.", "Two."], dtype=object), np.array([4, 5])
        row = {"prompt": "Q", "contexts": passages, "answer": "R", "human_scores": marks, "meta": {"n": np.int64(1)}}
        with pytest.warns(KeyWarning, match="ignored: meta"):
            (item,) = items_of_frame(self.pd.DataFrame([row]))
        assert (item.fields["source"], item.human) == ("[1]\nOne.\n\n[2]\nTwo.", {"": (4.0, 5.0)})

    def test_two_columns_of_one_name_are_refused(self):
        frame = self.pd.DataFrame([["Q", "R", "S"]], columns=["question", "answer", "answer"])
        for read in (lambda: items_of_frame(frame), lambda: list(items_given(row for _, row in frame.iterrows()))):
            with pytest.raises(DataError, match=": the name 'answer' occurs twice$"):
                read()

    def test_equal_ids_and_a_frame_in_the_place_of_items_are_refused(self):
        frame = self.pd.DataFrame([{"id": 1, "response": "a"}, {"id": 1, "response": "b"}])
        with pytest.raises(DataError, match="^row 1: the id '1' was used before, at row 0$"):
            items_of_frame(frame)
        with pytest.raises(DataError, match="^the items are one DataFrame") as caught:
            list(items_given(frame))
        assert caught.value.hint == "use score_frame(judge, frame)"


def test_a_key_that_gave_way_in_one_item_is_not_judged_in_another():
    rows = [{"input": "Q", "output": "gold", "prediction": "R"}, {"input": "P", "output": "O"}]
    with pytest.raises(
        DataError, match="only 'output' is there to be judged, which at item 1 stands beside 'prediction'"
    ):
        list(items_given(rows))
    with pytest.raises(DataError, match="'student answer' may be the response as well as 'answer'") as caught:
        list(items_given([{"question": "Q", "answer": "A tree.", "student answer": "An elm."}]))
    assert caught.value.hint.startswith("rename the key that is meant to `response`")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"question": "Q", "answer": "An", "gpt4": "6"},
            "response <- answer; shown only by rubrics with a section for them: gpt4",
        ),
        ({"question": "Q", "chatbot reply": "6"}, "response <- chatbot reply"),
        (
            {"question": "Q", "response": "5", "reply": "6"},
            "response <- response; shown only by rubrics with a section for them: reply",
        ),
        ({"prompt": "Q", "response_a": "R", "response_b": "S"}, "response_a and response_b are two responses"),
        ({"prompt": "Q", "chosen": "R", "rejected": "S"}, "the items: chosen and rejected are two responses"),
        ({"source": "https://x.y/z", "response": "R"}, "such as 'https://x.y/z': the judge reads it as the source"),
        ({"context": "doc_17.pdf", "response": "R"}, "holds an address, a file name or an id in every item"),
        ({"meta": {"a": 1}}, "^the items: ignored: meta$"),
        ({"prompt": "Q", "responses": ["R", "S"]}, "responses may hold several responses: give each of them a dict"),
    ],
)
def test_what_a_command_would_say_of_a_file_is_a_warning(row, said):
    with pytest.warns(KeyWarning, match=said) as caught:
        list(items_given([row]))
    assert not any(" --" in str(one.message) for one in caught)


def test_what_is_refused_names_no_option_of_a_command():
    for row in ({"response": ["x", "y"]}, {"response": "x", "score": "four"}, {"prompt": ["a", {}], "response": "x"}):
        with pytest.raises(DataError) as caught:
            list(items_given([row]))
        assert "--" not in caught.value.hint
