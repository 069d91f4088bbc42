"""Weights that know of the text's own numbers: they leave out what these explain, or have them stand beside.

Controlled weights are fitted to what the numbers leave unexplained, and their scores give up what they still have in
common with the numbers. Both regressions are cross-fitted: the residuals of the human scores and the scores of the
weights are of items that the regressions and the weights have not seen (Robinson, Root-N-Consistent Semiparametric
Regression, Econometrica 1988; Chernozhukov et al., Double/debiased machine learning, 2018). A response is then scored
as if its numbers were those of the average training item, and gains nothing by being longer. Numbers that stand beside
are given a slope together with the scores of the weights instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..records import TextTerm
from ..scoring import with_text
from .calibration import fit_calibration
from .fit import FitResult
from .folds import Columns, Method, group_folds, out_of_fold

TERMS = "terms"
"""The column of a `TextMethod`: the numbers of the texts, float64 (n, F), from `term_columns`."""

# Ridge on standardised slopes, in items.
_RIDGE = 1.0


@dataclass(frozen=True)
class Line:
    """A ridge regression on the numbers of texts; predicts float64 (n,).

    mean, slope: of the numbers, float64 (F,). level: the prediction at their mean.
    """

    mean: np.ndarray
    slope: np.ndarray
    level: float

    def predict(self, x: Columns) -> np.ndarray:
        found: np.ndarray = self.level + (x[TERMS] - self.mean) @ self.slope
        return found


@dataclass(frozen=True)
class LineMethod:
    """Ridge regression on the column TERMS; a method for `out_of_fold`."""

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> Line:
        """Fit a line to the terms, as `Method.fit` says."""
        return fit_line(x[TERMS], human)


def fit_line(columns: np.ndarray, target: np.ndarray) -> Line:
    """Regress a target (n,) on numbers (n, F), which are standardised first; a number that never varies gets no slope."""
    mean, size = columns.mean(axis=0), columns.std(axis=0)
    size = np.where(size > 1e-9 * np.maximum(np.abs(mean), 1.0), size, np.inf)
    z = (columns - mean) / size
    slope = np.linalg.solve(z.T @ z + _RIDGE * np.eye(z.shape[1]), z.T @ (target - target.mean()))
    return Line(mean, slope / size, float(target.mean()))


@dataclass(frozen=True)
class TextScorer:
    """Weights with a text term; predicts raw and calibrated scores, float64 (2, n).

    found: the fit, whose weights hold the term. inner: what predicts without it. values: of the labels, float64 (K,).
    """

    found: FitResult
    inner: Any
    values: np.ndarray

    def predict(self, x: Columns) -> np.ndarray:
        raw = self.inner.predict({name: column for name, column in x.items() if name != TERMS})[0]
        _, moved, calibrated = with_text(raw, x[TERMS], self.values, self.found.weights)
        return np.stack([moved, calibrated])


@dataclass(frozen=True)
class TextMethod:
    """A kind of weights with a text term; a method for `out_of_fold` whose x also holds the column TERMS.

    inner: the method that fits the weights; its scorers hold a `FitResult` with out-of-fold scores.
    mode, names: of the term, see `TextTerm`.
    values: of the labels, float64 (K,). folds, seed: of the cross-fitting.
    """

    inner: Method[Any]
    mode: str
    names: Sequence[str]
    values: np.ndarray
    folds: int = 5
    seed: int = 0

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> TextScorer:
        """Fit the weights, and the term to their scores of unseen items, as `Method.fit` says."""
        columns, rest = x[TERMS], {name: column for name, column in x.items() if name != TERMS}
        target = self._unexplained(columns, human, groups) if self.mode == "control" else human
        scorer = self.inner.fit(rest, target, groups)
        found: FitResult = scorer.found
        # Uniform weights are not fitted, so they have not seen any item.
        unseen = scorer.predict(rest)[0] if found.out_of_fold is None else found.out_of_fold
        known = np.flatnonzero(np.isfinite(unseen))
        term = self._term(unseen[known], human[known], columns[known])
        weights = replace(found.weights, text=term, calibration=None)
        _, moved, _ = with_text(unseen[known], columns[known], self.values, weights)
        weights = replace(weights, calibration=fit_calibration(moved, human[known], self.values))
        raw = np.full(human.size, np.nan)
        raw[known] = moved
        return TextScorer(replace(found, weights=weights, out_of_fold=raw), scorer, self.values)

    def _unexplained(self, columns: np.ndarray, human: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """The human scores with what the numbers explain taken away, (n,); clipped to the scale."""
        fold = group_folds(groups, self.folds, self.seed, human)
        explained, _ = out_of_fold(LineMethod(), {TERMS: columns}, human, groups, fold)
        left: np.ndarray = np.clip(human - explained + human.mean(), self.values[0], self.values[-1])
        return left

    def _term(self, unseen: np.ndarray, human: np.ndarray, columns: np.ndarray) -> TextTerm:
        """The term for scores of unseen items (m,), their human scores (m,) and numbers (m, F)."""
        names = tuple(self.names)
        if self.mode == "control":
            line = fit_line(columns, unseen)
            return TextTerm(self.mode, names, line.mean, -line.slope)
        both = fit_line(np.column_stack([unseen, columns]), human)
        scale = float(both.slope[0])
        return TextTerm(
            self.mode, names, both.mean[1:], both.slope[1:], scale, both.level - scale * float(both.mean[0])
        )
