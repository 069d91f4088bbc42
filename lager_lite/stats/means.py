"""A mean of values that come in groups, and how far it may be wrong."""

from __future__ import annotations

import numpy as np
import scipy

from .bootstrap import Groups


def variance_of_mean(values: np.ndarray, groups: Groups) -> float:
    """The variance of the mean of values (n,) whose groups (n,) are independent, and whose errors within a group may
    be alike (the cluster-robust variance; Cameron and Miller, A Practitioner's Guide, 2015, equation 11)."""
    _, code = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(code.reshape(-1), values - values.mean())
    return float(np.sum(sums**2)) / values.size**2 * sums.size / max(1, sums.size - 1)


def half_width(values: np.ndarray, groups: Groups, level: float = 0.95) -> float | None:
    """Half the length of the mean's interval, by Student's t over the groups; None for fewer than two groups."""
    count = np.unique(np.asarray(groups)).size
    if count < 2:
        return None
    return float(scipy.special.stdtrit(count - 1, (1.0 + level) / 2.0) * np.sqrt(variance_of_mean(values, groups)))


def groups_needed(gap: float, half: float, groups: int) -> int | None:
    """About how many groups make half an interval shorter than `gap`, where `groups` made it `half`; None where no
    number of them does."""
    return None if gap == 0 else int(np.ceil(groups * (half / gap) ** 2))
