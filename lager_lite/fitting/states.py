"""Weights of whole hidden states: kernel ridge regression on the states of all layers.

A label shows what a handful of score tokens make of a state; the states themselves know more. They have far more
entries than there are labels, so the ridge is solved in its dual form: the entries of every state are standardised
on the training items, the products of the items' states (the kernel) are averaged over the states, and the weights
are a sum over the training items (Saunders, Gammerman and Vovk, Ridge Regression Learning Algorithm in Dual
Variables, ICML 1998). The kernel is linear, so the solution is one weight for each entry of each state: a weights
file holds these, and a score needs one pass and one product.

Scores of items that the weights have not seen follow in closed form: for a group G with C the inverse of the
kernel plus ridge, the error is inv(C[G, G]) @ (C @ y)[G] (Cook and Weisberg, Residuals and Influence in Regression,
1982, section 3.6). So every strength is tried by leaving out each group in turn, at the price of one decomposition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy

from ..errors import FitError
from ..records import STATES_KIND, LayerWeights
from ..scoring import state_parts, states_score
from .calibration import fit_calibration
from .fit import FitResult, checked_strengths, rank_agreement, selection_rows
from .folds import Columns
from .objective import check_labels
from .solving import single_thread

STATES = "states"
"""The column of a `StatesMethod`: float16 (n, S, n_embd), every state divided by its root mean square."""

# Ridge strengths that are tried; in units of the mean square of an item's standardised states.
STATES_GRID = (100.0, 30.0, 10.0, 3.0, 1.0, 0.5, 0.25, 0.1, 0.03, 0.01)
# How much of a prior may be taken: from none, where it misleads, to all.
PRIOR_SHARES = (0.0, 0.5, 1.0)
# Where a prior is known, so few labels may be there that nothing should be added to it.
_PRIOR_STRENGTHS = (1e4, 1e3)
# The strength is chosen on about this many items at most: the decomposition takes their number cubed.
STATES_ITEMS = 3000
# The level of the scores is a kernel of its own, so large that the ridge hardly draws it to the labels' mean.
_LEVEL = 100.0


@dataclass(frozen=True)
class Moments:
    """How the entries of the states are standardised.

    mean: float32 (S, n_embd).
    size: float32 (S, n_embd), the standard deviation; infinite for entries that never vary, which become 0.
    """

    mean: np.ndarray
    size: np.ndarray

    @property
    def moving(self) -> int:
        """How many entries vary, at least 1."""
        return max(1, int(np.isfinite(self.size).sum()))

    def standardised(self, states: np.ndarray, state: int) -> np.ndarray:
        """One state of items (n, S, n_embd), float32 (n, n_embd)."""
        found: np.ndarray = (states[:, state].astype(np.float32) - self.mean[state]) / self.size[state]
        return found


def moments_and_kernel(states: np.ndarray) -> tuple[Moments, np.ndarray]:
    """The moments of states (n, S, n_embd), and the kernel: products of the standardised states, float64 (n, n).

    The products are means over the entries that vary, so the kernel's diagonal is about one.
    """
    mean, size = np.empty((2, *states.shape[1:]), dtype=np.float32)
    total = np.zeros((len(states), len(states)))
    for state in range(states.shape[1]):
        x = states[:, state].astype(np.float32)
        mean[state] = x.mean(axis=0)
        x -= mean[state]
        spread = np.sqrt(np.mean(x * x, axis=0))
        # The rounding of float16 must not be scaled up to size one.
        size[state] = np.where(spread > 2e-3 * np.maximum(np.abs(mean[state]), 1e-3), spread, np.inf)
        x /= size[state]
        total += x @ x.T
    moments = Moments(mean, size)
    return moments, total / moments.moving


def state_kernel(states: np.ndarray) -> np.ndarray:
    """Products of standardised states (n, S, n_embd), float64 (n, n), see `moments_and_kernel`."""
    with single_thread():
        return moments_and_kernel(states)[1]


@dataclass(frozen=True)
class Tried:
    """What leaving out each group shows of every strength.

    strengths: float64 (m,). unseen: scores float64 (m, n), each by a fit that has not seen the item's group.
    errors: mean squared error of each, (m,).
    """

    strengths: tuple[float, ...]
    unseen: np.ndarray
    errors: np.ndarray

    @property
    def best(self) -> int:
        """The place of the strength with the smallest error."""
        return int(np.argmin(self.errors))


def leave_groups_out(
    products: np.ndarray, human: np.ndarray, groups: np.ndarray, strengths: tuple[float, ...]
) -> Tried:
    """Scores of every item by fits without its group, for every strength.

    products: the kernel float64 (n, n); human (n,); groups (n,). Raises FitError for a single group.
    """
    names, code = np.unique(groups, return_inverse=True)
    if names.size < 2:
        raise FitError("all labelled items are of one group: nothing can be chosen", "label items of more groups")
    level = float(human.mean())
    values, vectors = scipy.linalg.eigh(products + _LEVEL, check_finite=False)
    pulled = vectors.T @ (human - level)
    members = [np.flatnonzero(code.reshape(-1) == number) for number in range(names.size)]
    unseen = np.empty((len(strengths), human.size))
    for row, strength in enumerate(strengths):
        inverse = 1.0 / (np.maximum(values, 0.0) + strength)
        duals = vectors @ (inverse * pulled)
        for mine in members:
            block = (vectors[mine] * inverse) @ vectors[mine].T
            unseen[row, mine] = human[mine] - np.linalg.solve(block, duals[mine])
    return Tried(strengths, unseen, np.asarray(np.mean((unseen - human) ** 2, axis=1)))


def fit_states(
    states: np.ndarray,
    human: np.ndarray,
    values: np.ndarray | Sequence[float],
    *,
    groups: np.ndarray | Sequence[Any] | None = None,
    strength: float | None = None,
    prior: LayerWeights | None = None,
    prior_shares: Sequence[float] = PRIOR_SHARES,
    seed: int = 0,
    max_states: int | None = None,
    grid: Sequence[float] = STATES_GRID,
    calibrate: bool = True,
) -> FitResult:
    """Fit weights of kind "states" to states (n, S, n_embd) and human scores (n,).

    values: of the labels, (K,) ascending; human scores may lie between them.
    strength: of the ridge. None: the one from `grid` with the smallest mean squared error on items whose group was
        left out.
    prior: weights of kind "states" toward which the ridge draws; None: toward zero.
    prior_shares: how much of the prior may be taken, 0 (nothing) to 1; chosen together with the strength.
    groups: (n,), what is left out together; None: every item by itself.
    seed: of the part of very many items on which the strength is chosen.
    max_states: how many states to use, counted from state 0; None: all.
    calibrate: also fit the calibration, on the same scores of groups that were left out.

    Raises FitError for states that are not finite, for labels from which nothing can be fitted, and for one group.
    """
    values, human = np.asarray(values, dtype=np.float64), np.asarray(human, dtype=np.float64)
    check_labels(human, values)
    states = np.asarray(states)[:, :max_states]
    if len(states) != len(human) or not np.isfinite(states).all():
        raise FitError(f"{len(states)} items with finite states are needed for {len(human)} labels, some are missing")
    groups = np.arange(human.size) if groups is None else np.asarray(groups)
    grid = grid if prior is None else (*_PRIOR_STRENGTHS, *grid)
    strengths = checked_strengths(grid if strength is None else (strength,))
    count = int(np.unique(groups).size)
    rows = selection_rows(groups, STATES_ITEMS, seed)
    known = _prior_scores(states, prior)
    shares = (0.0,) if prior is None else tuple(prior_shares)
    with single_thread():
        moments, products = moments_and_kernel(states)
        if strength is not None and not calibrate and len(shares) == 1:
            weights = _added(_solved(products, states, human - shares[0] * known, moments, strength), prior, shares[0])
            return FitResult(
                weights, strength, _loss(states, human, values, weights), human.size, count, prior=shares[0]
            )
        part = products[np.ix_(rows, rows)]
        found = [leave_groups_out(part, (human - s * known)[rows], groups[rows], strengths) for s in shares]
        tried, share = min(zip(found, shares), key=lambda pair: pair[0].errors[pair[0].best])
        chosen = strengths[tried.best]
        weights = _added(_solved(products, states, human - share * known, moments, chosen), prior, share)
    scores = np.clip(tried.unseen[tried.best] + share * known[rows], values[0], values[-1])
    if calibrate:
        weights = replace(weights, calibration=fit_calibration(scores, human[rows], values))
    raw = np.full(human.size, np.nan)
    raw[rows] = scores
    trials = tuple((s, rank_agreement(p + share * known[rows], human[rows])) for s, p in zip(strengths, tried.unseen))
    loss = _loss(states, human, values, weights)
    return FitResult(weights, chosen, loss, human.size, count, trials, raw, prior=share)


def _prior_scores(states: np.ndarray, prior: LayerWeights | None) -> np.ndarray:
    """What the prior says of states (n, S, n_embd), float64 (n,), not clipped; zeros where there is none."""
    if prior is None:
        return np.zeros(len(states))
    if prior.kind != STATES_KIND or prior.text is not None:
        raise FitError("only plain weights of kind states can be a prior", "fit weights of this kind")
    if len(prior.weights) > states.shape[1] or prior.weights.shape[1] != states.shape[2]:
        raise FitError(
            f"the prior reads {len(prior.weights)} states of {prior.weights.shape[1]} numbers, "
            f"the items have {states.shape[1]} of {states.shape[2]}",
            "give a prior that was fitted with this model",
        )
    found: np.ndarray = state_parts(states, prior).sum(axis=-1)
    return found


def _added(weights: LayerWeights, prior: LayerWeights | None, share: float) -> LayerWeights:
    """The weights plus a share of the prior, which may read fewer states."""
    if prior is None or share == 0:
        return weights
    assert weights.bias is not None
    both, bias = weights.weights.copy(), weights.bias.copy()
    both[: len(prior.weights)] += share * prior.weights
    if prior.bias is not None:
        bias[: len(prior.weights)] += share * prior.bias
    # Float32, as the file keeps them.
    return replace(weights, weights=both.astype(np.float32).astype(np.float64), bias=bias)


def _loss(states: np.ndarray, human: np.ndarray, values: np.ndarray, weights: LayerWeights) -> float:
    return float(np.mean((states_score(states, values, weights)[1] - human) ** 2))


def _solved(
    products: np.ndarray, states: np.ndarray, human: np.ndarray, moments: Moments, strength: float
) -> LayerWeights:
    """The weights for one strength; products: the kernel of the items, (n, n)."""
    level = float(human.mean())
    system = products + _LEVEL
    system[np.diag_indices_from(system)] += strength
    duals = scipy.linalg.cho_solve(scipy.linalg.cho_factor(system, check_finite=False), human - level)
    weights = np.empty(moments.mean.shape, dtype=np.float32)
    for state in range(states.shape[1]):
        pulled = duals.astype(np.float32) @ moments.standardised(states, state)
        weights[state] = pulled / moments.moving / moments.size[state]
    # Float32, as the file keeps them; the bias belongs to these very numbers.
    weights = weights.astype(np.float64)
    bias = -np.einsum("sd,sd->s", weights, moments.mean.astype(np.float64))
    bias[0] += level + _LEVEL * float(duals.sum())
    return LayerWeights(STATES_KIND, "norm", weights, bias)


@dataclass(frozen=True)
class StatesScorer:
    """Fitted weights of kind "states"; predicts raw and calibrated scores, float64 (2, n).

    found: the fit. values: of the labels, float64 (K,).
    """

    found: FitResult
    values: np.ndarray

    def predict(self, x: Columns) -> np.ndarray:
        _, raw, calibrated = states_score(x[STATES], self.values, self.found.weights)
        return np.stack([raw, calibrated])


@dataclass(frozen=True)
class StatesMethod:
    """Weights of kind "states"; a method for `out_of_fold` whose x holds the column STATES.

    values: of the labels, float64 (K,). seed, max_states, strength, calibrate, prior, prior_shares: as of `fit_states`.
    """

    values: np.ndarray
    seed: int = 0
    max_states: int | None = None
    strength: float | None = None
    calibrate: bool = True
    prior: LayerWeights | None = None
    prior_shares: Sequence[float] = PRIOR_SHARES

    def settled(self, fits: Sequence[StatesScorer]) -> StatesMethod:
        """The method with the middle one of what these fits chose, and without a calibration."""
        chosen = sorted(one.found.strength or 0.0 for one in fits)
        shares = sorted(one.found.prior for one in fits)
        middle = len(chosen) // 2
        return replace(self, strength=chosen[middle], calibrate=False, prior_shares=(shares[middle],))

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> StatesScorer:
        """Fit weights of kind states; see `fit_states`."""
        found = fit_states(
            x[STATES],
            human,
            self.values,
            groups=groups,
            strength=self.strength,
            seed=self.seed,
            max_states=self.max_states,
            calibrate=self.calibrate,
            prior=self.prior,
            prior_shares=self.prior_shares,
        )
        return StatesScorer(found, self.values)


def states_column(columns: Columns) -> Columns:
    """The column that a `StatesMethod` reads, of those given. Raises FitError where it is not among them."""
    if STATES not in columns:
        raise FitError("weights of kind states need the states themselves", "open the judge with states=True")
    return {STATES: columns[STATES]}
