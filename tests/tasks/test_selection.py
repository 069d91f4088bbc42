"""Selection: the choice by hand, ties, resuming, and memory."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest

from lager_lite.errors import DataError
from lager_lite.judging.judge import Judge
from lager_lite.judging.score_file import Tally
from lager_lite.judging.store import Store
from lager_lite.llama.options import BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.records import Counts
from lager_lite.tasks.pool import Scores, open_pool, score_pool
from lager_lite.tasks.selection import chosen_rows, combined, select, write_selection
from tests.tasks.training_sets import ALPACA, write

NAN = float("nan")


def scored(*columns, raw=None, errors=None):
    values = np.array(columns, dtype=float).T
    return Scores(
        rubrics=tuple("abc"[: values.shape[1]]),
        scores=values,
        raw=values if raw is None else np.array([raw], dtype=float).T,
        length=np.arange(len(values)) * 10,
        errors=errors or {},
        summary=Tally().summary(Counts()),
    )


def test_scores_of_several_rubrics_become_one():
    scores = np.array([[1.0, 3.0], [2.0, 2.5], [NAN, 4.0]])
    assert combined(scores)[:2].tolist() == [2.0, 2.25]
    assert combined(scores, "min")[:2].tolist() == [1.0, 2.0]
    assert combined(scores, "weights", [3, 1])[:2].tolist() == [1.5, 2.125]
    assert all(np.isnan(combined(scores, how, [3, 1])[2]) for how in ("mean", "min", "weights"))


def test_equal_scores_go_by_the_raw_score_and_then_the_earlier_row_wins():
    score, raw = np.array([2.0, 3.0, 3.0, NAN, 3.0, 1.0]), np.array([9.0, 1.0, 1.0, NAN, 2.0, 9.0])
    assert np.flatnonzero(chosen_rows(score, raw, top=1)).tolist() == [4]
    assert np.flatnonzero(chosen_rows(score, raw, top=2)).tolist() == [1, 4]
    assert np.flatnonzero(chosen_rows(score, raw, top=99)).tolist() == [0, 1, 2, 4, 5]
    assert np.flatnonzero(chosen_rows(score, raw, min_score=2.0)).tolist() == [0, 1, 2, 4]


@pytest.fixture
def pool(tmp_path):
    rows = [{"id": f"i{n}", "instruction": "Q", "output": "dup" if n in (1, 4) else f"out {n}"} for n in range(6)]
    rows[4]["output"] = " DUP\n"
    return open_pool(write(tmp_path / "in.json", rows), dedupe=True)


def test_the_counts_add_up_and_the_examples_stand_at_the_cut(pool, tmp_path):
    assert pool.original.tolist() == [0, 1, 2, 3, 1, 5] and [i.id for i in pool.items] == ["0", "1", "2", "3", "5"]
    scores = scored([5, 3, NAN, 4, NAN, 3], errors={2: "a: too long"})
    found = select(pool, scores, top=3)
    assert (found.rows, found.chosen, found.below, found.duplicates, found.failed) == (6, 3, 1, 1, 1)
    assert found.kept.tolist() == [True, True, False, True, False, False]
    assert (found.cut, found.low, found.high, found.tied) == (3.0, 3.0, 5.0, 1)
    assert [(e.row, e.id, e.score, e.response) for e in found.worst_kept] == [
        (2, "i1", 3.0, "dup"),
        (4, "i3", 4.0, "out 3"),
        (1, "i0", 5.0, "out 0"),
    ]
    assert [e.row for e in found.best_dropped] == [6]
    assert found.means == {"a": (3.75, 4.0)} and found.lengths == (22.5, pytest.approx(40 / 3))
    assert write_selection(pool, scores, found, tmp_path / "out.json", tmp_path / "s.jsonl") == 3
    side = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [(r["row"], r["id"], r["score"], r["kept"], r["why"], r["a"]) for r in side] == [
        (1, "i0", 5.0, True, None, 5.0),
        (2, "i1", 3.0, True, None, 3.0),
        (3, "i2", None, False, "a: too long", None),
        (4, "i3", 4.0, True, None, 4.0),
        (5, "i4", None, False, "duplicate of row 2", None),
        (6, "i5", 3.0, False, "below", 3.0),
    ]
    with pytest.raises(DataError, match="named for the rows and for their scores"):
        write_selection(pool, scores, found, tmp_path / "o", tmp_path / "o")


def test_a_share_is_of_all_rows_and_at_least_one(pool):
    scores = scored([5, 3, 2, 4, NAN, 1])
    assert [select(pool, scores, top=t).chosen for t in (0.5, 0.01, 1.0, 1)] == [3, 1, 5, 1]
    nothing = select(pool, scores, min_score=6)
    assert (nothing.chosen, nothing.cut, nothing.means, nothing.worst_kept) == (0, None, {"a": (3.0, None)}, ())


def test_the_input_of_an_alpaca_row_is_judged_wherever_the_first_one_stands(tmp_path):
    """The first row has no `input`; that of a later one must not be lost."""
    path = write(
        tmp_path / "in.json",
        [{"instruction": "A", "output": "a"}, {"instruction": "B", "input": "more", "output": "b"}],
    )
    pool = open_pool(path)
    assert pool.layout == "alpaca"
    assert [i.fields["instruction"] for i in pool.items] == ["A", "B\n\nmore"]


def test_repeated_rows_are_found_as_copies_are_everywhere(tmp_path):
    texts = [
        "A tree is a tall plant, with a trunk.",
        "a TREE is a tall\u00adplant with a trunk",
        "x - 1",
        "x + 1",
        "X - 1",
    ]
    path = write(tmp_path / "in.json", [{"instruction": "Say it.", "output": text} for text in texts])
    assert open_pool(path, dedupe=True).original.tolist() == [0, 0, 2, 3, 2]


def test_scores_are_those_of_the_judge_and_a_second_run_evaluates_nothing(tmp_path, tiny_model):
    rubrics = [
        make_rubric(n, q, template="{sections}\n{criterion}")
        for n, q in (("good", "Is it good?"), ("short", "Is it short?"))
    ]
    pool = open_pool(write(tmp_path / "in.json", ALPACA))
    runs = []
    for _ in range(2):
        with Store(tmp_path / "s.sqlite") as store, Judge(tiny_model, rubric=rubrics, store=store) as judge:
            runs.append((score_pool(judge, pool), judge.counts))
            single = [j.score for j in judge.score([pool.item(3)])]
    (first, counts), (second, again) = runs
    np.testing.assert_array_equal(first.scores, second.scores)
    assert first.scores[3].tolist() == single and first.rubrics == ("good", "short")
    assert first.length.tolist() == [6] * 6
    assert (counts.stored, again.stored, again.evaluated_tokens) == (0, 12, 0)


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path, tiny_model):
    """Stopped after a third of the rows, in small batches; the second run ends with the scores of an undisturbed one."""
    rubric = make_rubric("good", "Is it good?", template="{sections}\n{criterion}")
    small = BackendOptions(batch_size=128, ubatch_size=128, threads=1)
    pool = open_pool(
        write(tmp_path / "in.json", [{"instruction": f"Do {n}.", "output": f"{n} done"} for n in range(30)])
    )

    def stop(counts):
        if counts.done >= 10:
            raise KeyboardInterrupt

    def judged(name, progress=None):
        with Store(tmp_path / name) as store, Judge(tiny_model, rubric=rubric, store=store, options=small) as judge:
            return score_pool(judge, pool, progress), judge.counts

    with pytest.raises(KeyboardInterrupt):
        judged("a.sqlite", stop)
    (again, counts), (whole, all_counts) = judged("a.sqlite"), judged("b.sqlite")
    assert 10 <= counts.stored < 30 and 0 < counts.evaluated_tokens < all_counts.evaluated_tokens
    np.testing.assert_allclose(again.scores, whole.scores, rtol=1e-4)  # other batches, flash attention


def test_rows_are_not_held_in_memory(tmp_path):
    """14 MB of rows; half of that would already be more than places, digests and one piece of the file."""
    path, rows = tmp_path / "in.json", 1900
    with open(path, "w") as file:
        file.write("[\n")
        for n in range(rows):
            row = {"instruction": f"Instruction {n}", "input": "", "output": f"{n} " * 1600}
            file.write(json.dumps(row) + (",\n" if n < rows - 1 else "\n]\n"))
    tracemalloc.start()
    try:
        pool = open_pool(path, dedupe=True)
        count = sum(1 for _ in pool.items)
        pool.file.copy(tmp_path / "out.json", range(0, rows, 2))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == rows and len(json.loads((tmp_path / "out.json").read_text())) == rows // 2
    assert peak < 5.5e6 < path.stat().st_size / 2
