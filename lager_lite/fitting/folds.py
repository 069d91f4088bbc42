"""Cross-validation, once for the whole package: how folds are made, and how a method is tried on them.

A method is handed the rows of a training part and nothing else, so whatever it fits or chooses (weights,
the strength of a ridge, a lens, a calibration, a threshold) cannot have seen the rows that it then scores.
The idea is that of scikit-learn's `cross_val_predict`; that library is not used, since it would be a
dependency for forty lines and its grouped folds are dealt in another order.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from ..errors import FitError

# What a method reads of n items, by name: arrays whose first axis is the items (layer logits by lens, say).
Columns = Mapping[str, np.ndarray]


class Predictor(Protocol):
    """A method that has been fitted."""

    def predict(self, x: Columns, /) -> np.ndarray:
        """The scores of the n items of x, float64 (..., n): leading axes where there are several per item."""
        ...


F = TypeVar("F", bound=Predictor, covariant=True)


class Method(Protocol[F]):
    """A way of scoring that has to be fitted first."""

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray, /) -> F:
        """Fit to n items with human scores (n,); inner folds must be split by the groups (n,), too."""
        ...


def out_of_fold(
    method: Method[F], x: Columns, human: np.ndarray, groups: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, tuple[F, ...]]:
    """Score every item by a fit that has not seen its fold.

    x, human and groups hold one row for each of n items; fold int (n,) is their fold, from `group_folds`.
    Returns the scores, float64 (..., n) as `Predictor.predict` gives them, and the fits, one per fold in
    ascending order. Raises what the method raises.
    """
    parts, fits = [], []
    for number in np.unique(fold):
        train = fold != number
        fits.append(method.fit(select_rows(x, train), human[train], groups[train]))
        parts.append((~train, fits[-1].predict(select_rows(x, ~train))))
    scores = np.empty((*parts[0][1].shape[:-1], len(fold)))
    for test, found in parts:
        scores[..., test] = found
    return scores, tuple(fits)


def select_rows(x: Columns, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Some rows of every column; rows is a mask bool (n,) or row numbers int (m,)."""
    return {name: np.asarray(column)[rows] for name, column in x.items()}


def group_folds(groups: np.ndarray | Sequence[Any], folds: int, seed: int) -> np.ndarray:
    """The fold of each item, int64 (n,) from 0: no group is split, and folds are of nearly equal size.

    groups (n,): names or numbers. seed: of the order in which groups of equal size are dealt.
    Raises FitError for fewer groups than folds and for fewer than two folds.
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
    found: np.ndarray = home[code.reshape(-1)]
    return found


def folds_inside(groups: np.ndarray, fold: np.ndarray, most: int = 5) -> int:
    """How many folds every training part can be split into: `most`, or fewer where one has fewer groups.

    groups (n,) and fold int (n,) as in `out_of_fold`. All training parts get the same number, so that
    they choose under equal conditions. Raises FitError where a training part has a single group.
    """
    names, first = np.unique(groups, return_index=True)
    fewest = names.size - int(np.bincount(fold[first]).max())
    if fewest < 2:
        raise FitError(
            f"{names.size} groups leave a training part with one: nothing can be chosen in it",
            "label items of 3 groups or more, with as many folds as groups",
        )
    return min(most, fewest)
