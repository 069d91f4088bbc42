"""A metric of DeepEval (extra `deepeval`).

    from lager_lite import Judge
    from lager_lite.adapters.deepeval import JudgeMetric

    with Judge(rubric="helpfulness") as judge:
        evaluate(test_cases, [JudgeMetric(judge, threshold=0.6)])

`input` becomes the instruction, `actual_output` the response, `expected_output` the reference, and `context`, else
`retrieval_context`, the source.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..judging import Judge
from .missing import needed
from .shares import Share, in_paragraphs, one_rubric, share_of

with needed("deepeval", "deepeval"):
    from deepeval.metrics import BaseMetric
    from deepeval.test_case import LLMTestCase


class JudgeMetric(BaseMetric):  # type: ignore[misc]
    """Scores test cases with a judge of one rubric; `score` is the share of the scale, from 0 to 1.

    - `judge`: what judges; it stays open for as long as the metric is used. Metrics may share one.
    - `threshold`: the least share that is a success.

    `reason` says the score on the rubric's own scale, and `score_breakdown` holds the row that `score` writes. Raises
    MisuseError for a judge of several rubrics. Measuring raises DataError where a test case cannot be judged.
    """

    score: float | None
    error: str | None
    success: bool | None
    reason: str | None

    def __init__(self, judge: Judge, threshold: float = 0.5) -> None:
        self.rubric = one_rubric(judge)
        # DeepEval copies a metric from the attributes that are named like these parameters.
        self.judge, self.threshold = judge, threshold
        self.evaluation_model = judge.info.paths[0].stem
        self.async_mode = True

    def measure(self, test_case: LLMTestCase, *args: Any, **kwargs: Any) -> float:
        """Judge a test case; returns the share."""
        self.error = None
        try:
            return self._take(share_of(self.judge, _row(test_case)))
        except Exception as error:
            self.error = str(error)
            self.score, self.success = None, False
            raise

    async def a_measure(self, test_case: LLMTestCase, *args: Any, **kwargs: Any) -> float:
        """Do as `measure`, in a thread of its own."""
        return await asyncio.to_thread(self.measure, test_case)

    def is_successful(self) -> bool:
        """Whether the last test case reached the threshold."""
        self.success = self.error is None and self.score is not None and self.score >= self.threshold
        return self.success

    @property
    def __name__(self) -> str:
        return f"lager-lite {self.rubric.name}"

    def _take(self, share: Share) -> float:
        self.score, self.reason = share.value, share.reason
        self.score_breakdown = dict(share.row)
        self.evaluation_cost, self.input_tokens, self.output_tokens = 0.0, share.judgment.tokens, 0
        self.is_successful()
        return share.value


def _row(test_case: LLMTestCase) -> dict[str, Any]:
    return {
        "instruction": test_case.input,
        "response": test_case.actual_output,
        "reference": test_case.expected_output,
        "source": in_paragraphs(test_case.context) or in_paragraphs(test_case.retrieval_context),
    }
