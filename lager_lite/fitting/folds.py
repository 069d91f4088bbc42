"""Cross-validation, once for the whole package: how folds are made, and how a method is tried on them.

A method is handed the rows of a training part and nothing else, so whatever it fits or chooses (weights,
the strength of a ridge, a lens, a calibration, a threshold) cannot have seen the rows that it then scores.
The idea is that of scikit-learn's `cross_val_predict`; that library is not used, since it would be a
dependency for forty lines and its grouped folds are dealt in another order.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Protocol, TypeVar

import numpy as np

from ..data import counted, group_names
from ..errors import FitError
from ..stats import correlation_of_ranks, mid_ranks

LEAST_IN_FOLD, SMALL_FOLDS = 10, 5
"""Judgments that a fold holds on average where there are more folds than SMALL_FOLDS. In folds of 2 rows, ranks keep
0.46 of a correlation of 0.91 between people and the length."""

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

    x, human and groups hold one row for each of n items; fold int (n,) is their fold, from `group_folds`, or int
    (2, n) their fold in two ways, of which no fit has seen either; (3, n): see `fold_cells`. Returns the scores, float64 (..., n) as
    `Predictor.predict` gives them, and the fits, one per fold (or pair of folds that has items) in ascending order.
    Raises what the method raises, and FitError where a pair of folds leaves nothing to fit.
    """
    parts, fits = [], []
    for test, train in fold_cells(fold):
        if not train.any():
            raise FitError("nothing is left to fit when both ways of holding out are used", "hold out one of them")
        fits.append(method.fit(select_rows(x, train), human[train], groups[train]))
        parts.append((test, fits[-1].predict(select_rows(x, test))))
    scores = np.empty((*parts[0][1].shape[:-1], len(groups)))
    for test, found in parts:
        scores[..., test] = found
    return scores, tuple(fits)


def training_levels(fits: Sequence[Predictor], x: Columns, fold: np.ndarray) -> np.ndarray:
    """What the fit that scored each item says of its own training part, on average, float64 (..., n).

    fits: from `out_of_fold`, with the same x and fold.
    """
    parts = []
    for (test, train), one in zip(fold_cells(fold), fits, strict=True):
        parts.append((test, one.predict(select_rows(x, train)).mean(axis=-1, keepdims=True)))
    levels = np.empty((*parts[0][1].shape[:-1], np.shape(fold)[-1]))
    for test, mean in parts:
        levels[..., test] = mean
    return levels


def fold_cells(fold: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows to score and the rows to fit, bool (n,) each, of every fold or pair of folds; fold as in `out_of_fold`.

    fold int (3, n): of rows that name two of the same kind, such as the systems of a pair, the fold of the row and those of
    both names. What is fitted has then seen neither name in either place.
    """
    ways = np.atleast_2d(fold)
    if len(ways) == 3:
        ways = np.stack([ways[0], ways[1:].min(axis=0), ways[1:].max(axis=0)])
    for cell in np.unique(ways, axis=1).T:
        away = ways != cell[:, None]
        apart = away.all(axis=0)
        if len(ways) == 3:
            apart &= (ways[1] != cell[2]) & (ways[2] != cell[1])
        yield ~away.any(axis=0), apart


def select_rows(x: Columns, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Some rows of every column; rows is a mask bool (n,) or row numbers int (m,)."""
    return {name: np.asarray(column)[rows] for name, column in x.items()}


def group_folds(
    groups: np.ndarray | Sequence[Any], folds: int, seed: int, human: np.ndarray | None = None
) -> np.ndarray:
    """The fold of each item, int64 (n,) from 0: no group is split, and folds are of nearly equal size.

    groups (n,): names or numbers; names are the same group where `group_key` says so. seed: of the order in which groups that are alike are dealt.
    human (n,): scores, which every fold then holds in nearly the same mixture (stratified by the groups' means):
        where folds differ in them, what is fitted without the low ones is high for them, and the other way round.
        None: they are dealt without regard to scores.
    Raises FitError for fewer groups than folds and for fewer than two folds.
    """
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    if names.dtype.kind in "UO":
        _, same = np.unique(group_names(map(str, names), repeat("")), return_inverse=True)
        code = same[code]
    code = code.reshape(-1)
    size = np.bincount(code)
    if folds < 2:
        raise FitError(f"cross-validation needs at least 2 folds, got {folds}")
    if size.size < folds:
        raise FitError(
            f"{counted(size.size, 'group')} cannot be split into {folds} folds",
            "label items of more groups" + (f", or ask for {size.size} folds" if size.size > 1 else ""),
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(size.size)
    if human is None:
        home = _dealt(order[np.argsort(-size[order], kind="stable")], size, folds)
    else:
        means = np.bincount(code, np.asarray(human, dtype=np.float64)) / size
        home = _dealt_in_rounds(order[np.argsort(means[order], kind="stable")], size, folds, rng)
    found: np.ndarray = home[code]
    return found


def _dealt(order: np.ndarray, size: np.ndarray, folds: int) -> np.ndarray:
    """The fold of each group, int64 (G,): groups in this order, each to the fold that is smallest so far."""
    heap, home = [(0, part) for part in range(folds)], np.empty(size.size, dtype=np.int64)
    for group in order:
        filled, part = heap[0]
        home[group] = part
        heapq.heapreplace(heap, (filled + int(size[group]), part))
    return home


def _dealt_in_rounds(order: np.ndarray, size: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """The fold of each group, int64 (G,): in rounds, one group of neighbours in this order to every fold.

    In a round the largest group goes to the fold that is smallest so far; equals are dealt at random.
    """
    filled, home = np.zeros(folds), np.empty(size.size, dtype=np.int64)
    for start in range(0, order.size, folds):
        round_ = order[start : start + folds]
        round_ = round_[np.argsort(-size[round_], kind="stable")]
        parts = np.lexsort((rng.random(folds), filled))[: round_.size]
        home[round_] = parts
        filled[parts] += size[round_]
    return home


def folds_for_ranks(folds: int, rows: int, what: str = "judgment") -> tuple[int, list[str]]:
    """How many folds of so many rows are made where scores are ranked inside them, and a warning where these are fewer.

    More than SMALL_FOLDS are made only where they hold LEAST_IN_FOLD rows on average. Where two responses to one
    instruction are compared, any number of folds will do, since both are in one fold. what: the name of a row.
    """
    most = max(SMALL_FOLDS, rows // LEAST_IN_FOLD)
    if folds <= most:
        return folds, []
    return most, [
        f"{folds} folds of {counted(rows, what)} would hold about {max(1, round(rows / folds))} each, and scores that are "
        f"ranked inside so small folds tell little: there were {most} folds, which hold out whole groups, too"
    ]


def within_fold_ranks(scores: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Mid-ranks inside each fold, from 0 to 1, float64 (n,): what can be pooled over folds.

    The scores (n,) of two folds are those of two fits, whose levels differ for reasons that are not the items': a
    fit of low labels scores high ones low. Scores that differ by less than 1e-9 are equal.
    """
    ranks = np.empty(len(scores))
    for number in np.unique(fold):
        mine = fold == number
        ranks[mine] = (mid_ranks(np.round(scores[mine], 9)) - 0.5) / mine.sum()
    return ranks


def pooled_spearman(ranks: np.ndarray, human: np.ndarray) -> float | None:
    """Spearman correlation of `within_fold_ranks` (n,), which are not ranked again, with human (n,); None where undefined."""
    return correlation_of_ranks(ranks, mid_ranks(human))


def levelled(scores: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Scores (n,) with the mean of each fold, int (n,), moved to that of all of them, float64 (n,).

    As `within_fold_ranks`, for figures that need the distances of scores.
    """
    _, code, size = np.unique(fold, return_inverse=True, return_counts=True)
    code = code.reshape(-1)
    means = np.bincount(code, scores) / size
    found: np.ndarray = scores - means[code] + scores.mean()
    return found


def folds_inside(groups: np.ndarray, fold: np.ndarray, most: int = 5) -> int:
    """How many folds every training part can be split into: `most`, or fewer where one has fewer groups.

    groups (n,) and fold int (n,), (2, n) or (3, n) as in `out_of_fold`. All training parts get the same number, so that
    they choose under equal conditions. Raises FitError where a training part has a single group; where more than groups are
    held out, what is fitted to such a part does.
    """
    names, code = np.unique(groups, return_inverse=True)
    code = code.reshape(-1)
    fewest = min(int(np.count_nonzero(np.bincount(code[train]))) for _, train in fold_cells(fold))
    if fewest < 2 and np.ndim(fold) == 1:
        raise FitError(
            f"{counted(names.size, 'group')} {'leaves' if names.size == 1 else 'leave'} a training part with one: nothing can be chosen in it",
            "label items of 3 groups or more, with as many folds as groups",
        )
    return max(2, min(most, fewest))
