"""Runs over whole files: what the commands call, free of the command line."""

from __future__ import annotations

import itertools
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


@dataclass(frozen=True)
class Ordering:
    """right: share of pairs with different grades, within a group, that a method orders as the grades
    do, ties counted as half (chance: 0.5); pairs: how many; by method."""

    right: dict[str, float]
    pairs: int


def ordering(items: Sequence[Item], judgments: Sequence[Judgment], tuned: bool) -> Ordering:
    """How well each method orders the responses of one group; both sequences in the same order."""
    methods = ["direct", "e_score", "uniform"] + (["score"] if tuned else [])
    right, pairs = dict.fromkeys(methods, 0.0), 0
    rows = [(i.group, sum(i.human[""]) / len(i.human[""]), j) for i, j in zip(items, judgments) if j.error is None]
    for (group, grade, one), (other_group, other_grade, other) in itertools.combinations(rows, 2):
        if group != other_group or grade == other_grade:
            continue
        pairs += 1
        for method in methods:
            gap = (getattr(one, method) - getattr(other, method)) * (1 if grade > other_grade else -1)
            right[method] += 0.5 if gap == 0 else float(gap > 0)
    named = {("tuned" if m == "score" else m): (v / pairs if pairs else 0.0) for m, v in right.items()}
    return Ordering(named, pairs)


def judgment_row(
    judgment: Judgment, *, details: bool = False, flagged: Sequence[str] | None = None
) -> dict[str, object]:
    """A judgment as a flat row for a file; details adds the expected score of every layer; flagged:
    the signs of injection that the item shows (`injection.signs`), None where nobody looked.

    Numbers are rounded to 6 decimals, far below what any setting can reproduce across machines.
    """
    row: dict[str, object] = {"id": judgment.id, "rubric": judgment.rubric, "score": _round(judgment.score)}
    for name in ("raw_score", "direct", "e_score", "uniform", "mass"):
        row[name] = _round(getattr(judgment, name))
    row["tokens"] = judgment.tokens
    row["probabilities"] = judgment.probabilities and {k: _round(v) for k, v in judgment.probabilities.items()}
    if details:
        row["per_layer"] = judgment.per_layer and [_round(v) for v in judgment.per_layer]
    if flagged is not None:
        row["flagged"] = list(flagged)
    row["error"] = judgment.error
    return row


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
