"""The mean score of a file that people would give, from few labels and many judgments.

Judgments alone are biased and labels alone are few. Prediction-powered inference takes the mean of the judgments of all
items and corrects it by how far the labels lie from the judgments of the same items; the judgments count as much as
they help (Angelopoulos et al., Prediction-powered inference, Science 2023, and PPI++, 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy

from ..errors import DataError
from ..fitting import gather, grouped, left_out
from ..judging import Judge
from ..records import Counts, Item, Reading
from ..stats import ends_of_alike, variance_of_mean, warnings_of_few
from .apart import unlike, without_copies

# From fewer groups of labels than this, most of which lie at an end of the scale, intervals are a little too short.
_PILED_UP = 50


@dataclass(frozen=True)
class MeanScore:
    """A mean with its 95% interval, in points of the scale.

    value, low, high: the mean and the ends of the interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimated:
    """The mean score of the unlabelled items.

    corrected: the judgments' mean, corrected by the labels.
    labels: the mean of the labels alone.
    judged: the mean of the judgments alone, of which nobody knows how wrong it is.
    weight: how much the judgments count, 0 (not at all) to 1.
    labelled, groups: how many labels there are, and in how many groups.
    unlabelled: how many judgments without a label.
    warnings: what the user should know, in sentences.
    """

    corrected: MeanScore
    labels: MeanScore
    judged: float
    weight: float
    labelled: int
    groups: int
    unlabelled: int
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        return asdict(self)


def estimate_mean(
    judge: Judge,
    labelled: Sequence[Item],
    unlabelled: Sequence[Item],
    *,
    fit: Mapping[str, Any] | None = None,
    progress: Callable[[Counts], None] | None = None,
) -> Estimated:
    """Judge both and estimate what people's mean score of the unlabelled items would be; labels must be of a like kind.

    Unlabelled items that are among the labelled ones count once, as these. A warning says where the two are unlike.

    fit: the weights' record of their fit; labels that they were fitted on are left out, since their judgments are too
    good. progress: called with the counts so far. Raises DataError where a part cannot be judged, and for fewer than
    two groups of labels.
    """
    data = gather(judge, labelled, progress)
    data, said = left_out(data, fit or {}, include=False, choice=False)
    rubrics = {rubric.name: rubric for rubric in judge.rubrics}
    states = [None] * len(data.human) if data.states is None else data.states
    scored = [
        judge.judgment(item, rubrics[str(name)], Reading(raw, norm, None, 0, states=state)).score
        for item, name, raw, norm, state in zip(data.items, data.criterion, data.raw, data.norm, states)
    ]
    others, copies = without_copies(data.items, unlabelled)
    if unlabelled and not others:
        raise DataError("all of the unlabelled items are labelled ones", "give items without a label")
    pairs = [(j.score, item) for item, j in judge.judged(others, progress=progress)]
    found = [(score, item) for score, item in pairs if score is not None]
    if not found or None in scored:
        raise DataError("none of the unlabelled items could be judged", "see lager-lite score for why")
    values, judged = zip(*found)
    ends = float(data.values[0]), float(data.values[-1])
    own = np.array(scored, dtype=float)
    result = prediction_powered(data.human, own, data.group, np.array(values), np.array(grouped(judged)), ends=ends)
    corrected, labels, weight = result
    return Estimated(
        corrected=corrected,
        labels=labels,
        judged=float(np.mean(values)),
        weight=weight,
        labelled=len(data.human),
        groups=int(np.unique(data.group).size),
        unlabelled=len(values),
        warnings=(
            *said,
            *copies,
            *unlike(data.items, own, judged, np.array(values)),
            *doubts_of_labels(data.human, int(np.unique(data.group).size), ends),
        ),
    )


def doubts_of_labels(human: np.ndarray, groups: int, ends: tuple[float, float]) -> list[str]:
    """What to say of intervals from few labels, and from labels of which most are one; ends: of the scale."""
    said = list(warnings_of_few(human.size, groups, "label"))
    most = max(float(np.mean(np.abs(human - end) < 1e-9)) for end in ends)
    if np.ptp(human) < 1e-9:
        said.append(
            f"all {human.size} labels are {human[0]:g}, so the interval is what {groups} groups without another label allow"
        )
    elif groups < _PILED_UP and most >= 0.5:
        said.append(
            f"{most:.0%} of the labels lie at one end of the scale: from so few of them, 95% intervals hold the mean in only "
            "about 90 of 100 cases"
        )
    return said


def prediction_powered(
    human: np.ndarray,
    judged: np.ndarray,
    groups: np.ndarray,
    new: np.ndarray,
    new_groups: np.ndarray,
    *,
    ends: tuple[float, float],
) -> tuple[MeanScore, MeanScore, float]:
    """The corrected mean, that of the labels alone, and how much the judgments count.

    human, judged, groups: scores by people and by the judge, and groups, of labelled items (n,). new, new_groups: the
    judge's scores and groups of the others (m,). ends: of the scale. Errors are those of sums over groups, and the
    interval is Student's; that of labels that are all alike is that of `ends_of_alike`.

    With 6, 10, 20 and 40 labels of which most were 5 on a scale of 1 to 5, intervals held the mean in 0.91 to 0.99,
    0.91 to 0.99, 0.89 to 1.00 and 0.91 to 0.95 of 1,000 runs, by how many were 5; with evenly spread labels in 0.92 to
    0.94. Raises DataError for one group.
    """
    count = np.unique(groups).size
    if count < 2:
        raise DataError("the labels are of one group: no interval follows from it", "label items of more groups")
    spread = float(np.var(judged)) * (1.0 + human.size / new.size)
    weight = float(np.clip(np.cov(human, judged, bias=True)[0, 1] / spread, 0.0, 1.0)) if spread > 0 else 0.0
    wide = float(scipy.special.stdtrit(count - 1, 0.975))
    value = float(human.mean() + weight * (new.mean() - judged.mean()))
    error = np.sqrt(variance_of_mean(human - weight * judged, groups) + weight**2 * variance_of_mean(new, new_groups))
    alone, own = float(human.mean()), float(np.sqrt(variance_of_mean(human, groups)))
    if np.ptp(human) < 1e-9:
        same = MeanScore(alone, *ends_of_alike(alone, ends, count))
        return same, same, 0.0
    corrected = MeanScore(value, value - wide * float(error), value + wide * float(error))
    return corrected, MeanScore(alone, alone - wide * own, alone + wide * own), weight
