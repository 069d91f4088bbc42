"""People's scores come before a score that does not say whose it is."""

from __future__ import annotations

import pytest

from lager_lite.data import open_items, read_items
from lager_lite.data.keys.people import by_people
from tests.data.in_files import error, write

ROW = {"prompt": "Name a tree.", "response": "Oak.", "score": 0.9}


@pytest.mark.parametrize(
    ("more", "human", "said"),
    [
        ({"human_rating": 4}, (4,), "score <- human_rating (not score)"),
        ({"annotator_1": 5, "annotator_2": "3", "score": 4}, (5, 3), "score <- annotator_1 + annotator_2 (not score)"),
        ({"rating_1": 2, "rating_2": 4}, (2, 4), "score <- rating_1 + rating_2 (not score)"),
        ({"Rater A score": 1, "Rater B score": 2}, (1, 2), "score <- Rater A score + Rater B score (not score)"),
        ({"expert_score": [3, 4]}, (3, 4), "score <- expert_score (not score)"),
        (
            {"rater1_score": 3, "human_mean_score": 3.5, "rater2_score": 4},
            (3, 4),
            "score <- rater1_score + rater2_score",
        ),
        ({"Human": 4}, (4,), "score <- Human (not score)"),
        ({"gold_score": 2}, (2,), "score <- gold_score (not score)"),
        (
            {"annotations": [{"annotator": "a", "score": 4}, {"annotator": "b", "score": 2}]},
            (4, 2),
            "score <- annotations (not score)",
        ),
        ({"annotations": [{"text": "a", "score": 4}]}, (0.9,), "score <- score"),
        ({"annotator_id": 7, "rater": "ann", "score_2": 3}, (0.9,), "score <- score"),
        ({"human_score": 2, "annotator_1": 5}, (2,), "score <- human_score (not score)"),
    ],
)
def test_columns_of_people_are_the_human_scores(tmp_path, more, human, said):
    data = read_items(write(tmp_path / "in.jsonl", {**ROW, **more}))
    assert data.items[0].human == {"": human} and said in data.understood.mapping_line()
    messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "R"}]
    assert (
        read_items(write(tmp_path / "m.jsonl", {"messages": messages, "score": 0.9, **more})).items[0].human[""]
        == human
    )


def test_an_empty_cell_of_people_is_no_score(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("prompt,response,human_score,score\nQ,R,4,0.9\nQ,S,,0.8\n")
    assert [item.human for item in read_items(path).items] == [{"": (4.0,)}, {}]


@pytest.mark.parametrize("more", [{"human_fluency": 4}, {"human_label": "good"}, {"crowd relevance": 2}])
def test_a_score_is_not_taken_beside_people_s_that_cannot_be(tmp_path, more):
    path = write(tmp_path / "in.jsonl", {**ROW, **more})
    found = error(path)
    assert f"'score' does not say whose score it is, and {next(iter(more))!r} holds a person's" in found.message
    assert "--ignore score" in found.hint
    assert read_items(path, ignore=("score",)).items[0].human == {}
    assert next(iter(open_items(path, need_scores=False).items)).human == {}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"annotator_1": 17, "annotator_2": 23},
            "annotator_1 and annotator_2 may hold the scores of annotators, or their ids",
        ),
        ({f"rating_{n}": n + 1 for n in (1, 2, 3)}, "how many people gave each of the ratings 1 to 3, or"),
        (
            {**{f"rating_{n}": 5 - n for n in range(1, 6)}, "score": None},
            "how many people gave each of the ratings 1 to 5",
        ),
        ({**{f"rating_{n}": 2 for n in (1, 2, 3)}, "score": None, "votes": 6}, "how many people gave each"),
    ],
)
def test_ids_and_counts_are_not_taken_for_scores(tmp_path, more, said):
    path = write(tmp_path / "in.jsonl", {**ROW, **more})
    found = error(path)
    keys = list(more)[:2]
    way = "--ignore {} --ignore {}" if "annotator_1" in more else "--map score={} --map score={}"
    assert said in found.message and way.format(*keys) in found.hint
    assert read_items(path, {"score": keys}).items[0].human == {"": tuple(more[key] for key in keys)}


@pytest.mark.parametrize(
    "more",
    [
        {"annotator_1": 17, "annotator_2": 23},
        {f"rating_{n}": n for n in range(1, 6)},
        {"rating_1": 3, "rating_2": 4, "rating_3": 5, "average": 4},
    ],
)
def test_columns_that_can_only_be_annotators_are_read(tmp_path, more):
    path = write(tmp_path / "in.jsonl", {"prompt": "Q", "response": "R", **more})
    assert read_items(path).items[0].human == {"": tuple(mark for key, mark in more.items() if key != "average")}


def test_labels_of_the_scale_are_read_in_the_columns_of_people(tmp_path):
    path = write(tmp_path / "in.jsonl", {**ROW, "score": 0.5, "rater_1": "PASS", "rater_2": "FAIL"})
    assert read_items(path, labels={"PASS": 1.0, "FAIL": 0.0}).items[0].human == {"": (1, 0)}


def test_who_scored_is_no_score():
    assert [
        k for k in ("annotator", "annotator_id", "human_answer", "rating", "worker_name", "label_1") if by_people(k)
    ] == []


def test_one_file_has_human_scores_of_one_kind(tmp_path):
    path = write(tmp_path / "in.jsonl", {**ROW, "human_score": 4}, {**ROW, "response": "Ash."})
    found = error(path)
    assert found.message == (
        f"{path}:2: only 'score' is there to be read as the human score, which at {path}:1 stands beside 'human_score'"
    )
    assert [item.human for item in read_items(path, {"score": "human_score"}).items] == [{"": (4,)}, {}]
    assert open_items(path, need_scores=False).count == 2


def test_the_columns_of_argilla_hold_peoples_answers(tmp_path):
    row = {"prompt": "Q", "response": "R", "quality.responses": [4, 2], "quality.suggestion": 3, "why.responses": ["a"]}
    path = write(tmp_path / "in.jsonl", {**row, "why.responses": []})
    data = read_items(path)
    assert data.items[0].human == {"quality": (4, 2)}
    assert "score:quality <- quality.responses; shown only" in data.understood.mapping_line()


def test_an_error_names_the_key_that_the_file_has(tmp_path):
    path = write(tmp_path / "in.jsonl", {"prompt": "Q", "response": "R", "Rating": "4 stars"})
    assert error(path).message == f"{path}:1: key 'Rating' holds '4 stars', expected a number or a list of numbers"
