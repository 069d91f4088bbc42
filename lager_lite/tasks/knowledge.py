"""Does the judge know what cannot be known? Scores of answerability against questions of known kind.

"Unanswerable" is the positive class: a question counts as unanswerable where its score is at or below
a threshold. Two thresholds are reported. The paper's rule puts it at 0.75 of the range of a method's own
scores; the other one is the best for F1 on the other folds. Groups are never split between folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import DataError
from ..fitting import Columns, KindMethod, Labelled, Method, Scorer, folds_inside, group_folds, lenses_for, out_of_fold
from ..records import WEIGHT_KINDS, Item, LayerWeights
from ..scoring import direct, e_score
from ..scoring import score as read_score
from ..stats import Interval, Statistic, f1_score, f1_statistic, interval_of

RULE = 0.75


@dataclass(frozen=True)
class Detection:
    """How well scores at or below a threshold pick out the unanswerable questions.

    thresholds: the one of the rule, or one for each fold.
    found: how many questions are called unanswerable.
    f1, precision, recall: 0 to 1; None where undefined.
    interval: of F1, over groups, for fixed calls; None where undefined.
    """

    thresholds: tuple[float, ...]
    found: int
    f1: float | None
    precision: float | None
    recall: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Curve:
    """Precision and recall at every threshold.

    thresholds: ascending.
    precision, recall: at each threshold, 0 to 1.
    average: average precision, the sum of precision times gain in recall.
    interval: of `average`, over groups; None where undefined.
    """

    thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    average: float
    interval: Interval | None


@dataclass(frozen=True)
class Knower:
    """One method.

    method: its name.
    scores: one per question.
    rule: what it finds at the threshold of the paper's rule.
    best: what it finds at the cross-validated thresholds.
    curve: precision and recall at every threshold.
    """

    method: str
    scores: tuple[float, ...]
    rule: Detection
    best: Detection
    curve: Curve


@dataclass(frozen=True)
class SelfKnowledge:
    """All methods on the same questions.

    n: number of questions.
    unanswerable: how many of them are unanswerable.
    groups: how many groups they are in.
    folds, seed: of the cross-validation.
    everything: F1 of calling every question unanswerable, which any method has to beat.
    items: the questions' ids.
    truth: for each question, whether it is unanswerable.
    methods: one entry per method.
    """

    n: int
    unanswerable: int
    groups: int
    folds: int
    seed: int
    everything: float
    items: tuple[str, ...]
    truth: tuple[bool, ...]
    methods: tuple[Knower, ...]

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        return asdict(self)


def stratified(items: Sequence[Item], count: int | None, seed: int) -> tuple[Item, ...]:
    """About `count` items, drawn at random so that each human score is as frequent as among all; in their order.

    All items where `count` is None or not below their number.
    """
    if count is None or count >= len(items):
        return tuple(items)
    rng = np.random.default_rng(seed)
    score = np.array([_label(item) for item in items])
    chosen: list[int] = []
    for value in np.unique(score):
        rows = np.flatnonzero(score == value)
        share = max(1, round(count * len(rows) / len(items)))
        chosen += rng.permutation(rows)[:share].tolist()
    return tuple(items[row] for row in sorted(chosen))


def self_knowledge(
    data: Labelled,
    weights: LayerWeights | None = None,
    *,
    kinds: Sequence[str] = WEIGHT_KINDS,
    folds: int = 5,
    seed: int = 0,
    resamples: int = 1000,
) -> SelfKnowledge:
    """Try every method at both thresholds: direct, e_score, uniform, and every kind of weights, fitted in folds.

    data: questions whose human score is an end of the scale: the lowest is unanswerable, the highest answerable.
    weights: are tried as they are, under the name "tuned"; None: none.
    kinds: of the weights that are fitted; "uniform" has nothing to fit.
    folds: split by group. What is fitted or chosen for a fold (weights, ridge, lens, threshold) comes from the
        other folds alone, which are split into 5 inner folds, or fewer where one has fewer groups.
    resamples: of the groups, for the intervals.

    Raises DataError for other scores and where one kind of question is missing; FitError as `fit` does.
    """
    truth = _truth(data)
    fold = group_folds(data.group, folds, seed, data.human)
    logits = {"raw": data.raw, "norm": data.norm}
    methods: dict[str, tuple[Method[_Called], Columns]] = {
        name: (_FixedMethod(data.values[0]), {"score": scores}) for name, scores in _fixed(data, weights).items()
    }
    for kind in kinds:
        if kind != "uniform":
            weights_of = KindMethod(kind, data.values, folds_inside(data.group, fold), seed)
            methods[kind] = (_FittedMethod(weights_of), lenses_for(kind, logits))
    found = int(truth.sum())
    return SelfKnowledge(
        n=len(truth),
        unanswerable=found,
        groups=int(np.unique(data.group).size),
        folds=folds,
        seed=seed,
        everything=2.0 * found / (len(truth) + found),
        items=tuple(map(str, data.item)),
        truth=tuple(map(bool, truth)),
        methods=tuple(
            _knower(name, out_of_fold(method, x, data.human, data.group, fold), truth, data.group, seed, resamples)
            for name, (method, x) in methods.items()
        ),
    )


def rule_threshold(scores: np.ndarray, share: float = RULE) -> float:
    """The threshold of the paper's rule: `share` of the way from the lowest to the highest of the scores (n,)."""
    low, high = float(np.min(scores)), float(np.max(scores))
    return low + share * (high - low)


def best_threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """The threshold at which `scores <= threshold` has the highest F1 against truth, bool (n,).

    It lies halfway between two scores, or on the highest score; among equally good ones it is the lowest.
    """
    order = np.argsort(scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    f1 = 2.0 * hits / (np.arange(1, len(ranked) + 1) + truth.sum())
    last = np.flatnonzero(np.append(np.diff(ranked) > 0, True))
    best = int(last[np.argmax(f1[last])])
    return float(ranked[best] if best + 1 == len(ranked) else (ranked[best] + ranked[best + 1]) / 2.0)


def precision_recall(scores: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, ...]:
    """Thresholds (t,), precision (R, t), recall (R, t) and average precision (R,) of `scores <= threshold`.

    scores, truth (n,); weight (R, n): how often each row counts in each of R resamples. NaN where nothing is
    positive.
    """
    order = np.argsort(scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) > 0, True))
    called = np.cumsum(weight[:, order], axis=1)[:, last]
    hits = np.cumsum(weight[:, order] * truth[order], axis=1)[:, last]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(called > 0, hits / called, 1.0)
        recall = hits / hits[:, -1:]
    average = np.sum(np.diff(recall, axis=1, prepend=0.0) * precision, axis=1)
    return scores[order][last], precision, recall, average


def _label(item: Item) -> float:
    scores = [s for values in item.human.values() for s in values]
    return float(np.mean(scores)) if scores else float("nan")


def _truth(data: Labelled) -> np.ndarray:
    low, high = data.values[0], data.values[-1]
    odd = (data.human != low) & (data.human != high)
    if odd.any():
        first = int(np.flatnonzero(odd)[0])
        raise DataError(
            f"item {str(data.item[first])!r} has the score {data.human[first]:g}: expected {low:g} (unanswerable) or {high:g} (answerable)",
            "label questions with the ends of the rubric's scale",
        )
    truth: np.ndarray = data.human == low
    if truth.all() or not truth.any():
        raise DataError(f"all {len(truth)} questions are of one kind", "give answerable and unanswerable ones")
    return truth


def _fixed(data: Labelled, weights: LayerWeights | None) -> dict[str, np.ndarray]:
    last, values = data.raw[:, -1].astype(np.float64), data.values
    uniform = LayerWeights("uniform", "raw", np.full(data.raw.shape[1], 1.0 / data.raw.shape[1]))
    scores = {"direct": direct(last, values), "e_score": e_score(last, values)}
    for name, chosen in (("uniform", uniform), ("tuned", weights)):
        if chosen is not None:
            scores[name] = read_score(data.lens(chosen.lens).astype(np.float64), values, chosen)[1]
    return scores


@dataclass(frozen=True)
class _Called:
    """Scores and the threshold at or below which they call a question unanswerable; predicts both, (2, n).

    scorer: fitted weights; None where the scores stand in x under the name "score".
    """

    scorer: Scorer | None
    threshold: float

    def predict(self, x: Columns) -> np.ndarray:
        scores = x["score"] if self.scorer is None else self.scorer.predict(x)[0]
        return np.stack([scores, np.full(len(scores), self.threshold)])


@dataclass(frozen=True)
class _FixedMethod:
    """Scores that need no weights: only the threshold is chosen. lowest: the label of the unanswerable."""

    lowest: float

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> _Called:
        return _Called(None, best_threshold(x["score"], human == self.lowest))


@dataclass(frozen=True)
class _FittedMethod:
    """Weights and a threshold, chosen on scores of weights that have not seen the question either."""

    weights: KindMethod

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> _Called:
        scorer = self.weights.fit(x, human, groups)
        unseen = scorer.found.out_of_fold
        assert unseen is not None  # every kind but uniform is cross-validated
        known = np.isfinite(unseen)
        return _Called(scorer, best_threshold(unseen[known], human[known] == self.weights.values[0]))


def _knower(
    name: str,
    called: tuple[np.ndarray, tuple[_Called, ...]],
    truth: np.ndarray,
    groups: np.ndarray,
    seed: int,
    resamples: int,
) -> Knower:
    (scores, limits), fits = called

    def span(statistic: Statistic) -> Interval | None:
        return interval_of(statistic, groups, rng=np.random.default_rng(seed), resamples=resamples)

    def detection(called: np.ndarray, thresholds: Sequence[float]) -> Detection:
        hits, calls = int(np.sum(called & truth)), int(np.sum(called))
        return Detection(
            thresholds=tuple(map(float, thresholds)),
            found=calls,
            f1=f1_score(called, truth),
            precision=hits / calls if calls else None,
            recall=hits / int(truth.sum()),
            interval=span(f1_statistic(called, truth)),
        )

    limit = rule_threshold(scores)
    thresholds, precision, recall, average = precision_recall(scores, truth, np.ones((1, len(scores))))
    curve = Curve(
        thresholds=tuple(map(float, thresholds)),
        precision=tuple(map(float, precision[0])),
        recall=tuple(map(float, recall[0])),
        average=float(average[0]),
        interval=span(lambda weight: precision_recall(scores, truth, weight)[3]),
    )
    return Knower(
        name,
        tuple(map(float, scores)),
        detection(scores <= limit, [limit]),
        detection(scores <= limits, [fit.threshold for fit in fits]),
        curve,
    )
