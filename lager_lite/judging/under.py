"""One backbone under other rubrics than those that its judge was opened with, as a server is asked for them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

from ..errors import WeightsError
from ..prompts import Rubric, with_feedback
from .given import rubrics_given
from .judge import Judge
from .reader import highest_state


def under(judge: Judge, rubric: str | Path | Rubric | Sequence[str | Path | Rubric], *, fitted: bool = True) -> Judge:
    """Return a judge of other rubrics on the same backbone, with the same store and the same turns.

    It counts for itself, and ends when either of the two is closed. fitted: False leaves out the weights of `judge`,
    so that every score is `e_score`.

    Raises PromptError for rubrics that this model cannot use, WeightsError for one that the weights of `judge` were not
    checked for, and UnsupportedModelError where the new score tokens do not pass the check of the output layer.
    """
    loaded = rubrics_given(rubric)
    rubrics = tuple(map(with_feedback, loaded) if judge.reasoning else loaded)
    if fitted and judge.weights is not None and (strange := [r.name for r in rubrics if r not in judge.rubrics]):
        names = ", ".join(one.name for one in judge.rubrics)
        raise WeightsError(
            f"the weights in use are not for the rubric {strange[0]!r}",
            f"use {names}, or a judge without weights",
        )
    other = copy.copy(judge)
    other.rubrics = rubrics
    other.counts = type(judge.counts)()
    if not fitted:
        other.weights, other.by_rubric = None, {}
        other.max_state = highest_state(judge.info, judge.n_states - 1, weighted=False)
        other.evaluator = other.evaluate
    with judge._gate.turn():
        other._encoder = judge._encoder.under(rubrics)
        judge._reader.check_new(other.labels.values())
    return other
