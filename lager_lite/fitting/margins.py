"""How sure a score is: an interval that holds people's score of a new item nine times in ten.

The errors of scores of items that the weights have not seen, calibrated by items of other groups, say how far a score
lies from what people say. The margin is their quantile in conformal prediction by group: every group counts as one, its errors share its weight,
and one item more, the new one, may err without limit (Lee, Barber and Willett, Distribution-free inference with
hierarchical data, 2023, who let a whole group err; with 30 groups of 7 that held 93% where 90% was asked for). How
often the interval holds the score of an item of a new group is simulated in `tests/measure/coverage.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import FitError
from ..scoring import apply_calibration
from .calibration import fit_calibration
from .folds import Columns, fold_cells, group_folds, out_of_fold

COVERAGE = 0.9
"""How often the interval holds."""

MARGIN_GROUPS = 10
"""Of errors: with fewer, one group more, the new one, is more than the share that may lie outside."""

_FOLDS = 10


@dataclass(frozen=True)
class HeldShare:
    """How often the intervals of scores that were cross-validated hold what people say.

    share: of the items whose human score lies in the interval; it should be COVERAGE.
    margin: half the length of an interval before it is cut at the ends of the scale, in points; mean over the folds.
    """

    share: float
    margin: float


class _Calibrating:
    """The calibration of raw scores, under the name "raw"; a method for `out_of_fold`."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> _Calibrated:
        return _Calibrated(self.values, x["raw"], human)


class _Calibrated:
    def __init__(self, values: np.ndarray, raw: np.ndarray, human: np.ndarray) -> None:
        self.calibration = fit_calibration(raw, human, values)

    def predict(self, x: Columns) -> np.ndarray:
        return apply_calibration(self.calibration, x["raw"])


def conformal_margin(
    unseen: np.ndarray, human: np.ndarray, groups: np.ndarray, values: np.ndarray, *, seed: int = 0
) -> float | None:
    """Half the length of the interval around a calibrated score, in points of the scale.

    unseen: raw scores (n,) by weights that have not seen the item's group, NaN where there are none. human, groups: (n,).
    values: of the labels, (K,). None for fewer groups than MARGIN_GROUPS.
    """
    known = np.isfinite(unseen)
    raw, human, groups = unseen[known], human[known], groups[known]
    names, code, size = np.unique(groups, return_inverse=True, return_counts=True)
    if names.size < MARGIN_GROUPS:
        return None
    try:
        fold = group_folds(groups, min(_FOLDS, names.size), seed, human)
        calibrated, _ = out_of_fold(_Calibrating(values), {"raw": raw}, human, groups, fold)
    except FitError:
        return None
    errors = np.abs(calibrated - human)
    weight = 1.0 / size[code.reshape(-1)] / names.size * (errors.size / (errors.size + 1))
    order = np.argsort(errors)
    reached = np.cumsum(weight[order])
    # Rounding must not push the quantile past the last error.
    place = int(np.searchsorted(reached, COVERAGE - 1e-9))
    return float(errors[order[min(place, errors.size - 1)]])


def held_share(
    raw: np.ndarray,
    calibrated: np.ndarray,
    human: np.ndarray,
    groups: np.ndarray,
    fold: np.ndarray,
    *,
    values: np.ndarray,
) -> HeldShare | None:
    """How often people's score lies in the interval of an item, the margin being that of the other folds.

    raw, calibrated: scores (n,) by weights and calibrations that have not seen the item's fold, int (n,) from 0.
    human, groups: (n,). values: of the labels, (K,). None where a margin needs more groups.
    """
    held, margins, cells = np.zeros(len(human), dtype=bool), [], fold_cells(fold)
    for mine, rest in cells:
        margin = conformal_margin(raw[rest], human[rest], groups[rest], values)
        if margin is None:
            return None
        low, high = np.maximum(calibrated - margin, values[0]), np.minimum(calibrated + margin, values[-1])
        # A score at an end of the scale lies on the interval's own end.
        held[mine] = ((human >= low - 1e-9) & (human <= high + 1e-9))[mine]
        margins.append(margin)
    return HeldShare(float(held.mean()), float(np.mean(margins)))
