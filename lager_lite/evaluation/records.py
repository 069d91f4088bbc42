"""One evaluation as a value: the figures of every method on the same judgments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import counted
from ..fitting import HeldShare
from ..records import ItemId
from ..stats import Agreement, AnnotatorGrades, Ceiling, Estimate, GradeAgreement, Interval, interval_text
from .curve import LearningCurve

TRIVIAL = ("e_score", "length", "surface")
"""The methods that everybody has without judging or fitting; the best of them is what a method has to beat."""
BASELINES = ("direct", "uniform", *TRIVIAL)
"""The methods that have no fitted layer weights."""
FINDINGS = ("better", "no better", "worse", "none")
"""What a verdict can be: against the best trivial method, or "none" where there is no clear agreement at all."""


@dataclass(frozen=True)
class MethodResult:
    """One method.

    name: of the method.
    overall: agreement with the human scores. Of a method that was fitted in folds, Spearman and Kendall are of the
        mid-ranks inside its folds, means over the splits, and Pearson is of `raw` without the levels of its folds. Where
        it tells the items of no fold apart, it has none of these, and no error either.
    interval: of the Spearman correlation, over groups and splits; None where that is undefined, in more than 1 in 200
        resamples, say, or since fewer than 6 groups are told apart from all others.
    calibrated_mae: mean absolute error of `calibrated`, in points of the scale; None where nothing was calibrated, and
        where `overall` is undefined.
    criteria: agreement within each criterion, by its name.
    mean_of_criteria: mean of the Spearman correlations within the criteria; None where all are undefined.
    gain: Spearman correlation minus that of e_score, on an equal footing (see `Footing.pair`); None for e_score itself.
    over_baseline: the same minus that of `Evaluation.baseline`; None for the baseline itself.
    equal_surface: partial Spearman correlation with people given the length and the out-of-fold score of `surface`; None
        for `length` and `surface`, and where the texts are not known.
    near_pairs: how many pairs of responses have different human scores and nearly the same length; inside folds, where
        there are any.
    near_accuracy: how often the better response of such a pair gets the higher score; chance is 0.5. None without pairs.
    length: Spearman correlation with the length of the response, of scores that were fitted inside their folds; None where
        undefined or unknown.
    grades: agreement in grades, on the human scale, of `calibrated` without the levels of its folds; None where nothing
        was calibrated, and where `overall` is undefined.
    lenses: the lens that each training part chose, fold by fold; empty for methods without folds.
    raw: its scores, one per judgment, in the order of `Evaluation.items`.
    calibrated: the same on the human scale, by calibrations that have not seen the item; None where nothing was
        calibrated (the baselines beside given weights).
    ranks: for every split, mid-ranks of the scores inside the folds, 0 to 1; empty for methods that nothing was fitted
        for, whose `raw` may be pooled as it is.
    held: how often prediction intervals hold people's score; None where nothing was calibrated, where there are too few
        groups, and in runs that were saved by an older version.
    """

    name: str
    overall: Agreement
    interval: Interval | None
    calibrated_mae: float | None
    criteria: Mapping[str, Agreement]
    mean_of_criteria: float | None
    gain: Estimate | None
    over_baseline: Estimate | None
    equal_surface: Estimate | None
    near_pairs: int
    near_accuracy: float | None
    length: float | None
    grades: GradeAgreement | None
    lenses: tuple[str, ...]
    raw: tuple[float, ...]
    calibrated: tuple[float, ...] | None
    ranks: tuple[tuple[float, ...], ...] = ()
    held: HeldShare | None = None

    @property
    def pooled(self) -> tuple[np.ndarray, ...]:
        """For every split, what may be pooled over folds, float64 (n,): `ranks`, or `raw` where nothing was fitted."""
        return tuple(map(np.array, self.ranks)) or (np.array(self.raw),)

    @property
    def tuned(self) -> bool:
        """Whether its layer weights were fitted."""
        return self.name not in BASELINES


@dataclass(frozen=True)
class LayerResult:
    """How well the expected score of one state alone agrees with people.

    state: its number; 0 is the embedding.
    lens: that it is read through.
    spearman: correlation with the human scores; None where undefined.
    interval: of `spearman`, over groups; None where undefined.
    """

    state: int
    lens: str
    spearman: float | None
    interval: Interval | None


@dataclass(frozen=True)
class FittedKind:
    """Weights of one kind, fitted on all items.

    kind: of the weights, or "like <name>" for a recipe, or "tuned" for given weights.
    lens: the one that agreed better.
    strength: of the ridge; None where there is none.
    weights: one per state, or one tuple of K or 2K per state for kind "full"; for kind "states" the standard
        deviation of what each state adds to the score.
    """

    kind: str
    lens: str
    strength: float | None
    weights: tuple[Any, ...]


@dataclass(frozen=True)
class Verdict:
    """Whether the best fitted method agrees with people better than the best trivial method does.

    method: the best fitted method.
    baseline: the best of e_score, length and surface.
    finding: one of FINDINGS.
    gain: Spearman correlation of `method` minus that of `baseline`; its interval allows for the choice of the best.
    text: the finding in words.
    """

    method: str
    baseline: str
    finding: str
    gain: Estimate
    text: str

    @property
    def beats(self) -> bool:
        """Whether the method is better than the baseline beyond chance."""
        return self.finding == "better"


@dataclass(frozen=True)
class Evaluation:
    """All methods on the same judgments.

    n: number of judgments.
    groups: how many groups they are in.
    folds: of the cross-validation; None where the weights were given.
    seed: of the folds and of resampling.
    splits: how often the items were split into folds.
    held_out: name of the field whose values no fit had seen either; None: only groups were held out.
    baseline: the best of e_score, length and surface.
    methods: one entry per method.
    ceiling: how well annotators agree; None where items have single scores.
    annotators: the same in grades; None where items have single scores.
    verdict: None where no fitted method has a correlation and an interval of its gain.
    warnings: what the user should know, in sentences.
    values: of the scale's labels, ascending.
    items, criterion, group, human: item id, rubric, group and mean human score, one entry per judgment.
    length: natural logarithm of one plus the words of the response, one entry per judgment; empty where unknown.
    layers: every state alone, under either lens.
    fitted: weights of every kind for the pictures of a report; no figure is computed from them.
    curve: the learning curve of the best fitted kind; None where it was not asked for.
    seen: how many of the judgments are of what the given weights were fitted on; 0 where there are none, and where
        weights were cross-validated.
    left_out: how many further judgments were left out, since they are of what the given weights were fitted on.
    """

    n: int
    groups: int
    folds: int | None
    seed: int
    splits: int
    held_out: str | None
    baseline: str
    methods: tuple[MethodResult, ...]
    ceiling: Ceiling | None
    annotators: AnnotatorGrades | None
    verdict: Verdict | None
    warnings: tuple[str, ...]
    values: tuple[float, ...]
    items: tuple[ItemId, ...]
    criterion: tuple[str, ...]
    group: tuple[str, ...]
    human: tuple[float, ...]
    length: tuple[float, ...]
    layers: tuple[LayerResult, ...]
    fitted: tuple[FittedKind, ...]
    curve: LearningCurve | None = None
    seen: int = 0
    left_out: int = 0

    @property
    def caveat(self) -> str:
        """What stands before the verdict where weights know the items; "" where they do not."""
        if not self.seen:
            return ""
        are = "is" if self.seen == 1 else "are"
        many = f"{self.seen} of {counted(self.n, 'judgment')} {are}"
        return f"Too good: {many} of items or groups that the weights were fitted on."

    @property
    def told(self) -> str:
        """The verdict in words, or why there is none."""
        return self.verdict.text if self.verdict else f"{self.caveat} {self._no_verdict()}".lstrip()

    def _no_verdict(self) -> str:
        tried = [m for m in self.methods if m.tuned]
        if tried:
            known = any(m.overall.spearman is not None for m in tried)
            what = "an interval of their correlation" if known else "a correlation"
            return f"There is no verdict, since no weights have {what} with people here."
        text = "No weights were fitted, so there is no verdict on any."
        names = {m.name: m for m in self.methods}
        length, judge = names.get("length"), names.get("e_score")
        if not length or not judge or not length.gain or length.gain.value is None:
            return text
        way = "" if length.ranks else ", in the direction that these labels have"
        gain = f"{length.gain.value:.2f} {interval_text(length.gain.interval)}".removesuffix(" -")
        return (
            f"{text} The length of the response alone reaches Spearman {length.overall.spearman or 0.0:.2f}{way}, and "
            f"e_score {judge.overall.spearman or 0.0:.2f}: the difference is {gain}."
        )

    @property
    def splits_text(self) -> str:
        """How often the items were split, for people."""
        return "once" if self.splits == 1 else f"{self.splits} times"

    def method(self, name: str) -> MethodResult:
        """The result of one method. Raises StopIteration where there is no such method."""
        return next(m for m in self.methods if m.name == name)
