"""One row per annotator is one item with several scores, and ids are what the rows say."""

from __future__ import annotations

import json
import random

import pytest

from lager_lite.data import convert, open_items, read_items
from lager_lite.data.reader import ItemReader
from lager_lite.errors import DataError


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(identity=None, who=None, score=None, response="Oak.", **more):
    named = {"id": identity, "annotator": who, "score": score}
    given = {key: value for key, value in named.items() if value is not None}
    return {**given, "instruction": "Name a tree.", "response": response, **more}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.jsonl"


def test_rows_of_one_id_or_of_annotators_without_ids_are_merged(path):
    write(path, row(7, "ann", 5, note="short"), row(8, "ann", 2, "Elm."), row(7, "bob", 3), row(None, "ann", 1, "Ash."))
    path.write_text(path.read_text() + json.dumps(row(None, "bob", 4, "Ash.")) + "\n")
    found = read_items(path)
    assert [(item.id, item.human[""]) for item in found.items] == [("7", (5, 3)), ("8", (2,)), ("4", (1, 4))]
    assert "note" not in found.items[0].fields and found.items[1].fields["annotator"] == "ann"
    assert ": 3 items, " in found.message and "from 5 rows, those of several annotators merged" in found.message
    assert [item.human for item in open_items(path).items] == [item.human for item in found.items]


def test_rows_of_criteria_layouts_and_without_an_annotator_are_merged_too(path):
    whole = {"prompt": "Q", "response": "R", "correctness": 1, "coherence": 2, "complexity": 3, "verbosity": 4}
    write(path, {"id": 1, **whole, "helpfulness": 4}, {"id": 1, **whole, "helpfulness": 2})
    (item,) = read_items(path).items
    assert item.human["helpfulness"] == (4, 2) and item.human["verbosity"] == (4, 4)
    write(path, row("a", score=1), row("a", score=1))
    assert read_items(path).items[0].human[""] == (1, 1)


@pytest.mark.parametrize(
    "second",
    [
        row(7, "bob", 3, "Elm."),
        row("7", "bob", 3, "Elm."),
        row(7, "bob", 3, criterion="fluency"),
        row(7, score=3, note="n"),
    ],
)
def test_rows_of_one_id_that_do_not_belong_together_are_refused_with_both_lines(path, second):
    write(path, row(7, "ann", 5), row(6), second)
    with pytest.raises(DataError) as caught:
        read_items(path)
    assert caught.value.message == f"{path}:3: the id {str(second['id'])!r} was used before, at {path}:1"


def test_an_annotator_scores_an_item_once(path):
    write(path, row(7, "ann", 5), row(7, "bob", 5), row(7, "bob", 4))
    with pytest.raises(DataError, match=":3: the annotator 'bob' scored this item before, at .*:2$"):
        read_items(path)


def test_ids_keep_their_type_and_numbered_rows_keep_off_them(path, tmp_path):
    write(path, *({"id": identity, "response": "a"} for identity in (5, "3", None, 2.5, None, None)))
    assert [item.id for item in read_items(path).items] == ["5", "3", "row 3", "2.5", "row 5", "6"]
    convert(read_items(path), tmp_path / "out.jsonl")
    again = [json.loads(line)["id"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [repr(one) for one in again] == ["5", "'3'", "'row 3'", "2.5", "'row 5'", "'6'"]
    write(path, {"response": "a"}, {"response": "b"})
    assert [item.id for item in read_items(path).items] == ["1", "2"]
    write(path, {"id": 5, "response": "a"}, {"id": "5", "response": "b"})
    with pytest.raises(DataError, match=":2: the id '5' was used before, at .*:1"):
        read_items(path)


def test_a_rubric_may_be_an_object_or_a_list(path):
    made = {"score1_description": "long", "criteria": "Is it short?", "score5_description": "short"}
    write(path, row(1, Rubric=made), row(2, rubric=["Names a tree.", {"criterion": "Is short.", "points": 2}]))
    first, second = (item.fields["rubric"] for item in read_items(path).items)
    assert first == "Is it short?\nScore 1: long\nScore 5: short"
    assert second == "- Names a tree.\n- criterion: Is short.\n  points: 2"


@pytest.mark.parametrize("key", ["model", "System", "question_id", "ConversationId", "turn", "item"])
def test_rows_of_annotators_that_score_different_things_are_not_merged(path, key):
    write(path, *(row(None, who, score, **{key: what}) for who, score, what in (("a", 5, 1), ("b", 2, 2), ("c", 4, 1))))
    assert [item.human[""] for item in read_items(path).items] == [(5, 4), (2,)]
    write(path, row(1, "a", 5, **{key: 1}), row(1, "b", 2, **{key: 2}))
    with pytest.raises(DataError, match=":2: the id '1' was used before"):
        read_items(path)


def test_what_tells_the_annotations_apart_does_not_keep_rows_apart(path):
    own = ({"AssignmentId": n, "session_id": n, "note": f"n{n}", "seconds": n} for n in (1, 2))
    write(path, *(row(None, who, 3, **more) for who, more in zip("ab", own)))
    (item,) = read_items(path).items
    assert item.human[""] == (3, 3)


@pytest.mark.parametrize("key", ["criterion", "Dimension", "aspect_name", "criteria"])
@pytest.mark.parametrize("named", [{}, {"id": 7}, {"annotator": "a"}])
def test_a_row_for_each_criterion_is_one_item_with_named_scores(path, named, key):
    aspects = [("Fluency", 5), ("Truth", 1)]
    rows = [{**row(score=score), key: aspect, **named} for aspect, score in aspects]
    more = [{**one, "annotator": "b", "score": one["score"] - 1} for one in rows] if "annotator" in named else []
    write(path, *rows, *more, {**row(score=2, response="Elm."), key: "Truth", **named, "id": 8})
    data = read_items(path)
    first, second = data.items
    assert first.human == ({"fluency": (5, 4), "truth": (1, 0)} if more else {"fluency": (5,), "truth": (1,)})
    assert second.human == {"truth": (2,)} and not {key, "rubric"} & {*first.fields}
    assert f"scores <- score + {key}" in data.understood.mapping_line()


def test_a_criterion_that_no_item_repeats_is_a_tag(path):
    write(path, {**row(1, score=5), "dimension": "safety"}, {**row(2, score=4, response="Elm."), "dimension": "style"})
    assert [item.human for item in read_items(path).items] == [{"": (5,)}, {"": (4,)}]


def test_one_criterion_scored_twice_by_nobody_is_refused(path):
    write(path, *({**row(score=n), "aspect": what} for n, what in ((5, "a"), (3, "b"), (4, "a"))))
    with pytest.raises(DataError, match=":3: an annotator scored this item before, at .*:1$"):
        read_items(path)


def test_criteria_that_no_item_repeats_are_its_rubric(path):
    write(
        path,
        {**row(1, score=5), "criteria": "Is it short?"},
        {**row(2, score=4, response="Elm."), "criteria": "Is it?"},
    )
    items = read_items(path).items
    assert [(item.fields["rubric"], item.human[""]) for item in items] == [("Is it short?", (5,)), ("Is it?", (4,))]


def test_the_workers_of_mechanical_turk_are_merged_by_what_they_saw(path):
    seen = {"HITId": "h", "Input.question": "Q", "Input.response": "R"}
    write(path, *({**seen, "AssignmentId": f"a{n}", "WorkerId": f"w{n}", "Answer.rating": n} for n in (4, 2)))
    (item,) = read_items(path).items
    assert item.human == {"": (4, 2)} and item.fields["response"] == "R"


def test_ids_that_show_no_repetition_hide_none(path, monkeypatch):
    rng = random.Random(0)
    listed = {key: value for key, value in row("3", "bob", 5).items() if key != "response"}
    files = [[row("3/1", "ann", 5), {**listed, "responses": ["Oak."]}]]
    for _ in range(100):
        rows = []
        for _ in range(rng.randint(2, 4)):
            made = row(rng.choice([None, 1, "1", "3", "3/1"]), rng.choice([None, "ann", "bob"]), 5)
            made |= {rng.choice(["uid", "ID", "idx"]): rng.choice(["a", "b", None, 2])} if rng.random() < 0.3 else {}
            if rng.random() < 0.4:
                made = {**made, "responses": [made.pop("response")]}
            rows.append(made)
        files.append(rows)
    for rows in files:
        write(path, *rows)
        outcomes = []
        for whole in (False, True):
            with monkeypatch.context() as patch:
                if whole:
                    patch.setattr("lager_lite.data.repeats._all_apart", lambda reader: False)
                try:
                    data = read_items(path, ignore=["uid"] if any("uid" in made for made in rows) else [])
                    outcomes.append([(item.id, item.human, dict(item.fields)) for item in data.items])
                except DataError as error:
                    outcomes.append(str(error))
        assert outcomes[0] == outcomes[1], rows


def test_rows_with_ids_of_their_own_are_read_as_items_once(path, monkeypatch):
    write(path, *(row(n, "ann", 5, f"Oak {n}.") for n in range(50)))
    read = []
    real = ItemReader.items_of
    monkeypatch.setattr(ItemReader, "items_of", lambda self, one, n: read.append(n) or real(self, one, n))
    assert len(read_items(path).items) == 50
    assert len(read) <= 52, "the first row tells whether there are scores"
