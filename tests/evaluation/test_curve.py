"""The learning curve: fewer labels agree less, and what more would bring is about what they do bring."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from lager_lite.errors import FitError
from lager_lite.evaluation import evaluate, learning_curve
from lager_lite.evaluation.results import _curve
from lager_lite.fitting import Labelled, fit_states
from lager_lite.scoring import states_score
from lager_lite.stats import agreement
from tests.measure.simulated import VALUES, Case, drawn, labelled

WIDE = 60


def _data(groups: int, seed: int) -> Labelled:
    """Groups of two items whose states hold the quality among much that does not matter."""
    x, human, group = drawn(Case(groups, 2, 0.8, 0.25), np.random.default_rng(seed), groups)
    noise = np.random.default_rng(seed + 1000).normal(size=(len(human), 1, WIDE))
    states = np.concatenate([x.reshape(len(human), 1, -1), noise], axis=2)
    return replace(labelled(x, human, group), states=states.astype(np.float16))


def test_fewer_labels_agree_less_and_the_last_point_is_the_cross_validation():
    data = _data(60, 0)
    curve = learning_curve(data, "states", resamples=100)
    reached = [point.agreement.value for point in curve.points]
    assert [round(point.groups) for point in curve.points] == [10, 19, 34, 48]
    assert reached[0] < reached[1] < reached[3]
    whole = evaluate(data, kinds=["states"], splits=3, resamples=50)
    assert reached[3] == pytest.approx(whole.method("states").overall.spearman, abs=0.02)


def _first(data: Labelled, count: int) -> Labelled:
    columns = {name: getattr(data, name)[:count] for name in ("raw", "norm", "human", "criterion", "group", "item")}
    assert data.states is not None
    return replace(data, **columns, individual=data.individual[:count], states=data.states[:count])


def test_fifty_more_labels_bring_about_what_was_said():
    said, brought = [], []
    for seed in range(8):
        many, fresh, reached = _data(65, seed), _data(400, seed + 100), []
        few = _first(many, 80)
        said.append(learning_curve(few, "states", splits=1, resamples=2).brings.value)
        for data in (few, many):
            weights = fit_states(data.states, data.human, VALUES, groups=data.group, calibrate=False).weights
            reached.append(agreement(states_score(fresh.states, VALUES, weights)[1], fresh.human).spearman)
        brought.append(reached[1] - reached[0])
    # The standard error of the mean of either is below 0.01.
    assert np.mean(said) == pytest.approx(np.mean(brought), abs=0.02)
    assert np.mean(said) > 0.01


def test_a_curve_of_labels_that_nothing_explains_promises_little():
    data = _data(60, 0)
    human = np.random.default_rng(5).permutation(data.human)
    curve = learning_curve(replace(data, human=human), "states", resamples=100)
    assert 0.0 <= curve.brings.value < 0.03
    assert abs(agreement(human, data.human).spearman) < 0.2


def test_too_few_groups_have_no_curve():
    with pytest.raises(FitError, match="3 groups cannot be split into 5 folds"):
        learning_curve(_data(3, 0), "states")


def test_a_saved_curve_is_read_as_it_was():
    curve = learning_curve(_data(30, 0), "states", splits=1, resamples=20)
    assert _curve(asdict(curve)) == curve
