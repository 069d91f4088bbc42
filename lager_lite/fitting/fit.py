"""Fit layer weights to human scores; the strength of the ridge is chosen on the same items by cross-validation.

There are four kinds of weights: `uniform` (nothing is fitted), `simplex` (parametrised by a softmax, as in
the paper), `signed` (one weight of either sign per state, and a bias per label) and `full` (one weight per
state and label, and a bias per label).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FitError
from ..records import BOTH_LENSES, LENSES, WEIGHT_KINDS, LayerWeights
from ..stats import mid_ranks
from .calibration import fit_calibration
from .folds import Columns, group_folds, out_of_fold, within_fold_ranks
from .objective import Loss, check_labelled, check_loss
from .solving import Solution, predict, solve_path, uniform_solution

# Ridge strengths that are tried, strongest first; in items, since the loss is a mean and the ridge a sum.
GRID = (30000.0, 10000.0, 3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
# Of ridges whose agreement is this close to the best one, that with the least squared error wins. Ranks do not see how
# flat the scores are: the strongest one has nearly no slope where few numbers are fitted, so that the level of each fold
# is most of what pooled scores, and calibrations of them, hold.
TIE = 0.002
# The strength is chosen on about this many items at most: more of them only take longer.
SELECTION_ITEMS = 10_000


@dataclass(frozen=True)
class FitResult:
    """Fitted weights and how they came about.

    weights: the layer weights, with their calibration where one was asked for.
    strength: the ridge's strength; None for kind "uniform".
    loss: mean training loss, without the ridge.
    items, groups: how many items the weights were fitted on, and in how many groups they are.
    trials: (strength, Spearman correlation of out-of-fold scores or None where undefined) for every
        strength tried; empty where the strength was given.
    out_of_fold: raw scores float64 (n,), each by weights that have not seen the item's group, NaN for items
        on which nothing was tried; None where there was no cross-validation.
    converged: whether the solver ended before its limit of steps.
    prior: how much of a prior the weights hold, 0 to 1.
    """

    weights: LayerWeights
    strength: float | None
    loss: float
    items: int
    groups: int
    trials: tuple[tuple[float, float | None], ...] = ()
    out_of_fold: np.ndarray | None = None
    converged: bool = True
    prior: float = 0.0


@dataclass(frozen=True)
class _Path:
    """The fits for every strength at once. x: the layer logits under the name `lens`."""

    kind: str
    lens: str
    values: np.ndarray
    strengths: tuple[float, ...]
    loss: Loss

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> SolvedPath:
        found = solve_path(x[self.lens], human, self.values, kind=self.kind, strengths=self.strengths, loss=self.loss)
        return SolvedPath(self.lens, self.values, tuple(found))


@dataclass(frozen=True)
class SolvedPath:
    """One solution for each strength; predicts raw scores, float64 (strengths, n).

    lens: name of the column of layer logits that they read.
    values: of the labels, float64 (K,).
    solutions: in the order of the strengths.
    """

    lens: str
    values: np.ndarray
    solutions: tuple[Solution, ...]

    def predict(self, x: Columns) -> np.ndarray:
        return np.stack([predict(x[self.lens], solution, self.values) for solution in self.solutions])


def fit(
    layer_logits: np.ndarray,
    human: np.ndarray,
    values: np.ndarray | Sequence[float],
    *,
    kind: str,
    lens: str,
    strength: float | None = None,
    groups: np.ndarray | Sequence[Any] | None = None,
    loss: Loss = Loss(),
    folds: int = 5,
    seed: int = 0,
    max_states: int | None = None,
    grid: Sequence[float] = GRID,
    calibrate: bool = True,
) -> FitResult:
    """Fit weights of one kind to layer logits (n, S, K) of one lens and human scores (n,).

    lens: one of LENSES; for kind "full" also BOTH_LENSES, with layer logits (n, S, 2K).
    values: of the labels, (K,) ascending; human scores may lie between them.
    strength: of the ridge. None: among those from `grid` whose out-of-fold scores have the highest Spearman
        correlation with `human`, or one within 0.002 of it, the one with the least squared error.
    groups: (n,), what folds never split; None: every item by itself.
    max_states: how many states to use, counted from state 0; None: all.
    calibrate: also fit the calibration, on the same out-of-fold scores.

    Raises FitError for unknown choices, for data from which nothing can be fitted, and for fewer groups
    than folds.
    """
    check_choices(kind, lens, loss, max_states)
    values = np.asarray(values, dtype=np.float64)
    human = np.asarray(human, dtype=np.float64)
    check_labelled(layer_logits, human, values, lenses=2 if lens == BOTH_LENSES else 1)
    x = np.asarray(layer_logits)[:, :max_states]
    groups = np.arange(human.size) if groups is None else np.asarray(groups)
    count = int(np.unique(groups).size)
    if kind == "uniform":
        only = uniform_solution(x, human, values, loss)
        weights = pack(only, kind, lens, values, (predict(x, only, values), human) if calibrate else None)
        return FitResult(weights, None, only.loss, human.size, count)
    strengths = checked_strengths(grid) if strength is None else (float(strength),)
    trials: tuple[tuple[float, float | None], ...] = ()
    raw: np.ndarray | None = None
    pairs = None
    if strength is None or calibrate:
        rows = selection_rows(groups, SELECTION_ITEMS, seed)
        fold = group_folds(groups[rows], folds, seed, human[rows])
        path = _Path(kind, lens, values, strengths, loss)
        found, _ = out_of_fold(path, {lens: x[rows]}, human[rows], groups[rows], fold)
        tried = tuple((s, rank_agreement(within_fold_ranks(p, fold), human[rows])) for s, p in zip(strengths, found))
        best = choose_strength(tried, np.mean((found - human[rows]) ** 2, axis=1))
        trials, strengths = (tried if strength is None else ()), (strengths[best],)
        raw = np.full(human.size, np.nan)
        raw[rows] = found[best]
        pairs = (raw[rows], human[rows]) if calibrate else None
    end = solve_path(x, human, values, kind=kind, strengths=strengths, loss=loss)[0]
    weights = pack(end, kind, lens, values, pairs)
    return FitResult(weights, strengths[0], end.loss, human.size, count, trials, raw, end.converged)


def check_choices(kind: str, lens: str, loss: Loss, max_states: int | None) -> None:
    """Raise FitError for a kind, lens, loss or number of states that does not exist."""
    if kind not in WEIGHT_KINDS:
        raise FitError(f"unknown kind of weights {kind!r}", f"use one of {', '.join(WEIGHT_KINDS)}")
    lenses = (*LENSES, BOTH_LENSES) if kind == "full" else LENSES
    if lens not in lenses:
        raise FitError(f"unknown lens {lens!r} for kind {kind!r}", f"use one of {', '.join(lenses)}")
    if max_states is not None and max_states < 1:
        raise FitError(f"max_states must be at least 1, got {max_states}")
    check_loss(loss)


def selection_rows(groups: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Row numbers int (m,), ascending, of whole groups drawn at random up to about `most` rows.

    groups (n,); all rows where there are no more than `most`.
    """
    if groups.size <= most:
        return np.arange(groups.size)
    _, code, size = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(size.size)
    kept = order[: max(1, int(np.searchsorted(np.cumsum(size[order]), most, side="right")))]
    return np.flatnonzero(np.isin(code.reshape(-1), kept))


def rank_agreement(predicted: np.ndarray, human: np.ndarray) -> float | None:
    """Spearman correlation of two arrays (n,), or None where either is constant.

    Ranks inside folds are ranked again here, unlike in `pooled_spearman`: ranking them once would choose another ridge in
    16 of 798 fits of the study, and move figures on its small sets by up to 0.004.
    """
    # As scipy.stats.spearmanr, but for the last bits, which decide between strengths that agree equally well.
    a, b = mid_ranks(predicted), mid_ranks(human)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def choose_strength(trials: Sequence[tuple[float, float | None]], errors: np.ndarray) -> int:
    """The place in `trials` of the ridge with the least error among those whose agreement is within 0.002 of the best.

    trials: (strength, agreement or None where undefined) each. errors: mean squared errors, float64 (len(trials),).
    """
    defined = [agreement for _, agreement in trials if agreement is not None]
    floor = max(defined) - TIE if defined else -np.inf
    good = [i for i, (_, found) in enumerate(trials) if not defined or (found is not None and found >= floor)]
    return min(good, key=lambda i: errors[i])


def pack(
    solution: Solution,
    kind: str,
    lens: str,
    values: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray] | None,
) -> LayerWeights:
    """A solution as layer weights.

    pairs: raw and human scores, (m,) each, that the calibration is fitted on; None for no calibration.
    """
    calibration = None if pairs is None else fit_calibration(*pairs, values)
    return LayerWeights(kind, lens, solution.weights, solution.bias, "logits", calibration, solution.limits)


def checked_strengths(grid: Sequence[float]) -> tuple[float, ...]:
    """The strengths of a grid, strongest first. Raises FitError for an empty grid and for negative strengths."""
    strengths = tuple(sorted((float(s) for s in grid), reverse=True))
    if not strengths or strengths[-1] < 0:
        raise FitError(f"ridge strengths must be given and not negative, got {list(grid)}")
    return strengths
