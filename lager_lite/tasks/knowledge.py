"""Does the judge know what cannot be known? Scores of answerability against questions of known kind.

"Unanswerable" is the positive class: a question counts as unanswerable where its score is at or below
a threshold. Two thresholds are reported. The paper's rule puts it at 0.75 of the range of a method's own
scores; the other one is the best for F1 on the other folds. Groups are never split between folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..data import counted
from ..errors import DataError
from ..fitting import (
    FEATURES,
    WORDS,
    Columns,
    FeatureMethod,
    KindMethod,
    Labelled,
    Method,
    WordsMethod,
    WordsScorer,
    baseline_features,
    copies_apart,
    folds_for_ranks,
    folds_inside,
    group_folds,
    left_out,
    lenses_for,
    out_of_fold,
    word_sets,
)
from ..records import STATES_KIND, WEIGHT_KINDS, Item, ItemId, LayerWeights
from ..scoring import direct, e_score, states_score
from ..scoring import score as read_score
from ..stats import warnings_of_few
from .detection import Knower, best_threshold, knower
from .knowledge_verdict import Pooled, knowledge_verdict


@dataclass(frozen=True)
class SelfKnowledge:
    """All methods on the same questions.

    n: number of questions.
    unanswerable: how many of them are unanswerable.
    groups: how many groups they are in.
    folds, seed: of the cross-validation.
    everything: F1 of calling every question unanswerable, which any method has to beat.
    baseline: the best of e_score, length and words, by average precision.
    verdict: what the best other method is worth against it, in a sentence; "" where there is no other method.
    items: the questions' ids.
    truth: for each question, whether it is unanswerable.
    methods: one entry per method.
    notes: what else the user should know, in sentences.
    """

    n: int
    unanswerable: int
    groups: int
    folds: int
    seed: int
    everything: float
    baseline: str
    verdict: str
    items: tuple[ItemId, ...]
    truth: tuple[bool, ...]
    methods: tuple[Knower, ...]
    notes: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out, and why the figures may tell little, a sentence each."""
        return (*self.notes, *warnings_of_few(self.n, self.groups, "question"))

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        return {**asdict(self), "warnings": list(self.warnings)}


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
    fit: Mapping[str, Any] | None = None,
    kinds: Sequence[str] = WEIGHT_KINDS,
    folds: int = 5,
    seed: int = 0,
    resamples: int = 1000,
) -> SelfKnowledge:
    """Try every method at both thresholds: direct, e_score, uniform, and every kind of weights, fitted in folds.

    Where the texts are known, so are `length` (the words of the question) and `words` (a ridge on which words occur in
    it), fitted in the same folds without a model.

    data: questions whose human score is an end of the scale: the lowest is unanswerable, the highest answerable.
    weights: are tried as they are, under the name "tuned"; None: none. fit: the record of their fit; questions that they
        were fitted on are left out.
    kinds: of the weights that are fitted; "uniform" has nothing to fit.
    folds: split by group, see `folds_for_ranks`. What is fitted or chosen for a fold (weights, ridge, lens, threshold) comes from the
        other folds alone, which are split into 5 inner folds, or fewer where one has fewer groups.
    resamples: of the groups, for the intervals.

    Raises DataError for other scores and where one kind of question is missing; FitError as `fit` does.
    """
    data, said = left_out(data, fit or {}, include=False, choice=False)
    truth = _truth(data)
    folds, small = folds_for_ranks(folds, len(truth), "question")
    fold = group_folds(data.group, folds, seed, data.human)
    found = int(truth.sum())
    about: dict[str, Any] = {"seed": seed, "resamples": resamples}
    knowers, pooled = [], {}
    methods = _methods(data, weights, kinds, folds_inside(data.group, fold), seed)
    for name, (method, columns) in methods.items():
        called, fits = out_of_fold(method, columns, data.human, data.group, fold)
        pooled[name] = Pooled(called[0], fold, fitted=fits[0].scorer is not None)
        limits, scores = [fit.threshold for fit in fits], pooled[name].scores
        knowers.append(knower(name, called, limits, truth, data.group, ranked=scores, **about))
    words = baseline_features(data.items)["length"][:, 0] if data.items else None
    baseline, verdict = knowledge_verdict(pooled, words, truth, data.group, **about)
    return SelfKnowledge(
        n=len(truth),
        unanswerable=found,
        groups=int(np.unique(data.group).size),
        folds=folds,
        seed=seed,
        everything=2.0 * found / (len(truth) + found),
        baseline=baseline,
        verdict=verdict,
        items=data.ids,
        truth=tuple(map(bool, truth)),
        methods=tuple(knowers),
        notes=(*said, *small, *copies_apart(data.items, data.group)),
    )


def _methods(
    data: Labelled, weights: LayerWeights | None, kinds: Sequence[str], inner: int, seed: int
) -> dict[str, tuple[Method[_Called], Columns]]:
    """By name, every method that is tried and the columns that it reads. inner: folds inside a training part."""
    low, logits = data.values[0], {"raw": data.raw, "norm": data.norm}
    methods: dict[str, tuple[Method[_Called], Columns]] = {
        name: (_FixedMethod(low), {"score": scores}) for name, scores in _fixed(data, weights).items()
    }
    if data.items:
        length = baseline_features(data.items)["length"]
        methods["length"] = (_FittedMethod(FeatureMethod(data.values, inner, seed), low), {FEATURES: length})
        methods["words"] = (_FittedMethod(WordsMethod(inner, seed), low), {WORDS: word_sets(data.items)})
    for kind in kinds:
        if kind != "uniform":
            fitted = _FittedMethod(KindMethod(kind, data.values, inner, seed), low)
            methods[kind] = (fitted, lenses_for(kind, logits))
    return methods


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
        raise DataError(
            f"there is one kind of question only, in {counted(len(truth), 'question')}",
            "give answerable and unanswerable ones",
        )
    return truth


def _raw_scores(data: Labelled, values: np.ndarray, weights: LayerWeights) -> np.ndarray:
    if weights.kind == STATES_KIND:
        return states_score(np.asarray(data.states), values, weights)[1]
    return read_score(data.lens(weights.lens).astype(np.float64), values, weights)[1]


def _fixed(data: Labelled, weights: LayerWeights | None) -> dict[str, np.ndarray]:
    last, values = data.raw[:, -1].astype(np.float64), data.values
    uniform = LayerWeights("uniform", "raw", np.full(data.raw.shape[1], 1.0 / data.raw.shape[1]))
    scores = {"direct": direct(last, values), "e_score": e_score(last, values)}
    for name, chosen in (("uniform", uniform), ("tuned", weights)):
        if chosen is not None:
            scores[name] = _raw_scores(data, values, chosen)
    return scores


@dataclass(frozen=True)
class _Called:
    """Scores and the threshold at or below which they call a question unanswerable; predicts both, (2, n).

    scorer: what was fitted; None where the scores stand in x under the name "score".
    """

    scorer: Any
    threshold: float

    def predict(self, x: Columns) -> np.ndarray:
        scores = x["score"] if self.scorer is None else np.atleast_2d(self.scorer.predict(x))[0]
        return np.stack([scores, np.full(len(scores), self.threshold)])


@dataclass(frozen=True)
class _FixedMethod:
    """Scores that need no weights: only the threshold is chosen. lowest: the label of the unanswerable."""

    lowest: float

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> _Called:
        """Find the best threshold of the scores themselves."""
        return _Called(None, best_threshold(x["score"], human == self.lowest))


@dataclass(frozen=True)
class _FittedMethod:
    """Something fitted and a threshold, chosen on scores of fits that have not seen the question either.

    method: its fits have `found.out_of_fold` or `unseen`. lowest: the label of the unanswerable.
    """

    method: Method[Any]
    lowest: float

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> _Called:
        """Fit the method, and find the best threshold of its scores."""
        scorer = self.method.fit(x, human, groups)
        unseen = scorer.unseen if isinstance(scorer, WordsScorer) else scorer.found.out_of_fold
        assert unseen is not None  # every kind but uniform is cross-validated
        known = np.isfinite(unseen)
        return _Called(scorer, best_threshold(unseen[known], human[known] == self.lowest))
