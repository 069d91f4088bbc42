"""Compare the methods with human scores, every fitted one on items that its weights have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .aggregate import per_layer_scores
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
from .validation import LENS_OF, Held, best_lens, cross_validate

FEW_LABELS = 100


@dataclass(frozen=True)
class MethodResult:
    """One method: agreement of its raw scores, and MAE after a calibration fitted inside the training
    parts; interval: of Spearman; criteria: agreement by criterion; gain: Spearman minus that of
    e_score, on the same items, None for e_score itself; lenses: those chosen, by fold; raw,
    calibrated: its scores, one per judgment, in the order of `Evaluation.items`."""

    name: str
    overall: Agreement
    interval: Interval | None
    calibrated_mae: float | None
    criteria: Mapping[str, Agreement]
    gain: Difference | None
    lenses: tuple[str, ...]
    raw: tuple[float, ...]
    calibrated: tuple[float, ...]


@dataclass(frozen=True)
class LayerResult:
    """Agreement of one state's own expected score; spearman None where undefined."""

    state: int
    lens: str
    spearman: float | None
    interval: Interval | None


@dataclass(frozen=True)
class FittedKind:
    """Weights of one kind, fitted on all items with the lens that agreed best: (S,) nested in a tuple,
    or (S, K) for kind "full"."""

    kind: str
    lens: str
    strength: float | None
    weights: tuple


@dataclass(frozen=True)
class Evaluation:
    """All methods on n judgments in some groups; ceiling: None where items have single scores.

    items, criterion, group, human: one entry per judgment; values: of the scale; layers: every
    state alone, under either lens; fitted: for the picture, never for the figures above.
    """

    n: int
    groups: int
    folds: int
    seed: int
    methods: tuple[MethodResult, ...]
    ceiling: Ceiling | None
    warnings: tuple[str, ...]
    values: tuple[float, ...]
    items: tuple[str, ...]
    criterion: tuple[str, ...]
    group: tuple[str, ...]
    human: tuple[float, ...]
    layers: tuple[LayerResult, ...]
    fitted: tuple[FittedKind, ...]

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
    logits = {"raw": data.raw, "norm": data.norm}
    found = cross_validate(logits, data.human, data.values, kinds=kinds, groups=data.group, folds=folds, seed=seed)
    methods = _methods(found.methods, data, seed, resamples)
    several = any(len(scores) > 1 for scores in data.individual)
    result = Evaluation(
        n=len(data.human),
        groups=int(np.unique(data.group).size),
        folds=folds,
        seed=seed,
        methods=methods,
        ceiling=annotator_ceiling(data.individual) if several else None,
        warnings=(),
        values=tuple(map(float, data.values)),
        items=tuple(map(str, data.item)),
        criterion=tuple(map(str, data.criterion)),
        group=tuple(map(str, data.group)),
        human=tuple(map(float, data.human)),
        layers=_layers(logits, data, seed, resamples),
        fitted=tuple(_whole(kind, data, folds, seed) for kind in kinds if kind != "uniform"),
    )
    return replace(result, warnings=_warnings(result))


def _methods(held: Mapping[str, Held], data: Labelled, seed: int, resamples: int) -> tuple[MethodResult, ...]:
    raw = {name: scores.raw for name, scores in held.items()}
    rng = np.random.default_rng(seed)
    bounds = intervals(raw, data.human, data.group, rng=rng, resamples=resamples, measures=("spearman",))
    methods = []
    for name, scores in held.items():
        gain = None
        if name != "e_score":
            rng = np.random.default_rng(seed)
            gain = paired_difference(scores.raw, raw["e_score"], data.human, data.group, rng=rng, resamples=resamples)
        methods.append(
            MethodResult(
                name=name,
                overall=agreement(scores.raw, data.human),
                interval=bounds[name]["spearman"],
                calibrated_mae=agreement(scores.calibrated, data.human).mae,
                criteria=by_criterion(scores.raw, data.human, data.criterion),
                gain=gain,
                lenses=scores.lenses,
                raw=tuple(map(float, scores.raw)),
                calibrated=tuple(map(float, scores.calibrated)),
            )
        )
    return tuple(methods)


def _layers(logits: Mapping[str, np.ndarray], data: Labelled, seed: int, resamples: int) -> tuple[LayerResult, ...]:
    alone = {
        (lens, state): scores
        for lens, x in logits.items()
        for state, scores in enumerate(per_layer_scores(x.astype(np.float64), data.values).T)
    }
    named = {f"{lens} {state}": scores for (lens, state), scores in alone.items()}
    rng = np.random.default_rng(seed)
    bounds = intervals(named, data.human, data.group, rng=rng, resamples=resamples, measures=("spearman",))
    return tuple(
        LayerResult(state, lens, agreement(scores, data.human).spearman, bounds[f"{lens} {state}"]["spearman"])
        for (lens, state), scores in alone.items()
    )


def _whole(kind: str, data: Labelled, folds: int, seed: int) -> FittedKind:
    only = LENS_OF[kind]
    logits = {lens: x for lens, x in (("raw", data.raw), ("norm", data.norm)) if only in (None, lens)}
    found = best_lens(logits, data.human, data.values, kind=kind, groups=data.group, folds=folds, seed=seed)
    weights = found.weights.weights.tolist()
    return FittedKind(kind, found.weights.lens, found.strength, tuple(tuple(w) if isinstance(w, list) else w for w in weights))


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
