"""Whole states: read beside the layer logits, kept in the store when asked, and scored by weights of kind states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lager_lite.errors import MisuseError
from lager_lite.judging.judge import Judge
from lager_lite.judging.store import Store
from lager_lite.prompts import make_rubric
from lager_lite.records import Calibration, Item, LayerWeights
from lager_lite.scoring import WeightsFile, load_weights, save_weights

SHORT = make_rubric("short", "Is it good?", template="{sections}\n{criterion}")
ITEMS = [Item(str(i), {"instruction": "Say it.", "response": f"answer {i} " * (i + 1)}) for i in range(4)]


def readings(judge):
    return [reading for _, _, reading in judge.read(ITEMS)]


def test_states_are_kept_only_when_asked_and_then_nothing_is_evaluated_again(tiny_model, tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        with Judge(tiny_model, rubric=SHORT, store=store, states=True) as judge:
            fresh = readings(judge)
        with Judge(tiny_model, rubric=SHORT, store=store, states="keep") as judge:
            readings(judge)
            assert judge.counts.stored == 0 and judge.counts.evaluated_tokens > 0
        with Judge(tiny_model, rubric=SHORT, store=store, states=True) as judge:
            kept = readings(judge)
            assert judge.counts.stored == 4 and judge.counts.evaluated_tokens == 0
        with Judge(tiny_model, rubric=SHORT, store=store) as judge:
            assert readings(judge)[0].states is None
    for one, other in zip(fresh, kept):
        assert other.states.dtype == np.float16 and other.states.shape == (4, judge.info.n_embd)
        # Both are rounded to float16, and the batch may differ between the runs.
        assert np.mean(other.states.astype(float) ** 2, axis=1) == pytest.approx(np.ones(4), abs=1e-2)
        np.testing.assert_allclose(other.states, one.states, atol=2e-2)


def test_weights_of_states_are_applied_in_the_same_pass(tiny_model, tmp_path):
    with Judge(tiny_model, rubric=SHORT, states=True) as judge:
        states = np.stack([r.states for r in readings(judge)]).astype(float)
        provenance = judge.provenance(items=4)
    rng = np.random.default_rng(0)
    w, bias = rng.normal(size=states.shape[1:]) * 0.05, np.array([3.0, 0.0, 0.1, 0.0])
    calibration = Calibration("affine", np.array([1.0, 5.0]), np.array([2.0, 4.0]))
    save_weights(
        tmp_path / "w.json",
        WeightsFile(LayerWeights("states", "norm", w, bias, calibration=calibration), provenance),
    )
    raw = np.clip(np.einsum("nsd,sd->n", states, w) + bias.sum(), 1.0, 5.0)
    with Judge(tiny_model, rubric=SHORT, weights=load_weights(tmp_path / "w.json")) as judge:
        judged = list(judge.score(ITEMS))
        with pytest.raises(MisuseError, match="need readings with states"):
            judge.judgment(ITEMS[0], SHORT, replace(readings(judge)[0], states=None))
    assert [j.raw_score for j in judged] == pytest.approx(raw.tolist(), abs=0.02)  # float16 states, 4 x 64 weights
    assert [j.score for j in judged] == pytest.approx((2.0 + (raw - 1.0) / 2.0).tolist(), abs=0.02)
    for one in judged:
        values = sum(float(label) * p for label, p in one.probabilities.items())
        assert values == pytest.approx(one.raw_score)
