from __future__ import annotations

import math

import numpy as np
import pytest

from lager_lite.errors import FitError
from lager_lite.fitting import recipes as presets
from lager_lite.scoring.aggregate import score
from tests.fitting.fitting_data import layered


def softmax(row):
    top = max(row)
    powers = [math.exp(r - top) for r in row]
    return [p / sum(powers) for p in powers]


def batch_loss(arguments, x, human, squared):
    """s * cross-entropy + (1 - s) * error of the expected score on labels 1 to 5, in plain loops."""
    s, weights, total = 1 / (1 + math.exp(-0.5)), softmax(arguments), 0.0
    for item, target in zip(x, human):
        combined = [sum(w * state[k] for w, state in zip(weights, item)) for k in range(5)]
        p = softmax(combined)
        gap = sum(p[k] * (k + 1) for k in range(5)) - target
        entropy = -math.log(p[int(target) - 1])
        total += s * entropy + (1 - s) * (gap * gap if squared else abs(gap))
    return total / len(human)


def reference(x, human, *, squared, batch_size):
    """One epoch of Adam at 0.01 from zeros, gradient by central differences: nothing shared with ours."""
    a = [0.0] * len(x[0])
    m, v = [0.0] * len(a), [0.0] * len(a)
    for t, start in enumerate(range(0, len(human), batch_size), 1):
        rows, y = x[start : start + batch_size], human[start : start + batch_size]
        slope = []
        for j in range(len(a)):
            up, down = list(a), list(a)
            up[j] += 1e-5
            down[j] -= 1e-5
            slope.append((batch_loss(up, rows, y, squared) - batch_loss(down, rows, y, squared)) / 2e-5)
        for j, g in enumerate(slope):
            m[j] = 0.9 * m[j] + 0.1 * g
            v[j] = 0.999 * v[j] + 0.001 * g * g
            a[j] -= 0.01 * (m[j] / (1 - 0.9**t)) / (math.sqrt(v[j] / (1 - 0.999**t)) + 1e-8)
    return a


@pytest.mark.parametrize(("name", "squared", "dropped"), [("authors-code", True, 1), ("paper", False, 0)])
def test_preset_agrees_with_an_independent_implementation(name, squared, dropped):
    x, human, values, groups = layered(44, states=5, seed=12)
    x, human = x.astype(np.float64), np.round(human)  # integer labels, as theirs are
    found = presets.fit_recipe(presets.preset(name, batch_size=8), x, human, values, groups=groups)
    rows = x[:, : 5 - dropped].tolist()
    expected = reference(rows, human.tolist(), squared=squared, batch_size=8)
    assert found.weights.weights.shape == (5 - dropped,)
    # The reference's gradients carry the 1e-9 error of central differences.
    assert found.loss == pytest.approx(batch_loss(expected, rows, human.tolist(), squared), abs=1e-6)
    assert found.weights.weights == pytest.approx(softmax(expected), abs=1e-6)
    assert not np.allclose(found.weights.weights, 1 / (5 - dropped), atol=1e-3)


def test_the_mix_is_the_sigmoid_of_one_half():
    assert pytest.approx(0.6224593312018546, abs=1e-15) == presets.AUTHORS_MIX
    assert presets.PRESETS["authors-code"].loss.error == "squared"
    assert presets.PRESETS["paper"].loss.error == "absolute"


def test_first_step_of_adam_moves_every_weight_by_the_learning_rate():
    x, human, values, _ = layered(8, seed=13)
    arguments = presets.adam(presets.preset("paper", batch_size=8), x, human, values)
    assert np.abs(arguments) == pytest.approx(np.full(6, 0.01), rel=1e-4)  # epsilon against small slopes


def test_order_follows_the_seed():
    x, human, values, _ = layered(40, seed=14)
    runs = [presets.adam(presets.preset("paper", shuffle_seed=s), x, human, values) for s in (None, 1, 1, 2)]
    assert np.array_equal(runs[1], runs[2])
    assert not np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[1], runs[3])


def test_scoring_ignores_the_dropped_state():
    x, human, values, groups = layered(60, seed=15)
    weights = presets.fit_recipe(presets.preset("authors-code"), x, human, values, groups=groups).weights
    changed = x.copy()
    changed[:, -1] = 1e3
    assert np.array_equal(score(x, values, weights)[2], score(changed, values, weights)[2])


def test_unknown_presets_and_a_single_state_are_errors():
    with pytest.raises(FitError) as caught:
        presets.preset("authors")
    assert (caught.value.message, caught.value.hint) == ("unknown preset 'authors'", "use one of paper, authors-code")
    with pytest.raises(FitError, match="the batch size must be at least 1, got 0"):
        presets.preset("paper", batch_size=0)
    x, human, values, _ = layered(10)
    with pytest.raises(FitError, match="preset 'authors-code' leaves out the last state, and there is only one"):
        presets.fit_recipe(presets.preset("authors-code"), x[:, :1], human, values)
