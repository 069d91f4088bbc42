"""Find the weights of one kind for a path of ridge strengths."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import scipy
from threadpoolctl import ThreadpoolController

from ..scoring import combine_arrays, expected, softmax
from .objective import (
    EvidenceDesign,
    Loss,
    StateDesign,
    evidence_design,
    loss_and_slope,
    plain_design,
    soft_labels,
    state_design,
    usual_range,
)

# Ridge on the bias, in items: without it a label that nobody gave would be ruled out for good.
_BIAS_RIDGE = 1.0


@dataclass(frozen=True)
class Solution:
    """Where the solver ended.

    weights: float64 (S,), or (S, K) for kind "full".
    bias: float64 (K,); None for kinds "uniform" and "simplex".
    loss: mean training loss, without the ridge.
    converged: whether the solver ended before its limit of steps.
    steps: how many it took.
    limits: float64 (2, S, K), what layer logits are clipped to before they are combined; None: they are not.
    """

    weights: np.ndarray
    bias: np.ndarray | None
    loss: float
    converged: bool
    steps: int
    limits: np.ndarray | None = None


def solve_path(
    layer_logits: np.ndarray,
    human: np.ndarray,
    values: np.ndarray,
    *,
    kind: str,
    strengths: tuple[float, ...],
    loss: Loss,
    prior: Solution | None = None,
) -> list[Solution]:
    """The weights for every ridge strength, each started from the one before; strongest first is fastest.

    layer_logits (n, S, K), for kind "full" also (n, S, 2K); human (n,); values (K,). The mean loss + strength / (2 n) * |parameters - prior|^2
    is minimised, where the parameters are the standardised weights for kinds "signed" and "full" and the
    softmax's arguments for "simplex".
    prior: the solution that the ridge draws to. None: uniform weights, or zero for kind "full".
    Layer logits are clipped to their `usual_range` first, and the solutions say so in `limits`.
    """
    values = np.asarray(values, dtype=np.float64)
    human = np.asarray(human, dtype=np.float64)
    limits = usual_range(layer_logits)
    x = np.clip(layer_logits, *limits)
    with single_thread():
        if kind == "simplex":
            found = _simplex_path(x, human, values, strengths=strengths, loss=loss, prior=prior)
        else:
            shared = kind == "signed"
            found = _ridge_path(x, human, values, shared, strengths=strengths, loss=loss, prior=prior)
    return [replace(one, limits=limits) for one in found]


def single_thread() -> AbstractContextManager[Any]:
    """A block in which BLAS uses one thread.

    Fitting makes thousands of small matrix products; on a busy machine BLAS threads that wait for each
    other make them ten times slower.
    """
    block: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return block


@cache
def _libraries() -> Any:
    # Scanning the loaded libraries takes milliseconds, so it is done once, when scipy's own BLAS is among them.
    import_module("scipy.linalg")
    return ThreadpoolController()


def _ridge_path(
    layer_logits: np.ndarray,
    human: np.ndarray,
    values: np.ndarray,
    shared: bool,
    *,
    strengths: tuple[float, ...],
    loss: Loss,
    prior: Solution | None,
) -> list[Solution]:
    soft = soft_labels(human, values)
    labels, items = soft.shape
    base = np.log((soft.sum(axis=1) + 0.5) / (items + 0.5 * labels))
    plan = state_design(layer_logits) if shared else evidence_design(layer_logits, labels)
    if prior is not None:
        assert prior.bias is not None  # weights of these two kinds always have one
        anchor = plan.adopt(prior.weights, prior.bias)
    elif shared:
        anchor = np.concatenate([plan.size / plan.size.size, base])
    else:
        anchor = np.concatenate([np.zeros(plan.size.size), base])
    curve = plan.curvature(_typical_block(soft, values, loss))
    theta, found = anchor, []
    for strength in strengths:
        ridge = np.full(anchor.size, float(strength))
        ridge[-labels:] = _BIAS_RIDGE
        theta, converged, steps = _minimise(
            plan, soft, human, values, loss=loss, anchor=anchor, ridge=ridge, curve=curve, start=theta
        )
        weights, bias = plan.export(theta)
        value, _ = loss_and_slope(plan.logits(theta), soft, human, values, loss)
        found.append(Solution(weights, bias, value, converged, steps))
    return found


def uniform_solution(layer_logits: np.ndarray, human: np.ndarray, values: np.ndarray, loss: Loss) -> Solution:
    """Equal weights for layer logits (n, S, K), and their loss; nothing is fitted."""
    states = np.shape(layer_logits)[1]
    weights = np.full(states, 1.0 / states)
    z = np.einsum("nsk,s->kn", layer_logits, weights)
    values = np.asarray(values, dtype=np.float64)
    value, _ = loss_and_slope(z, soft_labels(human, values), np.asarray(human, np.float64), values, loss)
    return Solution(weights, None, value, True, 0)


def predict(layer_logits: np.ndarray, solution: Solution, values: np.ndarray) -> np.ndarray:
    """Raw expected scores (n,) of layer logits (n, S, K); states above the weights are ignored."""
    used = np.asarray(layer_logits)[:, : solution.weights.shape[0]]
    used = used if solution.limits is None else np.clip(used, *solution.limits)
    return expected(softmax(combine_arrays(used, solution.weights, solution.bias)), values)


def _typical_block(soft: np.ndarray, values: np.ndarray, loss: Loss) -> np.ndarray:
    """Second derivative (K, K) of one item's loss where every label has its base rate."""
    p = (soft.sum(axis=1) + 0.5) / (soft.shape[1] + 0.5 * soft.shape[0])
    lean = p * (values - values @ p) / loss.unit_on(values)
    error = 2.0 if loss.error == "squared" else 1.0
    return loss.mix * (np.diag(p) - np.outer(p, p)) + (1.0 - loss.mix) * error * np.outer(lean, lean)


def _minimise(
    plan: StateDesign | EvidenceDesign,
    soft: np.ndarray,
    human: np.ndarray,
    values: np.ndarray,
    *,
    loss: Loss,
    anchor: np.ndarray,
    ridge: np.ndarray,
    curve: np.ndarray,
    start: np.ndarray,
) -> tuple[np.ndarray, bool, int]:
    """L-BFGS in coordinates in which the typical curvature is the identity.

    Neighbouring states are nearly collinear; without this change of coordinates the solver needs thousands
    of steps instead of tens.
    """
    items = human.size
    hessian = (curve + np.diag(ridge)) / items
    # The softmax has no curvature in one direction of the logits; a trace of the identity makes up for it.
    hessian[np.diag_indices_from(hessian)] += 1e-10 * np.trace(hessian) / anchor.size + 1e-300
    root = np.asfortranarray(scipy.linalg.cholesky(hessian))

    def goal(u: np.ndarray) -> tuple[float, np.ndarray]:
        """The penalised error and its slope, by the coordinates u."""
        theta = _solve(root, u)
        value, slope = loss_and_slope(plan.logits(theta), soft, human, values, loss)
        away = theta - anchor
        value += 0.5 * float(ridge @ away**2) / items
        gradient = plan.pull(slope) + ridge * away / items
        return value, _solve(root, gradient, transposed=True)

    end, converged, steps = _lbfgs(goal, root @ start)
    return _solve(root, end), converged, steps


def _solve(root: np.ndarray, right: np.ndarray, *, transposed: bool = False) -> np.ndarray:
    """Solve root x = right for an upper triangle in Fortran's order, or with its transpose; x (P,).

    scipy.linalg.solve_triangular calls the same function, and on matrices this small its checks take longer than that.
    """
    found: np.ndarray = scipy.linalg.lapack.dtrtrs(root, right, trans=int(transposed))[0]
    return found


def _lbfgs(goal: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray) -> tuple[np.ndarray, bool, int]:
    """Where L-BFGS ends, whether it converged, and in how many steps; goal: from (P,) to value and gradient."""
    options: Any = {"maxiter": 300, "maxcor": 10, "ftol": 1e-9, "gtol": 1e-6}
    end = scipy.optimize.minimize(goal, start, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(end.x), bool(end.status == 0), int(end.nit)


def simplex_goal(
    arguments: np.ndarray, plan: StateDesign, soft: np.ndarray, human: np.ndarray, values: np.ndarray, loss: Loss
) -> tuple[float, np.ndarray]:
    """Loss of softmax-parametrised weights, and its gradient (S,) by the softmax's arguments (S,).

    plan: from `plain_design`, so that its parameters are the weights themselves.
    """
    weights = softmax(arguments)
    theta = np.concatenate([weights, np.zeros(values.size)])
    value, slope = loss_and_slope(plan.logits(theta), soft, human, values, loss)
    gradient = plan.pull(slope)[: weights.size]
    return value, weights * (gradient - weights @ gradient)


def _simplex_path(
    layer_logits: np.ndarray,
    human: np.ndarray,
    values: np.ndarray,
    *,
    strengths: tuple[float, ...],
    loss: Loss,
    prior: Solution | None,
) -> list[Solution]:
    plan, soft = plain_design(layer_logits), soft_labels(human, values)
    states = plan.features.shape[2]
    # A weight of zero has no logarithm; the floor is about e^-30.
    anchor = np.zeros(states) if prior is None else np.log(np.maximum(prior.weights, 1e-13))
    arguments, found = anchor, []
    for strength in strengths:

        def goal(a: np.ndarray, pull: float = float(strength) / human.size) -> tuple[float, np.ndarray]:
            value, gradient = simplex_goal(a, plan, soft, human, values, loss)
            return value + 0.5 * pull * float((a - anchor) @ (a - anchor)), gradient + pull * (a - anchor)

        arguments, converged, steps = _lbfgs(goal, arguments)
        value, _ = simplex_goal(arguments, plan, soft, human, values, loss)
        found.append(Solution(softmax(arguments), None, value, converged, steps))
    return found
