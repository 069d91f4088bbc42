"""Strengths of systems from who beat whom (Bradley and Terry, Rank Analysis of Incomplete Block Designs, 1952).

The probability that system i beats system j is the logistic function of the difference of their strengths. A system
that won every comparison has no finite maximum of the likelihood, so each is given one more comparison: a tie against a
system of strength 0, which also says where zero lies. Ties count as half a win for either side.
"""

from __future__ import annotations

import numpy as np
import scipy

_STEPS = 100
_ENOUGH = 1e-10
_LONGEST = 2.0


def bradley_terry(wins: np.ndarray) -> np.ndarray:
    """Strengths float64 (..., m), in logits, from wins (..., m, m): how often the row's system beat the column's.

    The posterior mode under the one added tie of every system; found by Newton's method, whose steps are cut to 2
    logits. The diagonal of `wins` does not matter. Raises ValueError for wins that are negative or not finite.
    """
    wins = np.array(wins, dtype=np.float64)
    if not np.isfinite(wins).all() or (wins < 0).any():
        raise ValueError("wins must be finite and not negative")
    m = wins.shape[-1]
    wins[..., np.arange(m), np.arange(m)] = 0.0
    played, won = wins + np.swapaxes(wins, -1, -2), wins.sum(axis=-1)
    strength = np.zeros(won.shape)
    for _ in range(_STEPS):
        chance = _logistic(strength[..., :, None] - strength[..., None, :])
        alone = _logistic(strength)
        slope = won - (played * chance).sum(axis=-1) + 0.5 - alone
        curve = -played * chance * (1.0 - chance)
        curve[..., np.arange(m), np.arange(m)] = -curve.sum(axis=-1) + alone * (1.0 - alone)
        step = np.linalg.solve(curve, slope[..., None])[..., 0]
        strength = strength + np.clip(step, -_LONGEST, _LONGEST)
        if np.abs(step).max(initial=0.0) < _ENOUGH:
            break
    return strength


def compared_parts(played: np.ndarray) -> np.ndarray:
    """The part of each system, int (m,) from 0: systems of two parts were not compared, not even through others.

    played: how often two systems were compared, (m, m).
    """
    _, part = scipy.sparse.csgraph.connected_components(np.asarray(played) > 0, directed=False)
    return np.asarray(part, dtype=np.int64)


def _logistic(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1.0 / (1.0 + np.exp(-x))
    return found
