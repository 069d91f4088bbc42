"""A judgment as frameworks of evaluation want it: a share from 0 to 1, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DataError, MisuseError
from ..judging import Judge, judgment_row
from ..prompts import Rubric, describe_scale
from ..records import Judgment


@dataclass(frozen=True)
class Share:
    """One judgment.

    - `value`: how far up the scale the score lies, from 0 (its lowest value) to 1 (its highest).
    - `reason`: the score, the scale and what is odd about it, in words.
    - `judgment`: the judgment.
    - `row`: the judgment as `score` writes it.
    """

    value: float
    reason: str
    judgment: Judgment
    row: Mapping[str, Any]


def one_rubric(judge: Judge) -> Rubric:
    """Return the only rubric of a judge. Raises MisuseError where it has several."""
    if len(judge.rubrics) != 1:
        names = ", ".join(rubric.name for rubric in judge.rubrics)
        raise MisuseError(
            f"one score is wanted, and the judge has {len(judge.rubrics)} rubrics: {names}",
            "open a judge with one rubric",
        )
    return judge.rubrics[0]


def share_of(judge: Judge, row: Mapping[str, Any]) -> Share:
    """Judge one row by the only rubric of a judge.

    Keys without a value are left out. Raises DataError where the row cannot be judged, and what `Judge.score` raises.
    """
    rubric = one_rubric(judge)
    given = {key: value for key, value in row.items() if value is not None}
    ((_, judgment),) = judge.judged([given], quiet=True)
    if judgment.score is None:
        raise DataError(judgment.error or "there is no score")
    low, high = rubric.scale.values[0], rubric.scale.values[-1]
    value = min(1.0, max(0.0, (judgment.score - low) / (high - low)))
    told = [f"{rubric.name}: {judgment.score:.2f} on the scale {describe_scale(rubric.scale)}", *judgment.flags]
    return Share(value, "; ".join(told), judgment, judgment_row(judgment))


def in_paragraphs(texts: Any) -> str | None:
    """Several texts as one, with blank lines between them; None for none."""
    found = [texts] if isinstance(texts, str) else [str(text) for text in texts or ()]
    return "\n\n".join(found) or None
