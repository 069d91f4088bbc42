"""The same items split into folds several times, and what a method says in each split.

One split is one draw among many. How much a figure moves from split to split is a part of its uncertainty that
resampling the items of a single split cannot see, since it holds the folds' fits fixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FitError
from .folds import Columns, Method, group_folds, out_of_fold, training_levels, within_fold_ranks

SPLITS = 5
"""How often items are split where nothing else is said."""

# With more items than this, the further splits keep what the first one chose, such as the strength of a ridge: the
# choice hardly moves any more, and it takes nearly all the time.
_CHOOSE_AGAIN = 400


@dataclass(frozen=True)
class SplitScores:
    """What one method says of n items in several splits.

    scores: of the first split, float64 (..., n) as the method predicts them.
    fits: of the first split, one per fold.
    ranks: for every split, mid-ranks inside the folds, 0 to 1, in the shape of the scores.
    """

    scores: np.ndarray
    fits: tuple[Any, ...]
    ranks: tuple[np.ndarray, ...]


def split_folds(
    groups: np.ndarray,
    human: np.ndarray,
    *,
    folds: int,
    seed: int,
    splits: int = SPLITS,
    held_out: np.ndarray | Sequence[str] | None = None,
) -> tuple[np.ndarray, ...]:
    """The folds of `splits` splits, each int (n,) as from `group_folds`, stratified by the scores human (n,).

    held_out: names (n,), of systems for instance, that no fit may have seen either: every split is then int (2, n),
        folds of the groups and folds of these names. (n, 2): two names of one kind for each item, of which the first one's
        share of the score is human and the other's is the rest of 1: int (3, n), see `fold_cells`; there are five folds of
        names, or as many as names. None: nothing else is held out.

    Raises FitError as `group_folds` does, and for fewer than two names.
    """
    names = None if held_out is None else np.asarray(held_out)
    count = 0 if names is None else np.unique(names).size
    if names is not None and count < 2:
        raise FitError(f"{count} name to hold out leaves nothing to fit", "hold out a field that has several values")
    found = []
    for number in range(splits):
        fold = group_folds(groups, folds, seed + number, human)
        if names is not None and names.ndim == 2:
            both = np.concatenate([human, 1.0 - human])
            fold = np.stack(
                [fold, *group_folds(names.T.reshape(-1), min(5, count), seed + number, both).reshape(2, -1)]
            )
        elif names is not None:
            fold = np.stack([fold, group_folds(names, min(folds, count), seed + number, human)])
        found.append(fold)
    return tuple(found)


def over_splits(
    method: Method[Any], x: Columns, human: np.ndarray, groups: np.ndarray, ways: Sequence[np.ndarray]
) -> SplitScores:
    """Try a method on every split; arguments as of `out_of_fold`, ways from `split_folds`.

    A method that has `settled(fits)`, which gives the method with what these fits chose, chooses once where there are
    more than 400 items. Raises what the method raises.
    """
    found = list(scored_splits(method, x, human, groups, ways))
    ranks = [_pooled(scores, fits, x, way) for (scores, fits), way in zip(found, ways)]
    return SplitScores(*found[0], tuple(ranks))


def scored_splits(
    method: Method[Any], x: Columns, human: np.ndarray, groups: np.ndarray, ways: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, tuple[Any, ...]]]:
    """Yield what `out_of_fold` returns for every split; arguments, choices and errors as of `over_splits`."""
    again: Any = method
    for number, fold in enumerate(ways):
        scores, fits = out_of_fold(again, x, human, groups, fold)
        if not number and len(human) > _CHOOSE_AGAIN and hasattr(method, "settled"):
            again = method.settled(fits)
        yield scores, fits


def _pooled(scores: np.ndarray, fits: Sequence[Any], x: Columns, way: np.ndarray) -> np.ndarray:
    """Mid-ranks, in the shape of the scores (..., n), inside the folds of the groups.

    Where names are held out as well, a fold was scored by several fits, and the level of each depends on the labels
    that it was kept from; so what a fit says of its own training part, on average, is taken off first.
    """
    level = training_levels(fits, x, way) if way.ndim == 2 else 0.0
    flat = (scores - level).reshape(-1, scores.shape[-1])
    part = np.atleast_2d(way)[0]
    return np.stack([within_fold_ranks(row, part) for row in flat]).reshape(scores.shape)
