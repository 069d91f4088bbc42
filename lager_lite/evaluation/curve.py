"""What labels are worth: how well weights agree with people that were fitted to fewer of them, and what more would bring.

Every training part is thinned to a share of its groups, and the weights, which are fitted to what is left, score the
same unseen items as always. Between the points, agreement is taken to grow as a - b / sqrt(labels): the error of fitted
weights falls with the square root of their number, and `a` is what no number of labels can exceed. What is said of
labels that nobody has yet follows that line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FitError
from ..fitting import (
    Columns,
    FitPlan,
    Labelled,
    Method,
    folds_for_ranks,
    folds_inside,
    method_of,
    out_of_fold,
    select_rows,
    split_folds,
    within_fold_ranks,
)
from ..stats import Estimate, rank_figures, widened

SHARES = (0.2, 0.4, 0.7, 1.0)
MORE = 50
# Every split fits each share anew, and its figures are smooth enough with few.
_CURVE_SPLITS = 3


@dataclass(frozen=True)
class CurvePoint:
    """What weights reach that are fitted to part of the labels.

    labels, groups: how many they were fitted to, on average over the folds.
    agreement: Spearman correlation with people on unseen items.
    """

    labels: float
    groups: float
    agreement: Estimate


@dataclass(frozen=True)
class LearningCurve:
    """What labels are worth for one kind of weights.

    kind: of the weights.
    points: from few labels to as many as the folds leave.
    more: so many labels beyond all that there are.
    brings: what these would add to the Spearman correlation, if the curve goes on; None where it has fewer than two
        points.
    """

    kind: str
    points: tuple[CurvePoint, ...]
    more: int
    brings: Estimate | None


@dataclass(frozen=True)
class _Thinned:
    """A method that is given a share of the groups of every training part; for `out_of_fold`.

    A larger share holds the groups of a smaller one.
    """

    method: Method[Any]
    share: float
    seed: int

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> Any:
        """Fit to a part of the groups, drawn by the seed."""
        names = np.random.default_rng(self.seed).permutation(np.unique(groups))
        kept = np.isin(groups, names[: max(2, round(self.share * names.size))])
        return self.method.fit(select_rows(x, kept), human[kept], groups[kept])


def learning_curve(
    data: Labelled,
    kind: str,
    *,
    folds: int = 5,
    seed: int = 0,
    splits: int = _CURVE_SPLITS,
    resamples: int = 1000,
    more: int = MORE,
) -> LearningCurve:
    """The learning curve of one kind of weights, with 95% intervals over groups and splits.

    data: from `gather`. kind: of WEIGHT_KINDS but uniform, or "states" where the states were kept.
    folds: see `folds_for_ranks`. seed, splits: as of `split_folds`. more: labels whose worth is estimated; of as many groups as the others.
    Shares of the groups from which nothing can be fitted are left out. Raises FitError where nothing can be fitted at
    all, and for fewer groups than folds.
    """
    folds, _ = folds_for_ranks(folds, len(data.human))
    ways = split_folds(data.group, data.human, folds=folds, seed=seed, splits=splits)
    inner = min(folds_inside(data.group, fold) for fold in ways)
    plan = FitPlan(kind=kind, folds=inner, seed=seed)
    ranks: dict[float, list[np.ndarray]] = {}
    for share in SHARES:
        # A thinned part needs as many groups as there are folds inside it.
        fewest = round(share * (np.unique(data.group).size * (1.0 - 1.0 / folds)))
        try:
            method, columns = method_of(data, plan, max(2, min(inner, fewest)))
            ranks[share] = [_ranks(data, _Thinned(method, share, seed + n), columns, f) for n, f in enumerate(ways)]
        except FitError:
            if share == SHARES[-1]:
                raise
    figures = rank_figures(
        {f"{share}": columns for share, columns in ranks.items()},
        data.human,
        data.group,
        rng=np.random.default_rng(seed),
        resamples=resamples,
        ranked=[f"{share}" for share in ranks],
    )
    left = 1.0 - 1.0 / folds
    count, groups = len(data.human) * left, np.unique(data.group).size * left
    points = tuple(CurvePoint(share * count, share * groups, figures.estimate(f"{share}")) for share in ranks)
    brings = _brings(figures.splits, figures.draws, list(ranks), count=len(data.human), left=left, more=more)
    return LearningCurve(kind, points, more, None if brings is None else widened(*brings, figures.groups))


def _ranks(data: Labelled, method: _Thinned, columns: Columns, fold: np.ndarray) -> np.ndarray:
    scores, _ = out_of_fold(method, columns, data.human, data.group, fold)
    return within_fold_ranks(scores[0], fold)


def _brings(
    splits: Mapping[str, np.ndarray],
    draws: Mapping[str, np.ndarray],
    shares: Sequence[float],
    *,
    count: int,
    left: float,
    more: int,
) -> tuple[np.ndarray, np.ndarray] | None:
    """What `more` labels beyond `count` bring by the line through the points, in every split and every resample.

    left: share of the labels that a whole training part holds. The slope of the line is a weighted sum of the points'
    figures, weighted by their numbers of labels; a curve that falls is taken to be flat.
    """
    if len(shares) < 2:
        return None
    x = 1.0 / np.sqrt(np.array(shares) * left * count)
    weight = np.array(shares)
    centred = x - np.average(x, weights=weight)
    slope = weight * centred / np.sum(weight * centred**2)
    step = 1.0 / np.sqrt(count + more) - 1.0 / np.sqrt(count)
    parts = []
    for found in (splits, draws):
        rows = np.stack([found[f"{share}"] for share in shares])
        parts.append(np.maximum(step * (slope @ rows), 0.0))
    return parts[0], parts[1]
