"""Weights per criterion with a shared prior: first one fit of all items, then one per criterion drawn toward it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FitError
from .fit import GRID, FitResult, SolvedPath, checked_strengths, choose_strength, fit, pack, rank_agreement
from .folds import Columns, group_folds, out_of_fold, select_rows, within_fold_ranks
from .objective import Loss
from .solving import Solution, solve_path

# The name under which a method finds each item's criterion beside the layer logits.
CRITERION = "criterion"


@dataclass(frozen=True)
class SharedFit:
    """One pooled fit and, by criterion, weights drawn toward it.

    pooled: the fit of all items; for criteria that were not seen.
    by_criterion: the fit of each criterion's items, by its name.
    strength: of the ridge toward the pooled weights, the same for all criteria.
    trials: (strength, mean over criteria of the Spearman correlation of out-of-fold scores, or None where
        it is undefined for all).
    """

    pooled: FitResult
    by_criterion: Mapping[str, FitResult]
    strength: float
    trials: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True)
class _SharedPath:
    """The fits of every criterion for every strength. x: layer logits under the name `lens`, and `CRITERION`."""

    kind: str
    lens: str
    values: np.ndarray
    pooled_strength: float
    strengths: tuple[float, ...]
    loss: Loss

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> _SolvedShared:
        """Solve for every strength at once, as `Method.fit` says."""
        logits, names = x[self.lens], x[CRITERION]
        shared = self.solve(logits, human, (self.pooled_strength,), None)[0]
        by_name = {}
        for name in np.unique(names):
            mine = names == name
            found = self.solve(logits[mine], human[mine], self.strengths, shared)
            by_name[str(name)] = SolvedPath(self.lens, self.values, tuple(found))
        unseen = SolvedPath(self.lens, self.values, (shared,) * len(self.strengths))
        return _SolvedShared(by_name, unseen)

    def solve(
        self, logits: np.ndarray, human: np.ndarray, strengths: tuple[float, ...], prior: Solution | None
    ) -> list[Solution]:
        return solve_path(logits, human, self.values, kind=self.kind, strengths=strengths, loss=self.loss, prior=prior)


@dataclass(frozen=True)
class _SolvedShared:
    by_name: Mapping[str, SolvedPath]
    unseen: SolvedPath

    def predict(self, x: Columns) -> np.ndarray:
        return predict_by_criterion(x, self.by_name, self.unseen)


def predict_by_criterion(x: Columns, by_name: Mapping[str, Any], unseen: Any) -> np.ndarray:
    """Scores float64 (..., n) of n items, each by what was fitted for its criterion.

    by_name: a fitted method for each criterion that was seen; unseen: the one for all others.
    """
    names = x[CRITERION]
    parts = []
    for name in np.unique(names):
        mine = names == name
        parts.append((mine, by_name.get(str(name), unseen).predict(select_rows(x, mine))))
    scores = np.empty((*parts[0][1].shape[:-1], len(names)))
    for mine, found in parts:
        scores[..., mine] = found
    return scores


def fit_by_criterion(
    layer_logits: np.ndarray,
    human: np.ndarray,
    values: np.ndarray | Sequence[float],
    criterion: np.ndarray | Sequence[str],
    *,
    kind: str,
    lens: str,
    groups: np.ndarray | Sequence[Any] | None = None,
    loss: Loss = Loss(),
    folds: int = 5,
    seed: int = 0,
    grid: Sequence[float] = GRID,
    pooled: FitResult | None = None,
) -> SharedFit:
    """Fit weights for each criterion to layer logits (n, S, K) of one lens and human scores (n,).

    criterion: names (n,). One strength serves all of them; it is chosen by the mean over criteria of the
    Spearman correlation of out-of-fold scores, and the pooled weights are fitted without the fold in
    question, too. pooled: the fit of all items with the same options, where it was made before. The other
    arguments are those of `fit`. Raises FitError as `fit` does, for kind "uniform", and for a number of
    criteria that is not that of the items.
    """
    if kind == "uniform":
        raise FitError("uniform weights are the same for every criterion", "fit another kind")
    if pooled is None:
        pooled = fit(
            layer_logits,
            human,
            values,
            kind=kind,
            lens=lens,
            groups=groups,
            loss=loss,
            folds=folds,
            seed=seed,
            grid=grid,
        )
    if pooled.strength is None or len(criterion) != len(human):
        raise FitError(f"{len(criterion)} criteria were given for {len(human)} items")
    x, human = np.asarray(layer_logits), np.asarray(human, dtype=np.float64)
    values, names = np.asarray(values, dtype=np.float64), np.asarray(criterion)
    groups = np.arange(human.size) if groups is None else np.asarray(groups)
    strengths = checked_strengths(grid)
    path = _SharedPath(kind, lens, values, pooled.strength, strengths, loss)
    fold = group_folds(groups, folds, seed, human)
    raw, _ = out_of_fold(path, {lens: x, CRITERION: names}, human, groups, fold)
    trials = tuple((s, _mean_agreement(within_fold_ranks(p, fold), human, names)) for s, p in zip(strengths, raw))
    best = choose_strength(trials, np.mean((raw - human) ** 2, axis=1))
    top = Solution(pooled.weights.weights, pooled.weights.bias, pooled.loss, True, 0)
    found = {}
    for name in np.unique(names):
        mine = names == name
        end = path.solve(x[mine], human[mine], strengths[best : best + 1], top)[0]
        weights = pack(end, kind, lens, values, (raw[best, mine], human[mine]))
        size = (int(mine.sum()), int(np.unique(groups[mine]).size))
        found[str(name)] = FitResult(weights, strengths[best], end.loss, *size, (), raw[best, mine], end.converged)
    return SharedFit(pooled, found, strengths[best], trials)


def _mean_agreement(predicted: np.ndarray, human: np.ndarray, names: np.ndarray) -> float | None:
    each = [rank_agreement(predicted[names == n], human[names == n]) for n in np.unique(names)]
    defined = [e for e in each if e is not None]
    return float(np.mean(defined)) if defined else None
