"""What is left of an agreement at equal values of something else: partial rank correlations, and pairs of equal length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .agreement import correlation, why_undefined
from .bootstrap import weighted_correlation
from .ranks import mid_ranks

# Where one of two rank correlations with what is given is this near to 1, nothing is left to correlate.
_NOTHING_LEFT = 1e-6


def partial_spearman(a: np.ndarray, b: np.ndarray, *given: np.ndarray) -> float | None:
    """Spearman correlation of a and b at equal values of everything given, (n,) each; None where it is undefined.

    Scores that differ by less than 1e-9 are equal.
    """
    return correlation_of_ranks(rounded_ranks(a), mid_ranks(b), *map(rounded_ranks, given))


def correlation_of_ranks(a: np.ndarray, b: np.ndarray, *given: np.ndarray) -> float | None:
    """Correlation of ranks (n,) at equal ranks given, each ranked once, inside folds or over all; None where undefined.

    Mid-ranks inside folds are not ranked again: where many scores are equal, those of two folds differ by a hair, which
    a second ranking makes as large as any other difference.
    """
    if why_undefined(a, b):
        return None
    found = float(weighted_partial(a, b, given, np.ones((1, a.size)))[0]) if given else correlation(a, b)
    return found if np.isfinite(found) else None


def rounded_ranks(scores: np.ndarray) -> np.ndarray:
    """Mid-ranks of scores (n,), of which those that differ by less than 1e-9 are equal."""
    return mid_ranks(np.round(scores, 9))


def weighted_partial(a: np.ndarray, b: np.ndarray, given: Sequence[np.ndarray], weight: np.ndarray) -> np.ndarray:
    """Partial correlation (R,) of ranks a and b given others, (n,) or (R, n), under each row of weights (R, n).

    What is given is taken out one after the other, by the recursion of partial correlations. What is constant, or what
    the others given explain, takes nothing out; NaN where those given explain a or b wholly, and where a or b is constant.
    """
    columns = [a, b, *given]
    pair = {
        (i, j): weighted_correlation(columns[i], columns[j], weight)
        for i in range(len(columns))
        for j in range(i + 1, len(columns))
    }
    for out in range(len(columns) - 1, 1, -1):
        for i in range(out):
            for j in range(i + 1, out):
                pair[i, j] = _without(pair[i, j], pair[i, out], pair[j, out])
    return pair[0, 1]


def pairs_at_equal(
    scores: np.ndarray, human: np.ndarray, at: np.ndarray, *, within: float, blocks: np.ndarray
) -> tuple[int, float | None]:
    """How many pairs have different human scores and nearly equal `at`, and how often the higher human score has the
    higher score, ties counted as half; None without pairs.

    scores, human, at (n,); within: how far apart `at` may be. blocks: names (n,), for instance of criteria; pairs are
    made inside them.
    """
    pairs, points = 0, 0.0
    for name in np.unique(blocks):
        rows = np.flatnonzero(blocks == name)
        rows = rows[np.argsort(at[rows], kind="stable")]
        reach = np.searchsorted(at[rows], at[rows] + within, side="right")
        for place, row in enumerate(rows):
            near = rows[place + 1 : reach[place]]
            order = np.sign(human[near] - human[row])
            found = np.sign(np.round(scores[near] - scores[row], 9))
            differ = order != 0
            pairs += int(differ.sum())
            points += float(np.sum((order * found)[differ] + 1.0) / 2.0)
    return pairs, points / pairs if pairs else None


def _without(ab: np.ndarray, ac: np.ndarray, bc: np.ndarray) -> np.ndarray:
    """Partial correlation of a and b given c from the three correlations, that of a and b where c is constant."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.sqrt((1.0 - ac**2) * (1.0 - bc**2))
        left = np.where(rest > _NOTHING_LEFT, (ab - ac * bc) / rest, np.nan)
    found: np.ndarray = np.where(np.isfinite(ac) & np.isfinite(bc), left, ab)
    return found
