"""Runs over whole files: what the commands call, free of the command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .judge import Counts, Judge
from .records import Item, Judgment

LOW_MASS = 0.5


@dataclass(frozen=True)
class Summary:
    """judgments: all in order; counts: the judge's; seconds: wall time; low_mass: judgments whose
    labels hold less than LOW_MASS of the vocabulary's probability."""

    judgments: tuple[Judgment, ...]
    counts: Counts
    seconds: float
    low_mass: int

    @property
    def failed(self) -> tuple[Judgment, ...]:
        """The judgments without a score."""
        return tuple(j for j in self.judgments if j.error is not None)


def score_items(judge: Judge, items: Sequence[Item], progress: Callable[[Counts], None] | None = None) -> Summary:
    """Judge all items and sum up."""
    start = time.monotonic()
    judgments = tuple(judge.score(items, progress=progress))
    low = sum(j.mass is not None and j.mass < LOW_MASS for j in judgments)
    return Summary(judgments, judge.counts, time.monotonic() - start, low)


def judgment_row(judgment: Judgment, *, details: bool = False) -> dict[str, object]:
    """A judgment as a flat row for a file; details adds the expected score of every layer.

    Numbers are rounded to 6 decimals, far below what any setting can reproduce across machines.
    """
    row: dict[str, object] = {"id": judgment.id, "rubric": judgment.rubric, "score": _round(judgment.score)}
    for name in ("raw_score", "direct", "e_score", "uniform", "mass"):
        row[name] = _round(getattr(judgment, name))
    row["tokens"] = judgment.tokens
    row["probabilities"] = judgment.probabilities and {k: _round(v) for k, v in judgment.probabilities.items()}
    if details:
        row["per_layer"] = judgment.per_layer and [_round(v) for v in judgment.per_layer]
    row["error"] = judgment.error
    return row


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
