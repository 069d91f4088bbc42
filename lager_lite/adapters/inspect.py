"""A scorer of Inspect (extra `inspect`).

    from lager_lite import Judge
    from lager_lite.adapters.inspect import judge_scorer

    @task
    def helpful():
        return Task(dataset=..., solver=generate(), scorer=judge_scorer(Judge(rubric="helpfulness")))

The sample's input becomes the instruction, the completion the response, and the target the reference.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..errors import DataError
from ..judging import Judge
from .missing import needed
from .shares import one_rubric, share_of

with needed("inspect_ai", "inspect"):
    from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
    from inspect_ai.solver import TaskState


@scorer(metrics=[mean(), stderr()], name="lager_lite")  # type: ignore[untyped-decorator]
def judge_scorer(judge: Judge) -> Scorer:
    """Return a scorer whose values are scores on the scale of the judge's only rubric.

    `explanation` says the score and what is odd about it, and `metadata` holds the row that `score` writes. A sample
    that cannot be judged is left unscored, with the reason. Raises MisuseError for a judge of several rubrics.
    """
    one_rubric(judge)

    async def score(state: TaskState, target: Target) -> Score:
        """The score of one sample's completion."""
        response = state.output.completion
        row = {"instruction": state.input_text, "response": response, "reference": target.text or None}
        try:
            share = await asyncio.to_thread(share_of, judge, row)
        except DataError as error:
            return _unscored(error.message)
        return Score(value=share.judgment.score, answer=response, explanation=share.reason, metadata=dict(share.row))

    return score


def _unscored(reason: str) -> Any:
    return Score.unscored(explanation=reason)
