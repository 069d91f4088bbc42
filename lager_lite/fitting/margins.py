"""How sure a score is: an interval that holds people's score of a new item nine times in ten.

The errors of scores of items that the weights have not seen, calibrated by items of other groups, say how far a score
lies from what people say. The margin is their quantile in conformal prediction by group: every group counts as one, its errors share its weight,
and one item more, the new one, may err without limit (Lee, Barber and Willett, Distribution-free inference with
hierarchical data, 2023, who let a whole group err; with 30 groups of 7 that held 93% where 90% was asked for). How
often the interval holds the score of an item of a new group is simulated in `tests/measure/coverage.py`.
"""

from __future__ import annotations

import numpy as np

from ..errors import FitError
from ..scoring import apply_calibration
from .calibration import fit_calibration
from .folds import Columns, group_folds, out_of_fold

COVERAGE = 0.9
"""How often the interval holds."""

_FOLDS = 10


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
    values: of the labels, (K,). None where there are too few groups: fewer than ten can promise nothing.
    """
    known = np.isfinite(unseen)
    raw, human, groups = unseen[known], human[known], groups[known]
    names, code, size = np.unique(groups, return_inverse=True, return_counts=True)
    if names.size < 1.0 / (1.0 - COVERAGE):
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
