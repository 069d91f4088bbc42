from __future__ import annotations

import numpy as np
import pytest

from lager_lite.data import term_columns
from lager_lite.errors import DataError
from lager_lite.fitting import STATES, KindMethod, StatesMethod, group_folds, out_of_fold
from lager_lite.fitting.beside import TERMS, TextMethod
from lager_lite.records import Item

VALUES = np.arange(1.0, 6.0)


def told(items=160, *, seed=0, quality_counts=0.0):
    """States (n, S, d) that say the length and the quality of a text, numbers (n, 2), scores (n,) and groups (n,)."""
    rng = np.random.default_rng(seed)
    length, quality = rng.normal(size=(2, items))
    x = rng.normal(size=(items, 4, 24))
    x += (
        length[:, None, None] * rng.normal(size=(4, 24)) * 0.6 + quality[:, None, None] * rng.normal(size=(4, 24)) * 0.4
    )
    human = np.clip(3.0 + 0.8 * length + quality_counts * quality + 0.4 * rng.normal(size=items), 1.0, 5.0)
    return x.astype(np.float16), np.column_stack([length, length**2]), human, quality, np.arange(items) // 4


def unseen(method, x, numbers, human, groups):
    columns = {STATES: x, "norm": x[:, :, :5].astype(np.float32), TERMS: numbers}
    scores, _ = out_of_fold(method, columns, human, groups, group_folds(groups, 5, 0, human))
    return scores[0]


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_are_a_noisy_function_of_length_leave_nothing_under_control(seed):
    x, numbers, human, _, groups = told(480, seed=seed)
    plain = unseen(StatesMethod(VALUES), x, numbers, human, groups)
    held = unseen(TextMethod(StatesMethod(VALUES), "control", ("length",), VALUES), x, numbers, human, groups)
    assert np.corrcoef(plain, numbers[:, 0])[0, 1] > 0.7
    # The standard error of a correlation of 480 items is 0.05.
    assert abs(np.corrcoef(held, numbers[:, 0])[0, 1]) < 0.1


def test_under_control_quality_counts_and_length_does_not():
    x, numbers, human, quality, groups = told(quality_counts=0.8)
    for inner in (StatesMethod(VALUES), KindMethod("full", VALUES)):
        held = unseen(TextMethod(inner, "control", ("length",), VALUES), x, numbers, human, groups)
        assert abs(np.corrcoef(held, numbers[:, 0])[0, 1]) < 0.15
        assert np.corrcoef(held, quality)[0, 1] > 0.5


def test_numbers_beside_the_weights_add_what_they_say():
    x, numbers, human, _, groups = told()
    noise = np.random.default_rng(9).normal(size=x.shape)
    alone = unseen(StatesMethod(VALUES), noise, numbers, human, groups)
    both = unseen(TextMethod(StatesMethod(VALUES), "beside", ("length",), VALUES), noise, numbers, human, groups)
    assert abs(np.corrcoef(alone, human)[0, 1]) < 0.3 and np.corrcoef(both, human)[0, 1] > 0.8


def test_the_numbers_of_a_text():
    items = [Item("a", {"response": "One two three.", "turns": "4"}), Item("b", {"response": "One.", "turns": " 2.5"})]
    found = term_columns(items, ["length", "turns"])
    assert found[:, 0] == pytest.approx(np.log([4, 2])) and found[:, 1] == pytest.approx(np.log([4, 2]) ** 2)
    assert found[:, 2:].tolist() == [[4.0, 16.0], [2.5, 6.25]]
    with pytest.raises(DataError, match="no item has the field 'mood'"):
        term_columns(items, ["mood"])
