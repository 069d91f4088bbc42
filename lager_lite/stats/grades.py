"""Agreement in the words that people use of graders: kappa, alpha, within one point, who is mistaken for whom.

Scores are on the human scale here. Where grades are counted, a score stands for the label that is nearest to it, the
higher one of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .agreement import checked_pair


@dataclass(frozen=True)
class GradeAgreement:
    """How n scores agree with human scores, as grades.

    kappa: Cohen's kappa with quadratic weights (Cohen, 1968); None where both give one grade only.
    alpha: Krippendorff's alpha for interval data (Krippendorff, Content Analysis, 2004); None where nothing varies.
    within_one: share of the scores that lie within one point of the human score.
    exact: share of the scores whose grade is the human one.
    labels: the grades, ascending.
    confusion: how often people gave the grade of the row and the judge that of the column, int.
    binary: where grades count as good or bad; None where no threshold was given and there are more than two labels.
    """

    kappa: float | None
    alpha: float | None
    within_one: float
    exact: float
    labels: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]
    binary: BinaryAgreement | None = None


@dataclass(frozen=True)
class BinaryAgreement:
    """How scores tell the good from the bad: human scores at or above a threshold.

    threshold: on the human scale.
    cut: the score at or above which the judge calls a response good, chosen on the other folds for the highest sum of
        both rates; the mean over folds.
    tpr: share of the good ones that the judge calls good; None where there are none.
    tnr: share of the bad ones that it calls bad; None where there are none.
    f1: of "good"; None where nothing is good.
    """

    threshold: float
    cut: float
    tpr: float | None
    tnr: float | None
    f1: float | None


@dataclass(frozen=True)
class AnnotatorGrades:
    """How annotators agree with each other, in the same words; means over their pairs.

    kappa: mean of the quadratic-weighted kappas; None where undefined.
    alpha: Krippendorff's alpha of all of them; None where nothing varies.
    within_one: share of the pairs of scores that lie within one point.
    """

    kappa: float | None
    alpha: float | None
    within_one: float


def grade_agreement(
    scores: np.ndarray,
    human: np.ndarray,
    labels: Sequence[float],
    *,
    threshold: float | None = None,
    part: np.ndarray | None = None,
) -> GradeAgreement:
    """Agreement of scores (n,) with human scores (n,) as grades out of `labels`, ascending.

    threshold: at or above which a human score is good; None: the middle where there are two labels.
    part: int (n,), the number of each score's fold: its cut is chosen on the others; None: five parts by place.
    Raises ValueError as `agreement` does.
    """
    a, b = checked_pair(scores, human)
    values = np.asarray(labels, dtype=np.float64)
    rows, columns = nearest(b, values), nearest(a, values)
    table = np.zeros((values.size, values.size), dtype=np.int64)
    np.add.at(table, (rows, columns), 1)
    if threshold is None and values.size == 2:
        threshold = float(values.mean())
    parts = np.arange(a.size) % 5 if part is None else part
    return GradeAgreement(
        kappa=weighted_kappa(table, values),
        alpha=krippendorff_alpha(np.stack([a, b], axis=1)),
        within_one=float(np.mean(np.abs(a - b) <= 1.0 + 1e-9)),
        exact=float(np.mean(rows == columns)),
        labels=tuple(map(float, values)),
        confusion=tuple(tuple(map(int, row)) for row in table),
        binary=None if threshold is None else _binary(a, b >= threshold - 1e-9, threshold, parts),
    )


def annotator_grades(scores: Sequence[Sequence[float]], labels: Sequence[float]) -> AnnotatorGrades | None:
    """How annotators agree as grades; None where no item has two scores.

    scores: one sequence per item, with the annotators in the same order, as for `annotator_ceiling`.
    """
    width = max((len(s) for s in scores), default=0)
    table = np.full((len(scores), width), np.nan)
    for row, given in enumerate(scores):
        table[row, : len(given)] = given
    values = np.asarray(labels, dtype=np.float64)
    kappas, near, count = [], 0, 0
    for one in range(width):
        for other in range(one):
            both = np.isfinite(table[:, one]) & np.isfinite(table[:, other])
            a, b = table[both, one], table[both, other]
            near += int(np.sum(np.abs(a - b) <= 1.0 + 1e-9))
            count += a.size
            counts = np.zeros((values.size, values.size), dtype=np.int64)
            np.add.at(counts, (nearest(a, values), nearest(b, values)), 1)
            kappas += [kappa for kappa in [weighted_kappa(counts, values)] if kappa is not None]
    if not count:
        return None
    return AnnotatorGrades(float(np.mean(kappas)) if kappas else None, krippendorff_alpha(table), near / count)


def nearest(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The place of the nearest label of each score, int (n,); of two equally near ones the higher."""
    middles = (labels[1:] + labels[:-1]) / 2.0
    found: np.ndarray = np.searchsorted(middles, np.round(scores, 9), side="right")
    return found


def weighted_kappa(table: np.ndarray, labels: np.ndarray) -> float | None:
    """Quadratic-weighted kappa of counts (K, K) of two raters; None where their grades cannot differ by chance."""
    weight = np.subtract.outer(labels, labels) ** 2
    total = table.sum()
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(1, total)
    expected = float((weight * chance).sum())
    return 1.0 - float((weight * table).sum()) / expected if expected > 0 else None


def krippendorff_alpha(table: np.ndarray) -> float | None:
    """Krippendorff's alpha, interval metric, of scores (n, raters), NaN where a rater gave none; None where undefined.

    alpha = 1 - observed / expected disagreement, the mean squared differences of the scores of one item (each item
    weighs as many scores as it has) and of any two scores.
    """
    known = np.isfinite(table)
    count = known.sum(axis=1)
    table, known, count = table[count >= 2], known[count >= 2], count[count >= 2]
    total = int(count.sum())
    if total < 3:
        return None
    filled = np.where(known, table, 0.0)
    squares, sums = (filled**2).sum(axis=1), filled.sum(axis=1)
    # The sum over ordered pairs of (a - b)^2 is 2 (m * sum of squares - square of the sum).
    observed = float(np.sum(2.0 * (count * squares - sums**2) / (count - 1))) / total
    expected = 2.0 * (total * float(squares.sum()) - float(sums.sum()) ** 2) / (total * (total - 1))
    return 1.0 - observed / expected if expected > 1e-12 else None


def best_cut(scores: np.ndarray, good: np.ndarray) -> float:
    """The cut at which `scores >= cut` has the highest sum of both rates against good, bool (n,).

    It lies halfway between two scores; among equally good ones it is the lowest. Where one side is missing it is the
    lowest score.
    """
    found = np.unique(scores)
    if found.size < 2 or good.all() or not good.any():
        return float(found[0])
    cuts = (found[1:] + found[:-1]) / 2.0
    high, low = np.sort(scores[good]), np.sort(scores[~good])
    rates = 1.0 - np.searchsorted(high, cuts) / high.size + np.searchsorted(low, cuts) / low.size
    return float(cuts[int(np.argmax(np.round(rates, 12)))])


def _binary(scores: np.ndarray, good: np.ndarray, threshold: float, part: np.ndarray) -> BinaryAgreement:
    called, cuts = np.zeros(scores.size, dtype=bool), []
    for number in np.unique(part):
        mine = part == number
        others = ~mine if not mine.all() else mine
        cuts.append(best_cut(scores[others], good[others]))
        called[mine] = scores[mine] >= cuts[-1]
    hits, positives, calls = int(np.sum(called & good)), int(good.sum()), int(called.sum())
    negatives = scores.size - positives
    return BinaryAgreement(
        threshold=threshold,
        cut=float(np.mean(cuts)),
        tpr=hits / positives if positives else None,
        tnr=1.0 - (calls - hits) / negatives if negatives else None,
        f1=2.0 * hits / (positives + calls) if positives + calls else None,
    )
