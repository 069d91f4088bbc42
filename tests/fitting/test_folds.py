"""Folds: out-of-fold scores by hand, groups that stay together, and the one place that walks over folds."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import lager_lite
from lager_lite.errors import FitError
from lager_lite.fitting.folds import (
    folds_for_ranks,
    folds_inside,
    group_folds,
    out_of_fold,
    select_rows,
    training_levels,
    within_fold_ranks,
)


@dataclass(frozen=True)
class Shift:
    """Learns the mean human score and the groups of the training part; predicts mean + x, and mean - x."""

    mean: float
    seen: tuple[str, ...]

    def predict(self, x):
        return np.stack([self.mean + x["x"], self.mean - x["x"]])


class MeanMethod:
    def fit(self, x, human, groups):
        assert len(x["x"]) == len(human) == len(groups)
        return Shift(float(human.mean()), tuple(sorted(set(groups))))


def test_every_item_is_scored_by_the_mean_of_the_other_folds():
    x = {"x": np.array([0.0, 0.5, 0.0, 0.5])}
    human, groups = np.array([1.0, 2.0, 3.0, 6.0]), np.array(["a", "b", "a", "c"])
    scores, fits = out_of_fold(MeanMethod(), x, human, groups, np.array([0, 1, 0, 2]))
    # Without fold 0 the mean of 2 and 6 is 4; without fold 1 that of 1, 3 and 6; without fold 2 that of 1, 2 and 3.
    assert fits == (Shift(4.0, ("b", "c")), Shift(10 / 3, ("a", "c")), Shift(2.0, ("a", "b")))
    assert scores.tolist() == [[4.0, 10 / 3 + 0.5, 4.0, 2.5], [4.0, 10 / 3 - 0.5, 4.0, 1.5]]


@pytest.mark.parametrize(("folds", "rows", "made"), [(5, 12, 5), (6, 59, 5), (6, 60, 6), (20, 199, 19), (20, 200, 20)])
def test_folds_in_which_scores_are_ranked_are_not_small(folds, rows, made):
    found, said = folds_for_ranks(folds, rows)
    assert found == made and len(said) == (made < folds)
    assert all(f"{folds} folds of {rows} judgments would hold about" in one for one in said)


def test_one_score_per_item_needs_no_leading_axis():
    class Even:
        def fit(self, x, human, groups):
            return self

        def predict(self, x):
            return x["x"] * 2

    scores, fits = out_of_fold(Even(), {"x": np.arange(3.0)}, np.zeros(3), np.arange(3), np.array([1, 0, 1]))
    assert scores.tolist() == [0.0, 2.0, 4.0] and len(fits) == 2


def test_rows_of_every_column_are_taken_by_mask_or_number():
    x = {"a": np.arange(6).reshape(3, 2), "b": np.array(["u", "v", "w"])}
    found = select_rows(x, np.array([True, False, True]))
    assert found["a"].tolist() == [[0, 1], [4, 5]] and found["b"].tolist() == ["u", "w"]
    assert select_rows(x, np.array([2, 0]))["b"].tolist() == ["w", "u"]


def test_groups_are_never_split_and_folds_are_even():
    groups = np.repeat([f"g{i}" for i in range(23)], np.arange(23) % 5 + 1)
    fold = group_folds(groups, 4, seed=3)
    for name in np.unique(groups):
        assert np.unique(fold[groups == name]).size == 1
    sizes = np.bincount(fold)
    assert sizes.sum() == groups.size and sizes.max() - sizes.min() <= 5
    assert np.array_equal(fold, group_folds(groups, 4, seed=3))
    assert not np.array_equal(fold, group_folds(groups, 4, seed=4))


@pytest.mark.parametrize(
    ("groups", "fold", "most", "expected"),
    [
        ([0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2], 5, 4),  # 6 groups in 3 folds: 4 are left
        ([0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2], 3, 3),
        ([0, 1, 2, 3, 3, 3], [0, 0, 0, 1, 1, 1], 5, 0),  # fold 0 holds all groups but one
        ([0, 1, 2, 2, 2, 2], [0, 1, 2, 2, 2, 2], 5, 2),
    ],
)
def test_a_training_part_is_split_into_as_many_folds_as_the_poorest_has_groups(groups, fold, most, expected):
    groups, fold = np.array(groups), np.array(fold)
    if expected:
        assert folds_inside(groups, fold, most) == expected
        return
    with pytest.raises(FitError) as caught:
        folds_inside(groups, fold, most)
    assert caught.value.message == "4 groups leave a training part with one: nothing can be chosen in it"
    assert caught.value.hint == "label items of 3 groups or more, with as many folds as groups"


def test_what_else_is_held_out_leaves_fewer_groups_to_choose_in():
    groups = np.repeat(np.arange(9), 2)
    fold, names = np.repeat(np.arange(3), 6), np.array([0, 1] * 6 + [0, 0] * 3)  # three groups are all of one name
    assert folds_inside(groups, fold) == 5 and folds_inside(groups, np.stack([fold, names])) == 3
    assert folds_inside(groups, np.stack([fold, np.zeros(18, int)])) == 2


def walks_over_folds(tree):
    """Names of functions that loop over folds, or compare fold numbers to tell training rows from the rest."""
    found = set()
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for node in ast.walk(function):
            parts = []
            if isinstance(node, (ast.For, ast.comprehension)):
                parts = [node.iter]
            elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
                parts = [node.left, *node.comparators]
            names = {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)}
            if names & {"fold", "folds", "n_folds"}:
                found.add(function.name)
    return found


def test_one_module_of_the_package_walks_over_folds_and_deals_them():
    root = Path(lager_lite.__file__).parent
    found = {
        (path.relative_to(root).as_posix(), name)
        for path in root.rglob("*.py")
        for name in walks_over_folds(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert {path for path, _ in found} == {"fitting/folds.py"}
    assert {name for _, name in found if not name.startswith("_")} == {
        "folds_inside",
        "out_of_fold",
        "training_levels",
        "within_fold_ranks",
    }


@pytest.mark.parametrize(
    "body",
    [
        "for part in np.unique(fold):\n  pass",
        "for part in range(folds):\n  pass",
        "return [fit(p) for p in range(int(fold.max()) + 1)]",
        "train = fold != 2",
    ],
)
def test_a_hand_written_loop_over_folds_is_noticed(body):
    assert walks_over_folds(ast.parse("def f(fold, folds):\n  " + body.replace("\n", "\n  "))) == {"f"}


def test_folds_hold_the_scores_in_the_same_mixture():
    rng = np.random.default_rng(0)
    human = np.repeat(rng.integers(1, 6, 60), 2).astype(float)
    groups = np.repeat(np.arange(60), 2)
    means = {}
    for name, labels in (("dealt", None), ("stratified", human)):
        fold = group_folds(groups, 5, 0, labels)
        assert np.bincount(fold).tolist() == [24] * 5
        means[name] = np.ptp([human[fold == part].mean() for part in range(5)])
    assert means["stratified"] < 0.2 < means["dealt"]
    assert not np.array_equal(fold, group_folds(groups, 5, 1, human))


def test_levels_of_folds_do_not_count_and_a_constant_fit_has_no_order():
    fold = np.array([0, 0, 0, 1, 1, 1])
    assert within_fold_ranks(np.array([1.0, 3.0, 2.0, 90.0, 70.0, 80.0]), fold) == pytest.approx(
        np.array([1, 5, 3, 5, 1, 3]) / 6
    )
    # The mean of the other fold is all that a fit knew: its scores are high where the labels are low.
    assert within_fold_ranks(np.array([4.0, 4.0, 4.0 + 1e-12, 2.0, 2.0, 2.0]), fold).tolist() == [0.5] * 6


def test_held_out_two_ways_no_fit_has_seen_either():
    groups = np.array(["a", "a", "b", "b", "c", "c"])
    systems = np.array([0, 1, 0, 1, 0, 1])
    fold = np.stack([np.array([0, 0, 1, 1, 2, 2]), systems])
    scores, fits = out_of_fold(MeanMethod(), {"x": np.zeros(6)}, np.arange(6.0), groups, fold)
    # Item 0, of group a and system 0, is scored by the mean of items 3 and 5.
    assert scores[0].tolist() == [4.0, 3.0, 3.0, 2.0, 2.0, 1.0]
    assert [fit.seen for fit in fits] == [("b", "c")] * 2 + [("a", "c")] * 2 + [("a", "b")] * 2
    levels = training_levels(fits, {"x": np.arange(6.0)}, fold)
    assert levels[0].tolist() == [8.0, 6.0, 6.0, 4.0, 4.0, 2.0]  # the mean score and the mean x of the training part


def test_copies_of_a_group_in_other_spellings_stand_in_one_fold():
    names = [spelling.format(n) for n in range(6) for spelling in ("Doc{}", "doc{} ", "DOC{}")]
    for seed in range(5):
        fold = group_folds(names, 3, seed).reshape(6, 3)
        assert (fold == fold[:, :1]).all() and np.bincount(fold[:, 0]).tolist() == [2, 2, 2]
    assert group_folds([name.lower().strip() for name in names], 3, 0).tolist() == group_folds(names, 3, 0).tolist()
