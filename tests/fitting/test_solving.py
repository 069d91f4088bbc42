from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize

from lager_lite.fitting.objective import Loss, loss_and_slope, plain_design, soft_labels, state_design
from lager_lite.fitting.solving import Solution, predict, simplex_goal, solve_path, uniform_solution
from tests.fitting.fitting_data import layered


@pytest.mark.parametrize("loss", [Loss(0.3), Loss(0.6, "absolute", 0.1)])
def test_simplex_gradient_agrees_with_finite_differences(loss):
    x, human, values, _ = layered(40, seed=4)
    args = (plain_design(x), soft_labels(human, values), human, values, loss)
    start = np.random.default_rng(0).normal(size=6)
    # Forward differences of a value of size one are good to 1e-6.
    error = check_grad(lambda a: simplex_goal(a, *args)[0], lambda a: simplex_goal(a, *args)[1], start)
    assert error < 1e-5


def test_signed_solution_is_the_minimum_that_plain_bfgs_finds():
    x, human, values, _ = layered(120, seed=5)
    loss, strength = Loss(0.5), 7.0
    found = solve_path(x, human, values, kind="signed", strengths=(strength,), loss=loss)[0]
    plan, soft = state_design(x), soft_labels(human, values)
    base = np.log((soft.sum(axis=1) + 0.5) / (120 + 2.5))
    anchor = np.concatenate([plan.size / 6, base])
    ridge = np.array([strength] * 6 + [1.0] * 5)

    def goal(t):
        return loss_and_slope(plan.logits(t), soft, human, values, loss)[0] + ridge @ (t - anchor) ** 2 / 240

    other = minimize(goal, anchor, method="BFGS", options={"maxiter": 2000})
    mine = plan.adopt(found.weights, found.bias)
    assert goal(mine) <= other.fun + 1e-7  # BFGS without gradients stops within about 1e-8
    assert found.converged


def test_without_ridge_full_weights_beat_signed_beat_simplex_beat_uniform_in_training():
    x, human, values, _ = layered(300, seed=6, bend=1.0)
    loss = Loss(0.5)
    even = uniform_solution(x, human, values, loss).loss
    simplex, signed, full = (
        solve_path(x, human, values, kind=k, strengths=(1e-3,), loss=loss)[0].loss
        for k in ("simplex", "signed", "full")
    )
    assert simplex < even and signed < simplex and full < signed


@pytest.mark.parametrize("kind", ["simplex", "signed"])
def test_a_very_strong_ridge_gives_uniform_weights(kind):
    x, human, values, _ = layered(60)
    found = solve_path(x, human, values, kind=kind, strengths=(1e9,), loss=Loss())[0]
    # State sizes differ by a factor 30, and the ridge acts on weights times size.
    assert found.weights == pytest.approx(np.full(6, 1 / 6), abs=1e-5)


def test_a_very_strong_ridge_gives_full_weights_of_zero_and_the_base_rates():
    x, human, values, _ = layered(60)
    found = solve_path(x, human, values, kind="full", strengths=(1e9,), loss=Loss(1.0))[0]
    assert np.abs(found.weights).max() < 1e-5
    assert predict(x, found, values) == pytest.approx(np.full(60, human.mean()), abs=0.05)  # ridge on the bias


@pytest.mark.parametrize("kind", ["simplex", "signed", "full"])
def test_a_strong_ridge_toward_a_prior_gives_the_prior(kind):
    x, human, values, _ = layered(120, seed=7)
    prior = solve_path(x, human, values, kind=kind, strengths=(3.0,), loss=Loss())[0]
    again = solve_path(x[:40], human[:40], values, kind=kind, strengths=(1e9,), loss=Loss(), prior=prior)[0]
    assert again.weights == pytest.approx(prior.weights, abs=1e-5)


@pytest.mark.parametrize("kind", ["simplex", "signed", "full"])
def test_a_path_ends_where_single_fits_end(kind):
    x, human, values, _ = layered(200, seed=8)
    path = solve_path(x, human, values, kind=kind, strengths=(100.0, 10.0, 1.0), loss=Loss())
    for strength, found in zip((100.0, 10.0, 1.0), path):
        alone = solve_path(x, human, values, kind=kind, strengths=(strength,), loss=Loss())[0]
        # Both stop when a step gains less than 1e-9 of the loss; scores then differ in the fourth digit.
        assert predict(x, found, values) == pytest.approx(predict(x, alone, values), abs=5e-3)


def test_fitted_weights_turn_states_around_that_speak_against_the_score():
    x, human, values, _ = layered(600, seed=9, noise=0.3)
    signed = solve_path(x, human, values, kind="signed", strengths=(1.0,), loss=Loss())[0]
    assert (signed.weights[1:] > 0).tolist() == [True, False, True, False, True]


def test_fitting_does_not_change_its_input_and_is_reproducible():
    x, human, values, _ = layered(50)
    before = x.copy()
    runs = [solve_path(x, human, values, kind="full", strengths=(10.0,), loss=Loss())[0] for _ in range(2)]
    assert np.array_equal(x, before)
    assert np.array_equal(runs[0].weights, runs[1].weights)


def test_predict_ignores_states_beyond_the_weights():
    x, _, values, _ = layered(10)
    one = Solution(np.array([0.0, 1.0]), None, 0.0, True, 0)
    assert np.array_equal(predict(x, one, values), predict(x[:, :2], one, values))


@pytest.mark.parametrize("kind", ["signed", "full"])
def test_the_unit_of_the_scale_changes_no_weight(kind):
    x, human, values, _ = layered(120)
    near = solve_path(x, human, values, kind=kind, strengths=(10.0,), loss=Loss())[0]
    far = solve_path(x, 25 * (human - 1), 25 * (values - 1), kind=kind, strengths=(10.0,), loss=Loss())[0]
    # 1 to 5 and 0 to 100 with the same labels; float64 rounding of the products with 25 moves the solver's end a little.
    assert far.weights == pytest.approx(near.weights, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("kind", ["signed", "full"])
def test_one_item_far_outside_does_not_flatten_the_others(kind):
    x, human, values, _ = layered(120)
    wild = x.copy()
    wild[7] *= 10_000
    clean, found = (
        solve_path(given, human, values, kind=kind, strengths=(10.0,), loss=Loss())[0] for given in (x, wild)
    )
    rest = np.arange(120) != 7
    scores = predict(x[rest], found, values)
    assert (
        np.corrcoef(scores, human[rest])[0, 1] > np.corrcoef(predict(x[rest], clean, values), human[rest])[0, 1] - 0.02
    )
    assert np.isfinite(predict(wild, found, values)).all()


def test_scipys_blas_has_one_thread_too_although_it_is_loaded_late():
    code = (
        "import numpy, scipy, threadpoolctl; from lager_lite.fitting.solving import single_thread\n"
        "with single_thread():\n"
        "    scipy.linalg.cholesky(numpy.eye(3))\n"
        "    print({i['num_threads'] for i in threadpoolctl.threadpool_info() if i['user_api'] == 'blas'})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{1}"
