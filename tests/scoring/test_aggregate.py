from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from lager_lite.errors import WeightsError
from lager_lite.records import Calibration, LayerWeights
from lager_lite.scoring import aggregate

LN2 = math.log(2.0)
VALUES = np.array([1.0, 2.0, 3.0])
# Powers of two, so that every probability can be worked out by hand: 1:1:2, 4:2:2 and 1:2:1.
LOGITS = np.array([[0.0, 0.0, LN2], [2 * LN2, LN2, LN2], [0.0, LN2, 0.0]])
# Sums of a few float64 numbers of size one.
TIGHT = 1e-12


def weights(*numbers, kind="simplex", **more):
    return LayerWeights(kind, "raw", np.array(numbers, dtype=float), **more)


def test_softmax_survives_huge_logits_and_keeps_their_ratio():
    p = aggregate.softmax(np.array([1e6, 1e6 + LN2, -1e6]))
    assert p == pytest.approx([1 / 3, 2 / 3, 0.0], abs=1e-9)  # 1e6 leaves 10 digits of LN2


@pytest.mark.parametrize("shape", [(5,), (31, 5), (4, 25, 9)])
def test_both_are_bit_for_bit_those_of_scipy(shape):
    logits = np.random.default_rng(0).normal(scale=30.0, size=shape).astype(np.float32)
    for axis in range(-1, len(shape)):
        wanted = special.softmax(logits.astype(np.float64), axis=axis)
        assert np.array_equal(aggregate.softmax(logits, axis), wanted)
        wanted = special.log_softmax(logits.astype(np.float64), axis=axis)
        assert np.array_equal(aggregate.log_softmax(logits, axis), wanted)


def test_log_softmax_is_finite_where_softmax_underflows():
    assert aggregate.log_softmax(np.array([0.0, -2000.0])).tolist() == [0.0, -2000.0]


def test_combine_adds_weighted_states_and_bias():
    combined = aggregate.combine(LOGITS, weights(0.5, 0.25, 0.25, bias=np.array([0.0, 1.0, 0.0])))
    assert combined == pytest.approx([0.5 * LN2, 0.5 * LN2 + 1.0, 0.75 * LN2], abs=TIGHT)


def test_combine_uses_only_the_first_states_that_have_weights():
    assert aggregate.combine(LOGITS, weights(0.0, 1.0)) == pytest.approx(LOGITS[1], abs=TIGHT)


def test_full_weights_make_one_evidence_that_moves_all_labels():
    full = np.zeros((2, 3))
    full[0, 2], full[1, 0] = 3.0, -1.0  # evidence = 3 ln2 - 2 ln2 = ln2
    combined = aggregate.combine(LOGITS, LayerWeights("full", "raw", full, np.array([0.5, 0.0, 0.0])))
    assert combined == pytest.approx([0.5 - LN2, 0.0, LN2], abs=TIGHT)


def test_leading_axes_are_items():
    stack = np.stack([LOGITS, LOGITS[::-1]])[None].astype(np.float32)
    for chosen in (weights(0.2, 0.3, 0.5), LayerWeights("full", "raw", np.arange(9.0).reshape(3, 3))):
        combined = aggregate.combine(stack, chosen)
        assert combined.shape == (1, 2, 3)
        single = aggregate.combine(stack[0, 1], chosen)
        assert combined[0, 1] == pytest.approx(single, abs=1e-6)  # float32 input


def test_probabilities_are_mixed_where_weights_are_over_probabilities():
    p = aggregate.distribution(LOGITS, weights(0.5, 0.5, over="probabilities"))
    assert p == pytest.approx([(0.25 + 0.5) / 2, 0.25, (0.5 + 0.25) / 2], abs=TIGHT)


def test_mixture_of_extreme_states_stays_finite():
    extreme = np.array([[0.0, -3000.0], [-3000.0, 0.0]])
    mixed = aggregate.combine(extreme, weights(0.25, 0.75, over="probabilities"))
    assert mixed == pytest.approx([math.log(0.25), math.log(0.75)], abs=TIGHT)


@pytest.mark.parametrize("kind", ["signed", "full"])
def test_signed_and_full_weights_over_probabilities_are_refused(kind):
    with pytest.raises(WeightsError) as caught:
        aggregate.combine(LOGITS, weights(1.0, -1.0, kind=kind, over="probabilities"))
    assert caught.value.message == (f"weights of kind {kind!r} cannot combine probabilities: their sum need not be one")


def test_missing_states_are_an_error_that_counts_them():
    with pytest.raises(WeightsError) as caught:
        aggregate.combine(LOGITS[:2], weights(0.2, 0.3, 0.5))
    assert caught.value.message == "the weights use 3 states, the layer logits have 2"


def test_another_number_of_labels_is_an_error():
    with pytest.raises(WeightsError) as caught:
        aggregate.combine(LOGITS, LayerWeights("full", "raw", np.ones((3, 5))))
    assert caught.value.message == "the weights are for 5 labels, the layer logits have 3"


def test_direct_e_score_uniform_and_per_layer_by_hand():
    assert aggregate.direct(LOGITS[-1], VALUES) == 2.0
    assert aggregate.e_score(LOGITS[0], VALUES) == pytest.approx(0.25 + 0.5 + 1.5, abs=TIGHT)
    mean = np.array([2 * LN2, 2 * LN2, 2 * LN2]) / 3
    assert aggregate.uniform_score(LOGITS, VALUES) == pytest.approx(aggregate.expected(aggregate.softmax(mean), VALUES))
    assert aggregate.uniform_score(LOGITS, VALUES) == pytest.approx(2.0, abs=TIGHT)
    assert aggregate.per_layer_scores(LOGITS, VALUES) == pytest.approx([2.25, 1.75, 2.0], abs=TIGHT)


def test_direct_takes_the_lower_of_two_equal_labels():
    assert aggregate.direct(np.array([0.0, 1.0, 1.0]), VALUES) == 2.0


def test_uniform_weights_give_the_uniform_score():
    even = aggregate.uniform_weights(3, "norm")
    assert (even.kind, even.lens, even.weights.tolist()) == ("uniform", "norm", [1 / 3] * 3)
    assert aggregate.score(LOGITS, VALUES, even)[1] == pytest.approx(aggregate.uniform_score(LOGITS, VALUES), abs=TIGHT)


def test_ablation_has_the_ten_rows_of_the_paper():
    rows = aggregate.ablation(LOGITS, VALUES, weights(0.0, 1.0, 0.0))
    assert list(rows) == [
        f"{over}/{name}/{reading}"
        for over in ("logits", "probabilities")
        for name in ("uniform", "tuned")
        for reading in ("expected", "argmax")
    ] + ["direct", "e_score"]
    assert rows["logits/tuned/expected"] == pytest.approx(1.75, abs=TIGHT)
    assert rows["probabilities/tuned/expected"] == pytest.approx(1.75, abs=TIGHT)
    assert rows["probabilities/uniform/expected"] == pytest.approx(2.0, abs=TIGHT)
    assert rows["logits/tuned/argmax"] == 1.0
    # Mixed probabilities: (1/4+1/2+1/4)/3, (1/4+1/4+1/2)/3, (1/2+1/4+1/4)/3; equal but for rounding.
    assert rows["probabilities/uniform/argmax"] in (1.0, 2.0, 3.0)
    assert rows["direct"] == 2.0
    assert rows["e_score"] == pytest.approx(2.0, abs=TIGHT)


def test_ablation_leaves_out_what_signed_weights_cannot_do():
    rows = aggregate.ablation(LOGITS, VALUES, weights(1.0, -1.0, 0.5, kind="signed"))
    assert len(rows) == 8
    assert not [name for name in rows if name.startswith("probabilities/tuned")]


def test_calibration_is_linear_between_knots_and_constant_outside():
    calibration = Calibration("isotonic", np.array([2.0, 3.0]), np.array([1.0, 5.0]))
    assert aggregate.apply_calibration(calibration, np.array([0.0, 2.25, 9.0])).tolist() == [1.0, 2.0, 5.0]
    assert aggregate.apply_calibration(None, np.array([2.5])).tolist() == [2.5]


def test_score_returns_raw_and_calibrated():
    calibration = Calibration("affine", np.array([1.5, 2.5]), np.array([1.0, 3.0]))
    p, raw, calibrated = aggregate.score(LOGITS[None], VALUES, weights(0.0, 1.0, calibration=calibration))
    assert p[0] == pytest.approx([0.5, 0.25, 0.25], abs=TIGHT)
    assert raw[0] == pytest.approx(1.75, abs=TIGHT)
    assert calibrated[0] == pytest.approx(1.5, abs=TIGHT)


def test_inputs_are_not_changed():
    before = LOGITS.copy()
    aggregate.ablation(LOGITS, VALUES, weights(0.2, 0.3, 0.5))
    assert np.array_equal(LOGITS, before)
