"""What is odd about a judgment, and about a run as a whole: nothing that looks like a score is shown without it.

A judgment that is odd in itself carries flags (`Judgment.flags`). What shows only over a run is a sentence: for
people on stderr, for programs a JudgeWarning and `Summary.warnings`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..data import counted
from ..errors import Advice, JudgeWarning
from ..prompts import NO_TEMPLATE, ChatTemplate, Rubric, is_visible
from ..records import Item, Judgment

EMPTY, SATURATED, LOW_MASS = "empty response", "saturated", "low mass"
"""The flags: the response has no visible character; one label holds all but TINY of the probability; the labels hold
less than MASS of the vocabulary's."""

MASS = 0.5
"""The share of the vocabulary's probability below which the labels hold little: what the model wants to write is then
more likely something else than a score."""

TINY = 0.001
"""The probability that a saturated judgment leaves to all labels but one. On a scale of five labels the expected score
is then within 0.004 of that label: two decimals, as they are printed, no longer tell responses apart."""

SPREAD = 0.01
"""The standard deviation of the scores of a run, as a share of the scale, below which they are nearly constant. Another
batch size or another machine moves a score by as much."""

LEAST = 10
"""The number of judgments from which on a small spread is no accident."""

_FIT = Advice("lager-lite fit", "fit_weights")

SMALL = 10**9
"""The number of parameters below which scores without fitted weights are near chance: those of every model so small
that was measured on human scores were (see the page evidence)."""


def doubts(chat: ChatTemplate, parameters: int, shipped: str | None = None) -> tuple[str, ...]:
    """Return why a judge without fitted weights is likely to tell little, a sentence for each reason.

    - `parameters`: the number of parameters of the model.
    - `shipped`: the name of weights that ship for it and its rubric; None where there are none.
    """
    found = []
    if chat.origin == NO_TEMPLATE:
        found.append(
            "the model has no chat template, so it is likely a base model, which was not taught to follow an "
            "instruction: use an instruct model, or give its template"
            f"{Advice(' with --chat-template-file', ' as `chat`')}"
        )
    if parameters < SMALL:
        millions = f"{parameters / 1e6:,.0f}" if parameters >= 10**6 else f"{parameters / 1e6:.1g}"
        own = f"{Advice(f'give -w {shipped}', f'give the weights {shipped}, which ship')}, " if shipped else ""
        found.append(
            f"without fitted weights the scores of a model of {millions} million parameters are near "
            f"chance: {own}fit weights on human scores (`{_FIT}`), or use a larger instruct model"
        )
    return tuple(found)


def flags_of(item: Item, probabilities: Mapping[str, float], mass: float | None) -> tuple[str, ...]:
    """Return what is odd about one judgment, beginning with the item's own flags.

    - `probabilities`: by label, from which the raw score is computed.
    - `mass`: the share of the vocabulary's probability that the labels hold. None: it was not read.
    """
    found = list(item.flags)
    if item.rendered is None and not is_visible(item.fields.get("response", "-")):
        found.append(EMPTY)
    if max(probabilities.values()) >= 1 - TINY:
        found.append(SATURATED)
    if mass is not None and mass < MASS:
        found.append(LOW_MASS)
    return tuple(found)


@dataclass
class _Scores:
    """The scores of one rubric so far: their number, mean, and sum of squared distances from it (Welford)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, score: float) -> None:
        """Take in one score (Welford, Technometrics 4(3), 1962)."""
        self.count += 1
        gap = score - self.mean
        self.mean += gap / self.count
        self.squares += gap * (score - self.mean)

    @property
    def deviation(self) -> float:
        """Standard deviation of the scores so far, in points of the scale."""
        return math.sqrt(self.squares / self.count)


class Quality:
    """Looks at the judgments of a run, one by one.

    - `rubrics`: those of the run, whose scales tell how small a spread is; others are not looked at for it.
    """

    def __init__(self, rubrics: Sequence[Rubric] = ()) -> None:
        self._spans = {r.name: r.scale.values[-1] - r.scale.values[0] for r in rubrics}
        self._scores = {name: _Scores() for name in self._spans}
        self._scored, self._flags = 0, {EMPTY: 0, SATURATED: 0, LOW_MASS: 0}

    def add(self, judgment: Judgment) -> None:
        """Look at one judgment; one without a score says nothing."""
        if judgment.score is None:
            return
        self._scored += 1
        for flag in self._flags:
            self._flags[flag] += flag in judgment.flags
        if judgment.rubric in self._scores:
            self._scores[judgment.rubric].add(judgment.score)

    def count(self, flag: str) -> int:
        """Return the number of judgments with a flag."""
        return self._flags[flag]

    def warnings(self) -> tuple[str, ...]:
        """Return what is odd about the judgments so far, a sentence each."""
        found = []
        low, saturated, empty = (self._flags[flag] for flag in (LOW_MASS, SATURATED, EMPTY))
        if low:
            found.append(
                f"in {low} of {counted(self._scored, 'judgment')} the labels hold less than {MASS:.0%} of the probability; "
                "there the model wants to say something else (see `mass`)"
            )
        if 2 * saturated >= self._scored > 0:
            found.append(
                f"in {saturated} of {counted(self._scored, 'judgment')} one label holds more than {1 - TINY:.1%} of the "
                "probability: these scores do not tell good responses from slightly better ones; fit weights on human "
                f"scores (`{_FIT}`), or use another model"
            )
        found += [self._constant(name) for name, scores in self._scores.items() if self._is_constant(name, scores)]
        if empty:
            found.append(
                f"{empty} of {counted(self._scored, 'judgment')} {'is' if empty == 1 else 'are'} of a response without a visible character"
            )
        return tuple(found)

    def _is_constant(self, name: str, scores: _Scores) -> bool:
        return scores.count >= LEAST and scores.deviation < SPREAD * self._spans[name]

    def _constant(self, name: str) -> str:
        scores = self._scores[name]
        return (
            f"the {scores.count} scores of the rubric {name} are nearly constant (mean {scores.mean:.2f}, standard "
            f"deviation {scores.deviation:.3f}), so they do not tell these responses apart; fit weights on human "
            f"scores (`{_FIT}`), or use another model"
        )


def watched(
    judged: Iterator[tuple[Item, Judgment]], rubrics: Sequence[Rubric], doubts: Sequence[str], told: set[str]
) -> Iterator[tuple[Item, Judgment]]:
    """Hand on what is judged; give a JudgeWarning for every doubt before it, and for what is odd of the run after it.

    - `rubrics`: see `Quality`.
    - `told`: the doubts that were given before, which are left out; those that are given are added.
    """
    quality = Quality(rubrics)
    for text in doubts:
        if text in told:
            continue
        told.add(text)
        warnings.warn(text, JudgeWarning, stacklevel=3)
    for item, judgment in judged:
        quality.add(judgment)
        yield item, judgment
    for text in quality.warnings():
        warnings.warn(text, JudgeWarning, stacklevel=3)
