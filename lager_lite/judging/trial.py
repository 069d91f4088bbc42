"""A trial of a judge on ten short answers, five of them right: what a model can do before anybody has fitted it."""

from __future__ import annotations

from dataclasses import dataclass

from ..prompts import make_rubric
from ..records import Item
from .judge import Judge
from .quality import Quality

_ANSWERS = (
    ("What is the capital of France?", "Paris.", "Banana."),
    ("What is two plus three?", "Five.", "Seventy."),
    ("Which animal barks?", "A dog barks.", "A table barks."),
    ("What do people drink when they are thirsty?", "They drink water.", "They drink stones."),
    ("At what time of day does the sun rise?", "In the morning.", "In the left shoe."),
)
TRIAL_RUBRIC = make_rubric(
    "trial",
    "Is the response a right answer?",
    scale="1-5",
    template="{sections}\n\n{criterion} {scale} Answer with one score.",
)


@dataclass(frozen=True)
class Trial:
    """What a judge made of the answers.

    - `questions`: the number of questions, each with a right and a wrong answer.
    - `better`: the number of questions whose right answer has the higher score.
    - `low`, `high`: the lowest and highest score, on a scale of 1 to 5.
    - `mass`: the smallest share of the vocabulary's probability that the labels hold. None: it was not read.
    - `warnings`: why this judge is likely to tell little, a sentence each.
    """

    questions: int
    better: int
    low: float
    high: float
    mass: float | None
    warnings: tuple[str, ...]

    @property
    def text(self) -> str:
        """The figures in one line."""
        mass = "" if self.mass is None else f"; the labels hold at least {self.mass:.0%} of the probability"
        return (
            f"the right one of two answers scores higher in {self.better} of {self.questions} (chance: half); "
            f"scores from {self.low:.2f} to {self.high:.2f}{mass}"
        )


def try_out(judge: Judge) -> Trial:
    """Let a judge with the one rubric TRIAL_RUBRIC score the answers."""
    items = [
        Item(f"{question} {answer}", {"instruction": question, "response": answer})
        for question, *answers in _ANSWERS
        for answer in answers
    ]
    judgments = [judgment for _, judgment in judge.judged(items, quiet=True)]
    quality = Quality(judge.rubrics)
    for judgment in judgments:
        quality.add(judgment)
    scores = [judgment.score or 0.0 for judgment in judgments]
    masses = [judgment.mass for judgment in judgments if judgment.mass is not None]
    return Trial(
        questions=len(_ANSWERS),
        better=sum(right > wrong for right, wrong in zip(scores[::2], scores[1::2])),
        low=min(scores),
        high=max(scores),
        mass=min(masses, default=None),
        warnings=(*judge.doubts(), *quality.warnings()),
    )
