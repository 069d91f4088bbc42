"""Weights that are drawn toward others: they help where labels are few, and are let go where they mislead."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lager_lite.errors import FitError
from lager_lite.fitting import STATES, StatesMethod, fit_states
from lager_lite.scoring import load_weights, states_score
from lager_lite.stats import agreement

VALUES = np.arange(1.0, 6.0)
WAYS = np.random.default_rng(9).normal(size=(2, 3, 24)) / 6


def _told(items, seed, *, other=0.0):
    """States (n, 3, 24) and scores (n,) of a quality that they hold; `other` turns it into another quality."""
    rng = np.random.default_rng(seed)
    quality, different = rng.normal(size=(2, items))
    x = rng.normal(size=(items, 3, 24))
    x += quality[:, None, None] * WAYS[0] + different[:, None, None] * WAYS[1]
    felt = np.sqrt(1 - other**2) * quality + other * different
    return x.astype(np.float16), np.clip(3 + felt + 0.3 * rng.normal(size=items), 1, 5)


def _reached(found, other=0.0):
    fresh, human = _told(600, 77, other=other)
    return agreement(states_score(fresh, VALUES, found.weights)[1], human).spearman


@pytest.fixture(scope="module")
def prior():
    return fit_states(*_told(400, 1), VALUES).weights


def test_few_labels_of_a_like_criterion_reach_more_with_a_prior(prior):
    gains = []
    for seed in range(5):
        labels = _told(20, 10 + seed, other=0.3)
        plain, drawn = fit_states(*labels, VALUES), fit_states(*labels, VALUES, prior=prior)
        assert plain.prior == 0.0 and drawn.prior > 0
        gains.append(_reached(drawn, 0.3) - _reached(plain, 0.3))
    assert np.mean(gains) > 0.1


def test_a_prior_that_misleads_is_let_go(prior):
    against = replace(prior, weights=-prior.weights, bias=-prior.bias)
    labels = _told(100, 3)
    found = fit_states(*labels, VALUES, prior=against)
    assert found.prior == 0.0
    assert _reached(found) == pytest.approx(_reached(fit_states(*labels, VALUES)), abs=0.03)


def test_the_ridge_draws_to_the_prior_itself(prior):
    x, human = _told(40, 5)
    found = fit_states(x, human, VALUES, prior=prior, prior_shares=(1.0,), strength=1e9)
    assert np.allclose(found.weights.weights, prior.weights, atol=1e-6)
    # The level is that of the labels, which no ridge holds back.
    apart = states_score(x, VALUES, found.weights)[1] - states_score(x, VALUES, prior)[1]
    assert np.ptp(apart) < 1e-4


def test_a_prior_may_read_fewer_states(prior):
    short = replace(prior, weights=prior.weights[:2], bias=prior.bias[:2])
    x, human = _told(40, 5)
    found = fit_states(x, human, VALUES, prior=short, prior_shares=(1.0,), strength=1e9)
    assert np.allclose(found.weights.weights[:2], short.weights, atol=1e-6)
    assert np.abs(found.weights.weights[2]).max() < 1e-6


def test_further_splits_take_as_much_of_the_prior_as_the_first(prior):
    x, human = _told(40, 5)
    method = StatesMethod(VALUES, prior=prior)
    fits = [method.fit({STATES: x}, human, np.arange(40)) for _ in range(3)]
    settled = method.settled(fits)
    assert settled.prior_shares == (fits[0].found.prior,) and settled.strength == fits[0].found.strength
    again = settled.fit({STATES: x}, human, np.arange(40))
    assert np.allclose(again.found.weights.weights, fits[0].found.weights.weights)


def test_other_weights_are_no_prior(prior):
    x, human = _told(40, 5)
    with pytest.raises(FitError, match="only plain weights of kind states can be a prior"):
        fit_states(x, human, VALUES, prior=replace(prior, kind="signed"))
    with pytest.raises(FitError, match="the prior reads 3 states of 24 numbers, the items have 3 of 20"):
        fit_states(x[:, :, :20], human, VALUES, prior=prior)


def _lines(path, name, rows):
    path.write_text(
        "".join(
            json.dumps({"id": f"{name}{n}", "response": f"{name} text {n % 7} {n}", "score": 1 + n % 5}) + "\n"
            for n in range(rows)
        )
    )


def test_fit_takes_a_prior_of_another_rubric_and_remembers_what_it_saw(invoke, tiny_model, tmp_path):
    for name in ("good", "clear"):
        (tmp_path / f"{name}.toml").write_text(
            f'scale = "1-5"\ncriterion = "Is it {name}?"\ntemplate = "{{criterion}} {{sections}}"\n'
        )
    _lines(tmp_path / "many.jsonl", "m", 40)
    _lines(tmp_path / "few.jsonl", "f", 15)

    def fit(data, rubric, out, *more):
        store = ["-m", str(tiny_model), "--store", str(tmp_path / "s.sqlite"), "--no-guard", "-r"]
        given = [str(tmp_path / data), *store, str(tmp_path / f"{rubric}.toml"), "-o", str(tmp_path / out), *more]
        return invoke("fit", *given)

    done = fit("many.jsonl", "good", "prior.json", "--kind", "states")
    assert done.exit_code == 0, done.output
    done = fit("few.jsonl", "clear", "w.json", "--prior", str(tmp_path / "prior.json"))
    assert done.exit_code == 0, done.output
    assert "\nprior     " in done.stdout and "kind      states" in done.stdout
    facts = load_weights(tmp_path / "w.json").provenance.fit
    assert facts["prior"] in (0.0, 0.5, 1.0) and len(facts["seen_items"]) == 55
    again = fit("many.jsonl", "clear", "w.json", "--prior", str(tmp_path / "prior.json"))
    assert "the prior was fitted on items or groups of 40 of these judgments" in again.stderr
    refused = fit("few.jsonl", "clear", "v.json", "--prior", str(tmp_path / "prior.json"), "--kind", "full")
    assert refused.exit_code == 2 and "--prior is for weights of kind states: leave out --kind" in refused.stderr
    assert fit("few.jsonl", "clear", "f.json", "--kind", "signed").exit_code == 0
    refused = fit("few.jsonl", "clear", "v.json", "--prior", str(tmp_path / "f.json"))
    assert refused.exit_code == 1
    assert "Error: the prior is of kind signed, only plain weights of kind states can be a prior" in refused.stderr
    own = fit("few.jsonl", "clear", "prior.json", "--prior", str(tmp_path / "prior.json"))
    assert own.exit_code != 0 and not (tmp_path / "v.json").exists()
