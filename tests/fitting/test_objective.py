from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from lager_lite.errors import FitError
from lager_lite.fitting.objective import (
    Loss,
    check_labelled,
    check_loss,
    evidence_design,
    loss_and_slope,
    plain_design,
    soft_labels,
    state_design,
)
from lager_lite.scoring.aggregate import combine_arrays, softmax
from tests.fitting.fitting_data import layered

LOSSES = [Loss(1.0), Loss(0.0), Loss(0.4, unit=0.3), Loss(0.4, "absolute"), Loss(0.4, "absolute", 0.1)]


def test_a_mean_between_two_labels_is_shared_between_them():
    soft = soft_labels(np.array([1.0, 2.25, 5.0]), np.array([1.0, 2.0, 5.0]))
    assert pytest.approx(np.array([[1, 0, 0], [0, 11 / 12, 1 / 12], [0, 0, 1]])) == soft.T


def test_soft_labels_keep_the_mean_and_clip_rounding():
    human = np.array([1.0 - 1e-9, 2.6, 3.9, 4.0 + 1e-9])
    soft = soft_labels(human, np.array([1.0, 2.0, 3.0, 4.0]))
    assert soft.sum(axis=0) == pytest.approx(np.ones(4))
    assert np.array([1.0, 2.0, 3.0, 4.0]) @ soft == pytest.approx(human, abs=1e-8)  # the clipped 1e-9
    assert soft.min() >= 0


def test_loss_by_hand():
    z = np.log(np.array([[0.25], [0.25], [0.5]]))
    values, human = np.array([1.0, 2.0, 3.0]), np.array([2.5])
    soft = soft_labels(human, values)
    entropy, gap = -0.5 * np.log(0.25) - 0.5 * np.log(0.5), 0.25 / 0.5  # in units of a quarter of the span
    for loss, error in ((Loss(0.6), gap**2), (Loss(0.6, "absolute"), gap)):
        found, _ = loss_and_slope(z, soft, human, values, loss)
        assert found == pytest.approx(0.6 * entropy + 0.4 * error, abs=1e-12)  # float64 rounding


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("make", [state_design, evidence_design])
def test_gradients_agree_with_finite_differences(make, loss):
    x, human, values, _ = layered(40, seed=1)
    plan, soft = make(x), soft_labels(human, values)
    theta = np.random.default_rng(0).normal(size=plan.size.size + 5) * 0.3

    def value(t):
        return loss_and_slope(plan.logits(t), soft, human, values, loss)[0]

    def slope(t):
        return plan.pull(loss_and_slope(plan.logits(t), soft, human, values, loss)[1])

    # check_grad steps by 1.5e-8: forward differences of a value of size one are good to 1e-6.
    assert check_grad(value, slope, theta) < 1e-5 * max(1.0, np.linalg.norm(slope(theta)))


@pytest.mark.parametrize("make", [state_design, evidence_design])
def test_exported_weights_give_the_same_distribution_as_the_parameters(make):
    x, _, _, _ = layered(50, seed=2)
    plan = make(x)
    theta = np.random.default_rng(1).normal(size=plan.size.size + 5)
    weights, bias = plan.export(theta)
    inside = softmax(plan.logits(theta), axis=0).T
    # float32 layer logits of size 10 combined in float64.
    assert softmax(combine_arrays(x.astype(np.float64), weights, bias)) == pytest.approx(inside, abs=1e-9)
    assert plan.adopt(weights, bias) == pytest.approx(theta, abs=1e-9)


@pytest.mark.parametrize("make", [state_design, evidence_design])
def test_curvature_is_the_second_derivative_of_a_quadratic(make):
    x, _, _, _ = layered(30, states=3, labels=3, seed=3)
    plan = make(x)
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3))
    block = root @ root.T
    a = rng.normal(size=plan.size.size + 3)
    z = plan.logits(a)
    # For the loss z' B z / 2 per item the exact second derivative is `curvature(B)`.
    assert a @ plan.curvature(block) @ a == pytest.approx(np.einsum("kn,kl,ln->", z, block, z), rel=1e-9)


def test_a_state_that_never_varies_becomes_zero_and_not_noise():
    x, _, _, _ = layered(60)
    x[:, 0] *= 1.0 + 1e-7 * np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
    assert not state_design(x).features[:, :, 0].any()
    assert not evidence_design(x).features[:, :5].any()
    assert evidence_design(x).features[:, 5:].std(axis=0) == pytest.approx(np.ones(25))


def test_plain_design_is_the_logits_themselves():
    x, _, _, _ = layered(4, states=3)
    weights = np.array([0.2, 0.3, 0.5])
    z = plain_design(x).logits(np.concatenate([weights, np.zeros(5)]))
    assert pytest.approx(combine_arrays(x, weights, None), abs=1e-6) == z.T  # float32 input


def test_layer_logits_that_are_not_finite_are_counted():
    x, human, values, _ = layered(20)
    x[3, 1, 2], x[7, 0, 0] = np.nan, np.inf
    with pytest.raises(FitError) as caught:
        check_labelled(x, human, values)
    assert caught.value.message == "2 of 20 items have layer logits that are not finite (first: number 3)"
    assert caught.value.hint == "judge these items again, or leave them out"


@pytest.mark.parametrize(
    ("human", "message", "hint"),
    [
        ([3, 3, 3], "all 3 labels are 3: there is nothing to learn from", "label items of different quality"),
        (
            [0, 3, 7.5],
            "2 of 3 labels lie outside the scale 1 to 5 (they range from 0 to 7.5)",
            "name the scale that the labels were given on, or rescale them",
        ),
        ([1, float("nan"), 2], "labels must be finite numbers, 1 of 3 is not", "leave unlabelled items out"),
    ],
)
def test_unusable_labels_are_named(human, message, hint):
    x, _, values, _ = layered(3)
    with pytest.raises(FitError) as caught:
        check_labelled(x, np.array(human, dtype=float), values)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_shapes_that_do_not_fit_and_no_items_are_errors():
    x, human, values, _ = layered(4)
    with pytest.raises(FitError) as caught:
        check_labelled(x, human[:3], values)
    assert caught.value.message == (
        "layer logits have shape (4, 6, 5), expected (items, states, labels) with 3 items and 5 labels"
    )
    with pytest.raises(FitError, match="there are no labelled items"):
        check_labelled(x[:0], human[:0], values)


def test_impossible_losses_are_refused():
    for loss, message in (
        (Loss(1.5), "the loss mix must lie between 0 and 1, got 1.5"),
        (Loss(0.5, "cubic"), "unknown error 'cubic'"),
        (Loss(0.5, unit=0.0), "the unit of the error must be positive, got 0.0"),
        (Loss(0.5, "absolute", -1.0), "smooth must not be negative, got -1.0"),
    ):
        with pytest.raises(FitError) as caught:
            check_loss(loss)
        assert caught.value.message == message
