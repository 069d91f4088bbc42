"""A monotone map from raw expected scores onto the human scale.

Raw scores rank well but are hard to read, because they are squeezed toward the middle of the scale. The map
never decreases, so it changes the scores and hardly ever their order. Rank by raw scores all the same, since
the map may give neighbours the same grade.
"""

from __future__ import annotations

import numpy as np
import scipy

from ..errors import FitError
from ..records import Calibration

# With fewer labels a straight line is fitted: isotonic regression would follow the noise.
AFFINE_BELOW = 100
MOST_KNOTS = 40
LEAST_PER_KNOT = 10


def fit_calibration(raw: np.ndarray, human: np.ndarray, values: np.ndarray, *, kind: str | None = None) -> Calibration:
    """Fit the map from raw scores (n,) to human scores (n,) on a scale with `values` (K,).

    raw: out-of-fold scores. Scores of the items that the weights were fitted on are too good.
    kind: "isotonic" or "affine"; None: affine below 100 labels, else isotonic.

    Raises FitError for scores that are not finite, without scores, and for an unknown kind.
    """
    raw = np.asarray(raw, dtype=np.float64)
    human = np.asarray(human, dtype=np.float64)
    if raw.size == 0 or not (np.isfinite(raw).all() and np.isfinite(human).all()):
        raise FitError("calibration needs finite raw and human scores, at least one of each")
    if kind is None:
        kind = "affine" if raw.size < AFFINE_BELOW else "isotonic"
    low, high = float(np.min(values)), float(np.max(values))
    if kind == "affine":
        return _affine(raw, human, low, high)
    if kind == "isotonic":
        return _isotonic(raw, human, low, high)
    raise FitError(f"unknown calibration {kind!r}", 'use "isotonic" or "affine"')


def _affine(raw: np.ndarray, human: np.ndarray, low: float, high: float) -> Calibration:
    spread = raw - raw.mean()
    variance = float(spread @ spread)
    slope = float(spread @ (human - human.mean())) / variance if variance > 0 else 0.0
    mean = float(np.clip(human.mean(), low, high))
    # With a smaller slope, raw scores from end to end of the scale differ by a thousandth of it: that is flat.
    if slope <= 1e-3:
        return Calibration("affine", np.array([low, high]), np.array([mean, mean]))
    # The knots are where the line meets the ends of the scale, so that the constant parts outside clip it.
    ends = raw.mean() + (np.array([low, high]) - human.mean()) / slope
    return Calibration("affine", ends, np.array([low, high]))


def _isotonic(raw: np.ndarray, human: np.ndarray, low: float, high: float) -> Calibration:
    """Isotonic regression of bin means, with one knot at the centre of every pooled block.

    Plain isotonic regression would tie whole ranges of scores; linear interpolation between the centres of
    blocks leaves no plateau except outside the first and the last knot.
    """
    x, y, weight = _bins(raw, human)
    fit = scipy.optimize.isotonic_regression(y, weights=weight)
    starts = np.asarray(fit.blocks[:-1])
    total = np.add.reduceat(weight, starts)
    knots_x = np.add.reduceat(weight * x, starts) / total
    knots_y = np.add.reduceat(weight * y, starts) / total
    return Calibration("isotonic", knots_x, np.clip(np.maximum.accumulate(knots_y), low, high))


def _bins(raw: np.ndarray, human: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of raw and human scores of bins of nearly equal size, and their sizes; equal raw scores share a bin."""
    order = np.argsort(raw, kind="stable")
    raw, human = raw[order], human[order]
    count = int(np.clip(raw.size // LEAST_PER_KNOT, 1, MOST_KNOTS))
    edges = raw[np.unique(np.linspace(0, raw.size, count, endpoint=False).astype(int))]
    starts = np.unique(np.searchsorted(raw, edges, side="left"))
    size = np.diff(np.append(starts, raw.size)).astype(np.float64)
    return np.add.reduceat(raw, starts) / size, np.add.reduceat(human, starts) / size, size
