"""Several responses in one row, with what stands in the objects of each."""

from __future__ import annotations

import pytest

from lager_lite.data import read_items
from tests.data.in_files import write


@pytest.mark.parametrize(
    ("entries", "mapping", "human", "left"),
    [
        ([{"text": "R", "rating": 5, "grade": "A"}, {"text": "S", "human_score": 1}], None, ("", 5, 1), ["grade"]),
        (
            [{"response": "R", "rating": 5, "Natural": [3]}, {"response": "S", "rating": 1}],
            None,
            ("", 5, 1),
            ["Natural"],
        ),
        (
            [{"response": "R", "Natural": [3], "Overall": [2]}, {"response": "S", "Natural": [1]}],
            {"score:natural": "Natural"},
            ("natural", 3, 1),
            ["Overall"],
        ),
        ([{"text": "R", "Natural": 3}, {"text": "S", "Natural": 1}], {"score": "Natural"}, ("", 3, 1), []),
    ],
)
def test_scores_in_the_objects_of_responses_are_read(tmp_path, entries, mapping, human, left):
    data = read_items(write(tmp_path / "in.jsonl", {"prompt": "Q", "responses": entries}), mapping)
    name, *scores = human
    assert [(item.fields["response"], item.human) for item in data.items] == [
        (text, {name: (score,)}) for text, score in zip("RS", scores)
    ]
    assert list(data.understood.ignored) == [f"responses.{key}" for key in left]


def test_scores_in_a_list_of_their_own_are_not_ignored(tmp_path):
    rows = {"prompt": "Q", "responses": ["R", "S"], "scores": [5, 1]}, {"prompt": "P", "response": "R", "scores": "[4]"}
    for row in rows:
        data = read_items(write(tmp_path / "in.jsonl", row))
        assert data.understood.taken["score"].keys() == {"scores"} and not data.understood.ignored


def test_scores_in_objects_are_written_as_elsewhere(tmp_path):
    entries = [{"text": "R", "rating": "good"}, {"text": "S", "rating": "4/5"}]
    path = write(tmp_path / "in.jsonl", {"prompt": "Q", "responses": entries})
    assert [item.human for item in read_items(path, labels={"good": 5.0}).items] == [{"": (5,)}, {"": (4,)}]
    assert [item.human for item in read_items(path, need_scores=False).items] == [{}, {}]
