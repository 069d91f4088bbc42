"""States to layer logits: hand-worked arrays."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.records import Head
from lager_lite.scoring.readout import apply_norm, label_mass, layer_logits

ROWS = np.array([[1, 0, 0, 0], [0, 2, 0, 0]], dtype=np.float32)
STATES = np.array([[2, 0, 0, 0], [0, 4, 0, 0], [2, 2, 2, -2]], dtype=np.float32)


def head(**changes: object) -> Head:
    base = {"rows": ROWS, "bias": None, "norm_kind": "rms", "norm_weight": None, "norm_bias": None, "norm_eps": 0.0}
    return Head(**{**base, **changes})  # type: ignore[arg-type]


def test_rms_norm_divides_by_the_root_mean_square() -> None:
    # Mean squares 1, 4, 4: divide by 1, 2, 2.
    np.testing.assert_array_equal(apply_norm(STATES, head()), STATES / [[1], [2], [2]])


def test_rms_norm_applies_epsilon_gain_and_bias_in_this_order() -> None:
    gain, bias = np.array([1, 2, 3, 4], np.float32), np.array([0, 0, 0, 9], np.float32)
    ones = np.ones(4, dtype=np.float32)
    found = apply_norm(ones, head(norm_eps=3.0, norm_weight=gain, norm_bias=bias))
    np.testing.assert_array_equal(found, np.array([0.5, 1, 1.5, 11], dtype=np.float32))


def test_layer_norm_subtracts_the_mean_and_divides_by_the_standard_deviation() -> None:
    found = apply_norm(np.array([1, 3, 1, 3], dtype=np.float32), head(norm_kind="layer"))
    np.testing.assert_array_equal(found, np.array([-1, 1, -1, 1], dtype=np.float32))


def test_norm_keeps_its_statistics_where_float32_squares_would_overflow() -> None:
    huge = np.array([3e30, 0, 0, 0], dtype=np.float32)
    np.testing.assert_allclose(apply_norm(huge, head()), [2, 0, 0, 0], rtol=1e-6)


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match='norm_kind must be "rms" or "layer", got \'group\''):
        apply_norm(STATES, head(norm_kind="group"))


def test_raw_lens_normalises_only_the_last_state() -> None:
    raw, norm = layer_logits(STATES, head())
    np.testing.assert_array_equal(raw, [[2, 0], [0, 8], [1, 2]])
    np.testing.assert_array_equal(norm, [[2, 0], [0, 4], [1, 2]])
    assert raw.dtype == norm.dtype == np.float32


def test_the_last_of_states_cut_early_is_not_normalised_in_the_raw_lens() -> None:
    raw, norm = layer_logits(STATES[:2], head(), n_states_total=3)
    np.testing.assert_array_equal(raw, [[2, 0], [0, 8]])
    np.testing.assert_array_equal(norm, [[2, 0], [0, 4]])


def test_more_states_than_the_model_has_are_refused() -> None:
    with pytest.raises(ValueError, match="states must hold 1 to 2 states, got 3"):
        layer_logits(STATES, head(), n_states_total=2)


def test_a_stack_of_prompts_gives_a_stack_of_logits() -> None:
    raw, norm = layer_logits(np.stack([STATES, -STATES]), head())
    assert raw.shape == norm.shape == (2, 3, 2)
    np.testing.assert_array_equal(raw[1], [[-2, 0], [0, -8], [-1, -2]])


def test_bias_is_scaled_and_added_under_both_lenses() -> None:
    raw, norm = layer_logits(STATES, head(bias=np.array([1, -1], np.float32), logit_scale=0.5))
    np.testing.assert_array_equal(raw, [[1.5, -0.5], [0.5, 3.5], [1, 0.5]])
    np.testing.assert_array_equal(norm, [[1.5, -0.5], [0.5, 1.5], [1, 0.5]])


def test_soft_cap_bounds_the_norm_lens_and_the_last_raw_state_only() -> None:
    raw, norm = layer_logits(10 * STATES, head(softcap=1.0))
    np.testing.assert_array_equal(raw[:2], [[20, 0], [0, 80]])
    np.testing.assert_allclose(norm, np.tanh([[2, 0], [0, 4], [1, 2]]), rtol=1e-6)
    np.testing.assert_array_equal(raw[2], norm[2])


def test_states_are_not_changed() -> None:
    states = STATES.copy()
    layer_logits(states, head(norm_kind="layer"))
    np.testing.assert_array_equal(states, STATES)


def test_label_mass_is_the_share_of_the_softmax() -> None:
    # Weights 1, 2, 3, 4 of 10.
    logits = np.log(np.array([1, 2, 3, 4], dtype=np.float64))
    assert label_mass(logits, [1, 3]) == pytest.approx(0.6, abs=1e-7)  # float32


def test_label_mass_survives_logits_whose_exponentials_overflow() -> None:
    assert label_mass(np.array([1e4, 1e4, -1e4], dtype=np.float32), [0]) == 0.5


def test_label_mass_of_the_whole_vocabulary_is_one() -> None:
    logits = np.random.default_rng(0).normal(0, 5, 50_000).astype(np.float32)
    # 50,000 additions in float64.
    assert label_mass(logits, range(50_000)) == pytest.approx(1.0, abs=1e-12)
