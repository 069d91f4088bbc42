"""Fitting what must turn around when two responses are exchanged.

Every comparison is fitted twice, as it is and mirrored, with the human preference turned around; both are in one group.
The loss and the ridge then have no reason to prefer a side, and what is left of one by rounding is averaged away where
the fit is used: a comparison gets the mean of what is said of it and the opposite of what is said of its mirror image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..records import BOTH_LENSES
from .baselines import FEATURES
from .folds import Columns, Method


def mirrored(column: np.ndarray, name: str) -> np.ndarray:
    """A column of comparisons with their two responses exchanged.

    column: layer logits (n, S, K) whose labels are the responses, from the second one better to the first one better;
    (n, S, 2K) under the name BOTH_LENSES; or differences of features (n, F) under the name FEATURES.
    """
    if name == FEATURES:
        return -column
    if name != BOTH_LENSES:
        return column[..., ::-1]
    halves = column.reshape(*column.shape[:-1], 2, -1)[..., ::-1]
    return halves.reshape(column.shape)


@dataclass(frozen=True)
class MirroredScorer:
    """A fit of comparisons; predicts float64 (2, n): scores before and after calibration, 0 to 1, 0.5 for neither.

    inner: predicts raw and calibrated scores, (2, n), of columns as they are.
    """

    inner: Any

    def predict(self, x: Columns) -> np.ndarray:
        here = self.inner.predict(x)
        there = self.inner.predict({name: mirrored(np.asarray(column), name) for name, column in x.items()})
        found: np.ndarray = (here + 1.0 - there) / 2.0
        return found

    def unlimited(self) -> MirroredScorer:
        """The same without the limits of layer logits, for a single order, which the position moves out of them."""
        found = self.inner.found
        weights = replace(found.weights, limits=None)
        return MirroredScorer(replace(self.inner, found=replace(found, weights=weights)))


@dataclass(frozen=True)
class MirroredMethod:
    """A method on comparisons and their mirror images; human scores are the preference for the first response, 0 to 1.

    inner: what is fitted; its scorers predict raw and calibrated scores, (2, n).
    """

    inner: Method[Any]

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> MirroredScorer:
        """Fit the method to every pair in both orders."""
        both = {name: np.concatenate([column, mirrored(np.asarray(column), name)]) for name, column in x.items()}
        turned = np.concatenate([human, 1.0 - human])
        return MirroredScorer(self.inner.fit(both, turned, np.concatenate([groups, groups])))

    def settled(self, fits: Sequence[MirroredScorer]) -> MirroredMethod:
        """The method with what these fits chose, where the inner one can be settled; otherwise itself."""
        inner: Any = self.inner
        if not hasattr(inner, "settled"):
            return self
        return MirroredMethod(inner.settled([one.inner for one in fits]))
