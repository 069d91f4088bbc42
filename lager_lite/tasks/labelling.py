"""Which rows to label next: those that say most of all others.

For kernel ridge regression on hidden states, the variance of a prediction does not depend on any label: it shrinks
with every labelled item whose states are alike. The rows are chosen one after the other, each for the variance that
its label takes from all unlabelled rows together (A-optimal design; Seo et al., Gaussian process regression: active
data selection, 2000). So they are like many others, and unlike those that are labelled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from ..fitting import state_kernel
from ..judging import Judge
from ..records import Counts, Item
from .apart import without_copies

# Products of all pairs of rows are kept in memory.
MOST_ROWS = 4000
_RIDGE = 1.0


@dataclass(frozen=True)
class NextRows:
    """The rows to label next, the most useful one first.

    items: the rows.
    left: for each, the mean variance of all unlabelled rows once it and those before it are labelled, as a share of
        what it is now.
    """

    items: tuple[Item, ...]
    left: tuple[float, ...]


def next_rows(
    judge: Judge,
    labelled: Sequence[Item],
    unlabelled: Sequence[Item],
    count: int,
    progress: Callable[[Counts], None] | None = None,
) -> NextRows:
    """Read the states of both (the judge must read states), and choose `count` of the unlabelled rows to label.

    Copies of labelled rows, by what is judged, are not chosen. progress: called with the counts so far. Raises DataError for too many rows, and where a part cannot be read.
    """
    if len(labelled) + len(unlabelled) > MOST_ROWS:
        raise DataError(
            f"{len(labelled) + len(unlabelled)} rows are too many to compare with each other",
            f"give at most {MOST_ROWS}, labelled and unlabelled ones together",
        )
    known, old = _states(judge, labelled, progress)
    others, _ = without_copies(labelled, unlabelled)
    if unlabelled and not others:
        raise DataError("all of the unlabelled rows are labelled ones", "give rows without a label")
    rest, new = _states(judge, others, progress)
    if not rest:
        raise DataError("none of the unlabelled rows could be read", "see lager-lite score for why")
    products = state_kernel(np.concatenate([old, new]) if known else new)
    chosen, left = design(products, len(known), min(count, len(rest)))
    return NextRows(tuple(rest[row] for row in chosen), left)


def design(products: np.ndarray, known: int, count: int) -> tuple[list[int], tuple[float, ...]]:
    """The rows to choose, counted from 0 behind the `known` first ones, and the share of variance left after each.

    products: the kernel (n, n) of the labelled rows and then of the others.
    """
    spread = products[known:, known:].copy()
    if known:
        across = products[known:, :known]
        spread -= across @ np.linalg.solve(products[:known, :known] + _RIDGE * np.eye(known), across.T)
    before = float(np.trace(spread)) or 1.0
    chosen: list[int] = []
    left = []
    for _ in range(count):
        gain = np.einsum("ij,ij->i", spread, spread) / (np.diag(spread) + _RIDGE)
        gain[chosen] = -np.inf
        best = int(np.argmax(gain))
        spread = spread - np.outer(spread[best], spread[best]) / (spread[best, best] + _RIDGE)
        chosen.append(best)
        left.append(max(0.0, float(np.trace(spread)) / before))
    return chosen, tuple(left)


def _states(
    judge: Judge, items: Sequence[Item], progress: Callable[[Counts], None] | None
) -> tuple[list[Item], np.ndarray]:
    found = [
        (item, reading.states)
        for item, _, reading in judge.read(items, progress=progress)
        if not isinstance(reading, str) and reading.states is not None
    ]
    return [item for item, _ in found], np.stack([s for _, s in found]) if found else np.zeros((0, 1, 1), np.float16)
