"""Ranks of scores, without scipy.stats: to load that module takes as long as half of what else a command loads."""

from __future__ import annotations

import numpy as np


def mid_ranks(scores: np.ndarray) -> np.ndarray:
    """Ranks from 1 of scores (n,), float64 (n,): equal scores share the mean of their ranks.

    Bit for bit what `scipy.stats.rankdata` gives: where a score is NaN, all ranks are.
    """
    scores = np.asarray(scores)
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    if np.isnan(ordered[-1:]).any():
        return np.full(scores.size, np.nan)
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: scores.size])
    ends = np.append(starts[1:], scores.size)[: starts.size]
    ranks = np.empty(scores.size)
    ranks[order] = np.repeat(0.5 * (starts + 1 + ends), ends - starts)
    return ranks
