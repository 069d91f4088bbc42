"""Labelled items and others: which are the same ones, and whether the labelled ones may stand for the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data import counted
from ..fitting import item_mark, log_length
from ..records import Item

# Of items that were drawn alike, one of the two means is so far off in about 1 of 200 files.
_FAR, _ERRORS = 0.5, 3.0


def without_copies(labelled: Sequence[Item], others: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """The other items that are none of the labelled ones, by what is judged, and what to say of those left out."""
    known = {item_mark(item) for item in labelled}
    kept = [item for item in others if item_mark(item) not in known]
    if len(kept) == len(others):
        return kept, []
    count = len(others) - len(kept)
    are = "is" if count == 1 else "are"
    return kept, [f"{count} of {counted(len(others), 'item')} {are} labelled as well, and left out of the judgments"]


def unlike(labelled: Sequence[Item], scores: np.ndarray, others: Sequence[Item], new: np.ndarray) -> list[str]:
    """A warning where labelled items and others were not drawn alike, by the judge's scores and by length.

    scores (n,), new (m,): the judge's scores. Means must lie half a standard deviation and three standard errors apart.
    """
    told = []
    long, new_long = (np.array([log_length(item) for item in some]) for some in (labelled, others))
    ways = (("the judge scores them", "higher", "lower"), ("their responses are", "longer", "shorter"))
    for (what, more, less), (one, two) in zip(ways, ((scores, new), (long, new_long))):
        if min(one.size, two.size) < 2:
            continue
        gap, variances = float(one.mean() - two.mean()), np.array([one.var(ddof=1), two.var(ddof=1)])
        spread, error = np.sqrt(variances.mean()), np.sqrt(variances @ (1.0 / np.array([one.size, two.size])))
        if abs(gap) > max(_FAR * spread, _ERRORS * error, 1e-9):
            told.append(f"{what} {more if gap > 0 else less}")
    if not told:
        return []
    return [
        f"the labelled items are unlike the others ({' and '.join(told)}), and the corrected mean holds for items that are "
        "drawn alike: label some that are drawn at random"
    ]
