"""Human scores as people write them: labels, shares, decimal commas, several annotators."""

from __future__ import annotations

import json

import pytest

from lager_lite.data import open_items, read_items
from lager_lite.errors import DataError

GRADES = {"E": 1.0, "D": 2.0, "C": 3.0, "B": 4.0, "A": 5.0}
PASSED = {"FAIL": 1.0, "PASS": 2.0}


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def marks(path, mapping=None, **options):
    return [dict(i.human) for i in read_items(path, mapping, **options).items]


@pytest.mark.parametrize(
    ("labels", "score", "read"),
    [
        (GRADES, "A", 5),
        (GRADES, " b ", 4),
        (GRADES, "4.5", 4.5),
        (GRADES, ["A", "E", None, 3], (5, 1, 3)),
        (GRADES, '["A", "C"]', (5, 3)),
        (PASSED, "pass", 2),
        (PASSED, "FAIL", 1),
        (PASSED, True, 2),
        (PASSED, "false", 1),
        ({"no": 0.0, "maybe": 1.0, "true": 2.0}, True, 2),
        ({"yes": 1.0, "no": 2.0}, True, 1),
        ({"Yes": 1.0, "No": 2.0}, "false", 2),
        ({}, "4/5", 4),
        (dict(zip("12345", range(1, 6))), "3.5 / 5", 3.5),
    ],
)
@pytest.mark.parametrize("row", [{"prompt": "Q", "response": "R"}, {"instruction": "Q", "input": "", "output": "R"}])
def test_scores_may_be_labels(tmp_path, labels, score, read, row):
    expected = tuple(map(float, read)) if isinstance(read, tuple) else (float(read),)
    path = write(tmp_path / "in.jsonl", {**row, "score": score}, {**row, "scores": {"x": score}, "rating": None})
    found = marks(path, labels=labels)
    assert found[0] == {"": expected} and (found[1] == {"x": expected} or "input" in row)
    assert [dict(i.human) for i in open_items(path, labels=labels).items] == found


@pytest.mark.parametrize(
    ("labels", "score"),
    [
        ({}, "A"),
        (GRADES, "F"),
        (GRADES, True),
        (PASSED, "maybe"),
        ({}, "3,5"),
    ],
)
def test_what_the_scale_does_not_have_is_an_error(tmp_path, labels, score):
    path = write(tmp_path / "in.jsonl", {"response": "R", "score": score})
    with pytest.raises(DataError, match="expected a number"):
        read_items(path, labels=labels)


@pytest.mark.parametrize("word", ["NaN", "nan", "#N/A", "N/A", "NA", "<NA>", "NULL", "null", "None"])
def test_words_of_tables_for_a_missing_value_are_no_scores(tmp_path, word):
    path = tmp_path / "in.csv"
    path.write_text(f"response,score\nR,{word}\nS,3\n")
    assert marks(path, labels=GRADES) == [{}, {"": (3.0,)}]
    never = word in ("NaN", "nan", "#N/A")  # the last is an error of a spreadsheet, and so an empty cell
    assert marks(path, labels={**PASSED, word: 3.0})[0] == ({} if never else {"": (3.0,)})


@pytest.mark.parametrize(
    ("top", "score", "whole", "scale"),
    [
        (5, "7/10", 10, "1=1,2=3.25,3=5.5,4=7.75,5=10"),
        (10, "4/5", 5, "1-5"),
        (5, "70/100", 100, "1=0,2=25,3=50,4=75,5=100"),
    ],
)
def test_a_share_of_another_whole_than_the_scale_is_named(tmp_path, top, score, whole, scale):
    path = write(tmp_path / "in.jsonl", {"response": "R", "score": score})
    with pytest.raises(DataError, match=f"'{score}' is out of {whole}, and the scale goes up to {top}$") as caught:
        read_items(path, labels={str(n): float(n) for n in range(1, top + 1)})
    assert caught.value.hint == f"give the scale of the scores, for instance --scale {scale}"


def test_shares_of_different_wholes_are_refused_with_both_lines(tmp_path):
    path = write(tmp_path / "in.jsonl", *({"response": "R", "score": one} for one in ("4/5", "3 / 5", "8/10")))
    with pytest.raises(DataError) as caught:
        read_items(path)
    assert caught.value.message == f"{path}:3: the score '8/10' is out of 10, but '4/5' at {path}:1 out of 5"


@pytest.mark.parametrize(
    ("labels", "scores", "read"),
    [
        (PASSED, (1, 0, "1", True), (2, 1, 2, 2)),
        (PASSED, ("0.0", "1.0", [1, 0], "PASS"), (1, 2, (2, 1), 2)),
        (PASSED, (1, 2, 1), (1, 2, 1)),
        ({"no": 0.0, "yes": 1.0}, (1, 0, "yes"), (1, 0, 1)),
        (GRADES, (1, 0), (1, 0)),
    ],
)
def test_one_and_zero_are_the_better_and_the_worse_of_two_labels(tmp_path, labels, scores, read):
    path = write(tmp_path / "in.jsonl", *({"response": "R", "score": s, "id": n} for n, s in enumerate(scores)))
    expected = [one if isinstance(one, tuple) else (one,) for one in read]
    assert [found[""] for found in marks(path, labels=labels)] == expected


def test_decimal_commas_are_read_beside_semicolons_only(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("response;score;note\n1,5;3,5;2,5\n")
    item = read_items(path).items[0]
    assert dict(item.human) == {"": (3.5,)} and item.fields == {"response": "1,5", "note": "2,5"}
    path.write_text('response,score\nR,"3,5"\n')
    with pytest.raises(DataError, match="holds '3,5'"):
        read_items(path)


def test_two_keys_of_a_score_are_two_annotators(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id,response,r1,r2,r3\na,R,5,4,\nb,S,1,2,1\nc,T,,,3\nd,U,,,\n")
    found = marks(path, {"score": ("r1", "r2")})
    assert found == [{"": (5.0, 4.0)}, {"": (1.0, 2.0)}, {}, {}]
    assert marks(path, {"score:x": ("r1", "r2", "r3")})[:3] == [
        {"x": (5.0, 4.0)},
        {"x": (1.0, 2.0, 1.0)},
        {"x": (3.0,)},
    ]
    assert all(set(i.fields) == {"response", "r3"} for i in read_items(path, {"score": ("r1", "r2")}).items[1:3])
    with pytest.raises(DataError, match="no row has the key of score=r9"):
        read_items(path, {"score": ("r1", "r9")})
    with pytest.raises(DataError, match="source is mapped to r1 and to r2"):
        read_items(path, {"source": ("r1", "r2")})


@pytest.mark.parametrize("field", ["source", "response", "id"])
def test_two_keys_of_another_field_are_a_usage_error(run, tmp_path, field):
    write(tmp_path / "in.jsonl", {"response": "R", "a": 1, "b": 2})
    done = run("data", "convert", "in.jsonl", "--map", f"{field}=a", "--map", f"{field}=b")
    assert done.exit_code == 2 and f"--map gives {field} two keys: a and b" in done.stderr
    done = run("data", "convert", "in.jsonl", "--map", "score=a", "--map", "score=b")
    assert done.exit_code == 0 and json.loads(done.stdout)["score"] == [1, 2]
