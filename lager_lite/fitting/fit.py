"""Fit layer weights to human scores; the strength of the ridge is chosen inside the data given.

Kinds: `uniform` (nothing fitted), `simplex` (softmax-parametrised, the paper), `signed` (one weight
of free sign per state, and a bias per label), `full` (one weight per state and label, and a bias).
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ..errors import FitError
from ..records import LENSES, WEIGHT_KINDS, LayerWeights
from .calibration import fit_calibration
from .objective import Loss, check_labelled, check_loss
from .solving import Solution, predict, solve_path, uniform_solution

GRID = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
# A stronger ridge this close to the best agreement wins: it transfers better.
TIE = 0.002
# The strength is chosen on at most about this many items: more change nothing but the time.
SELECTION_ITEMS = 10_000


@dataclass(frozen=True)
class FitResult:
    """Fitted weights and how they came about.

    strength: of the ridge, None for kind uniform. loss: mean training loss without the ridge.
    trials: (strength, Spearman of out-of-fold predictions, None where undefined), empty where the
    strength was given. out_of_fold: raw scores (n,) of weights that have not seen the item, NaN
    where none were computed; None where there was no cross-validation. items, groups: how many.
    """

    weights: LayerWeights
    strength: float | None
    loss: float
    items: int
    groups: int
    trials: tuple[tuple[float, float | None], ...] = ()
    out_of_fold: np.ndarray | None = None
    converged: bool = True


@dataclass(frozen=True)
class SharedFit:
    """One pooled fit and, by criterion, weights drawn toward it by a ridge of strength `strength`."""

    pooled: FitResult
    by_criterion: Mapping[str, FitResult]
    strength: float
    trials: tuple[tuple[float, float | None], ...]


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

    values (K,) ascending; human scores need not be integers. strength None: the one from `grid`
    whose out-of-fold predictions have the highest Spearman correlation with `human`, folds split by
    `groups` (n,); among those within 0.002 of the best the strongest. max_states: use the first
    so many states only. The calibration is fitted on the same out-of-fold scores.
    Raises FitError for data from which nothing can be fitted, fewer groups than folds included.
    """
    check_choices(kind, lens, loss, max_states)
    values = np.asarray(values, dtype=np.float64)
    human = np.asarray(human, dtype=np.float64)
    check_labelled(layer_logits, human, values)
    x = np.asarray(layer_logits)[:, :max_states]
    groups = np.arange(human.size) if groups is None else np.asarray(groups)
    count = int(np.unique(groups).size)
    if kind == "uniform":
        only = uniform_solution(x, human, values, loss)
        weights = pack(only, kind, lens, values, (predict(x, only, values), human) if calibrate else None)
        return FitResult(weights, None, only.loss, human.size, count)
    strengths = _strengths(grid) if strength is None else (float(strength),)
    trials: tuple[tuple[float, float | None], ...] = ()
    raw: np.ndarray | None = None
    if strength is None or calibrate:
        rows = selection_rows(groups, SELECTION_ITEMS, seed)
        fold = group_folds(groups[rows], folds, seed)
        found = out_of_fold(x[rows], human[rows], values, fold, kind=kind, strengths=strengths, loss=loss)
        trials = tuple((s, rank_agreement(p, human[rows])) for s, p in zip(strengths, found))
        best = choose(trials)
        strengths, raw = (trials[best][0],), np.full(human.size, np.nan)
        raw[rows] = found[best]
    end = solve_path(x, human, values, kind=kind, strengths=strengths, loss=loss)[0]
    pairs = (raw[rows], human[rows]) if calibrate and raw is not None else None
    return FitResult(
        pack(end, kind, lens, values, pairs),
        strengths[0],
        end.loss,
        human.size,
        count,
        trials if strength is None else (),
        raw,
        end.converged,
    )


def fit_by_criterion(
    layer_logits: np.ndarray,
    human: np.ndarray,
    values: np.ndarray | Sequence[float],
    criterion: Sequence[str],
    *,
    kind: str,
    lens: str,
    groups: np.ndarray | Sequence[Any] | None = None,
    loss: Loss = Loss(),
    folds: int = 5,
    seed: int = 0,
    grid: Sequence[float] = GRID,
) -> SharedFit:
    """Weights per criterion with a shared prior: a pooled fit, then each drawn toward it.

    criterion (n,) names. One strength serves all criteria; it is chosen by the mean over criteria
    of the Spearman correlation of out-of-fold predictions, where the pooled fit, too, is made
    without the fold held out. For a criterion not seen here use `pooled`. Raises as `fit`.
    """
    if kind == "uniform":
        raise FitError("uniform weights are the same for every criterion", "fit another kind")
    pooled = fit(
        layer_logits, human, values, kind=kind, lens=lens, groups=groups, loss=loss, folds=folds, seed=seed, grid=grid
    )
    assert pooled.strength is not None  # every kind but uniform has one
    if len(criterion) != len(human):
        raise FitError(f"{len(criterion)} criteria were given for {len(human)} items")
    x, human = np.asarray(layer_logits), np.asarray(human, dtype=np.float64)
    values, names = np.asarray(values, dtype=np.float64), np.asarray(criterion)
    groups = np.arange(human.size) if groups is None else np.asarray(groups)
    fold, strengths = group_folds(groups, folds, seed), _strengths(grid)
    raw = np.full((len(strengths), human.size), np.nan)
    for part in range(folds):
        train = fold != part
        shared = solve_path(x[train], human[train], values, kind=kind, strengths=(pooled.strength,), loss=loss)[0]
        for name in np.unique(names):
            mine, test = train & (names == name), (fold == part) & (names == name)
            path = [shared] * len(strengths)
            if mine.any():
                path = solve_path(x[mine], human[mine], values, kind=kind, strengths=strengths, loss=loss, prior=shared)
            raw[:, test] = [predict(x[test], s, values) for s in path]
    trials = tuple((s, _mean_agreement(p, human, names)) for s, p in zip(strengths, raw))
    best = choose(trials)
    top = Solution(pooled.weights.weights, pooled.weights.bias, pooled.loss, True, 0)
    found = {}
    for name in np.unique(names):
        mine = names == name
        end = solve_path(
            x[mine], human[mine], values, kind=kind, strengths=strengths[best : best + 1], loss=loss, prior=top
        )[0]
        weights = pack(end, kind, lens, values, (raw[best, mine], human[mine]))
        found[str(name)] = FitResult(
            weights,
            strengths[best],
            end.loss,
            int(mine.sum()),
            int(np.unique(groups[mine]).size),
            (),
            raw[best, mine],
            end.converged,
        )
    return SharedFit(pooled, found, strengths[best], trials)


def check_choices(kind: str, lens: str, loss: Loss, max_states: int | None) -> None:
    """Raise FitError for a kind, lens, loss or number of states that does not exist."""
    if kind not in WEIGHT_KINDS:
        raise FitError(f"unknown kind of weights {kind!r}", f"use one of {', '.join(WEIGHT_KINDS)}")
    if lens not in LENSES:
        raise FitError(f"unknown lens {lens!r}", f"use one of {', '.join(LENSES)}")
    if max_states is not None and max_states < 1:
        raise FitError(f"max_states must be at least 1, got {max_states}")
    check_loss(loss)


def group_folds(groups: np.ndarray | Sequence[Any], folds: int, seed: int) -> np.ndarray:
    """Fold number (n,) of each item; a group is never split and folds are of near-equal size.

    Raises FitError for fewer groups than folds, or fewer than two folds.
    """
    _, code, size = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    if folds < 2:
        raise FitError(f"cross-validation needs at least 2 folds, got {folds}")
    if size.size < folds:
        raise FitError(
            f"{size.size} groups cannot be split into {folds} folds",
            f"label items of more groups, or ask for {size.size} folds"
            if size.size > 1
            else "label items of more groups, or give the strength and no calibration",
        )
    order = np.random.default_rng(seed).permutation(size.size)
    order = order[np.argsort(-size[order], kind="stable")]
    heap, home = [(0, part) for part in range(folds)], np.empty(size.size, dtype=np.int64)
    for group in order:
        filled, part = heap[0]
        home[group] = part
        heapq.heapreplace(heap, (filled + int(size[group]), part))
    return home[code.reshape(-1)]


def selection_rows(groups: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Ascending row numbers of whole groups drawn at random until about `most` rows are in."""
    if groups.size <= most:
        return np.arange(groups.size)
    _, code, size = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(size.size)
    kept = order[: max(1, int(np.searchsorted(np.cumsum(size[order]), most, side="right")))]
    return np.flatnonzero(np.isin(code.reshape(-1), kept))


def out_of_fold(
    x: np.ndarray,
    human: np.ndarray,
    values: np.ndarray,
    fold: np.ndarray,
    *,
    kind: str,
    strengths: tuple[float, ...],
    loss: Loss,
) -> np.ndarray:
    """Raw scores (len(strengths), n), each item's by weights fitted on the other folds."""
    raw = np.empty((len(strengths), human.size))
    for part in np.unique(fold):
        train, test = fold != part, fold == part
        path = solve_path(x[train], human[train], values, kind=kind, strengths=strengths, loss=loss)
        held = x[test]
        for row, solution in enumerate(path):
            raw[row, test] = predict(held, solution, values)
    return raw


def rank_agreement(predicted: np.ndarray, human: np.ndarray) -> float | None:
    """Spearman correlation, or None where either side is constant."""
    a, b = rankdata(predicted), rankdata(human)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def choose(trials: Sequence[tuple[float, float | None]]) -> int:
    """Index of the strongest ridge whose agreement is within 0.002 of the best."""
    defined = [agreement for _, agreement in trials if agreement is not None]
    floor = max(defined) - TIE if defined else -np.inf
    good = [i for i, (_, found) in enumerate(trials) if not defined or (found is not None and found >= floor)]
    return max(good, key=lambda i: trials[i][0])


def pack(
    solution: Solution,
    kind: str,
    lens: str,
    values: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray] | None,
) -> LayerWeights:
    """Weights as a record; pairs (raw, human) are what the calibration is fitted on, None: none."""
    calibration = None if pairs is None else fit_calibration(*pairs, values)
    return LayerWeights(kind, lens, solution.weights, solution.bias, "logits", calibration)


def _strengths(grid: Sequence[float]) -> tuple[float, ...]:
    strengths = tuple(sorted((float(s) for s in grid), reverse=True))
    if not strengths or strengths[-1] < 0:
        raise FitError(f"ridge strengths must be given and not negative, got {list(grid)}")
    return strengths


def _mean_agreement(predicted: np.ndarray, human: np.ndarray, names: np.ndarray) -> float | None:
    each = [rank_agreement(predicted[names == n], human[names == n]) for n in np.unique(names)]
    defined = [e for e in each if e is not None]
    return float(np.mean(defined)) if defined else None
