"""Compare the methods with human scores, every fitted one on items that its weights have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .labelled import Labelled
from .metrics import (
    Agreement,
    Ceiling,
    Difference,
    Interval,
    agreement,
    annotator_ceiling,
    by_criterion,
    intervals,
    paired_difference,
)
from .records import KINDS
from .validation import cross_validate

FEW_LABELS = 100


@dataclass(frozen=True)
class MethodResult:
    """One method: agreement of its raw scores, and MAE after a calibration fitted inside the training
    parts; interval: of Spearman; criteria: agreement by criterion; gain: Spearman minus that of
    e_score, on the same items, None for e_score itself; lenses: those chosen, by fold."""

    name: str
    overall: Agreement
    interval: Interval | None
    calibrated_mae: float | None
    criteria: Mapping[str, Agreement]
    gain: Difference | None
    lenses: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """All methods on n judgments in some groups; ceiling: None where items have single scores."""

    n: int
    groups: int
    folds: int
    seed: int
    methods: tuple[MethodResult, ...]
    ceiling: Ceiling | None
    warnings: tuple[str, ...]

    def method(self, name: str) -> MethodResult:
        """The result of one method."""
        return next(m for m in self.methods if m.name == name)

    def row(self) -> dict[str, Any]:
        """As a dictionary for JSON."""
        return asdict(self)


def evaluate(
    data: Labelled, *, kinds: Sequence[str] = KINDS, folds: int = 5, seed: int = 0, resamples: int = 1000
) -> Evaluation:
    """Cross-validate every kind of weights, folds split by group, and set all methods side by side.

    The ridge's strength, the lens and the calibration are chosen inside each training part.
    Intervals are 95% percentiles over groups. Raises FitError where nothing can be fitted.
    """
    found = cross_validate(
        {"raw": data.raw, "norm": data.norm}, data.human, data.values, kinds=kinds, groups=data.group, folds=folds, seed=seed
    )
    raw = {name: held.raw for name, held in found.methods.items()}
    bounds = intervals(raw, data.human, data.group, rng=np.random.default_rng(seed), resamples=resamples, measures=("spearman",))
    methods = []
    for name, held in found.methods.items():
        gain = None
        if name != "e_score":
            rng = np.random.default_rng(seed)
            gain = paired_difference(held.raw, raw["e_score"], data.human, data.group, rng=rng, resamples=resamples)
        methods.append(
            MethodResult(
                name=name,
                overall=agreement(held.raw, data.human),
                interval=bounds[name]["spearman"],
                calibrated_mae=agreement(held.calibrated, data.human).mae,
                criteria=by_criterion(held.raw, data.human, data.criterion),
                gain=gain,
                lenses=tuple(held.lenses),
            )
        )
    several = any(len(scores) > 1 for scores in data.individual)
    ceiling = annotator_ceiling(data.individual) if several else None
    groups = int(np.unique(data.group).size)
    result = Evaluation(len(data.human), groups, folds, seed, tuple(methods), ceiling, ())
    return Evaluation(result.n, groups, folds, seed, result.methods, ceiling, _warnings(result))


def _warnings(result: Evaluation) -> tuple[str, ...]:
    found = []
    if result.n < FEW_LABELS:
        found.append(f"{result.n} labels are few: intervals are wide, and weights fitted on them hold little; use 200 or more")
    for method in result.methods:
        if method.overall.undefined:
            found.append(f"{method.name}: {method.overall.undefined}")
        elif method.name in KINDS and method.name != "uniform":
            low = method.gain.interval.low if method.gain and method.gain.interval else None
            if low is None or low <= 0:
                found.append(f"{method.name} weights do not clearly beat e_score here: do not use them without more labels")
    return tuple(found)
