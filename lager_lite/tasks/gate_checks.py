"""One check of a gate: a mean, or a mean change, against the bound that it must reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..stats import alike_needed, ends_of_alike, groups_needed, half_width, warnings_of_few

MET, MISSED, UNDECIDED = "met", "missed", "undecided"
MEAN, CHANGE = "mean", "change"
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Check:
    """A mean held against its bound.

    - `part`: the value of the field that the gate goes by; "all" without one.
    - `kind`: "mean", or "change" for the difference from the earlier run.
    - `value`: the mean, in points of the scale; None where no row of the part has a score.
    - `low`, `high`: the ends of its interval; None where fewer than two groups have a score, and where all scores are
      alike on a scale that is not known.
    - `bound`: the lowest value that passes.
    - `verdict`: "met", "missed" or "undecided".
    - `rows`, `groups`: how many rows the mean is of, and in how many groups.
    - `needed`: about how many groups would decide it; None where it is decided, or no number would.
    - `alike`: whether it is a mean of scores that are all one, from which no spread follows.
    """

    part: str
    kind: str
    value: float | None
    low: float | None
    high: float | None
    bound: float
    verdict: str
    rows: int
    groups: int
    needed: int | None = None
    alike: bool = False


def checked(
    part: str,
    kind: str,
    values: np.ndarray,
    groups: Sequence[str],
    *,
    bound: float,
    ends: tuple[float, float] | None,
    level: float,
) -> Check:
    """Hold the mean of values (n,) in their groups against a bound.

    part, kind: as of `Check`. ends: between which single values can lie; None where that is not known. level: of the
    interval. Scores that are all alike have the interval of `ends_of_alike`. Changes that are all alike have one of no
    length: scores of the same items move in step where a whole run was shifted.
    """
    count = len(set(groups))
    if not values.size:
        return Check(part, kind, None, None, None, bound, UNDECIDED, 0, 0)
    value, half = float(values.mean()), half_width(values, groups, level)
    alike = kind == MEAN and bool(np.ptp(values) <= _ROUNDING)
    if half is None or alike and ends is None:
        return Check(part, kind, value, None, None, bound, UNDECIDED, values.size, count, alike=alike)
    low, high = value - half, value + half
    if ends is not None:
        low, high = max(low, min(ends[0], value)), min(high, max(ends[1], value))
        low, high = ends_of_alike(value, ends, count, level) if alike else (low, high)
    # Rounding must not decide about equal scores.
    verdict = MET if low >= bound - _ROUNDING else MISSED if high < bound - _ROUNDING else UNDECIDED
    needed = None
    if verdict == UNDECIDED and alike and ends is not None:
        needed = alike_needed(abs(value - bound), value - ends[0] if value > bound else ends[1] - value, level)
    elif verdict == UNDECIDED:
        needed = groups_needed(abs(value - bound), half, count)
    return Check(part, kind, value, low, high, bound, verdict, values.size, count, needed, alike)


def doubts_of(checks: Sequence[Check]) -> list[str]:
    """What to say of the intervals of checks: from how little they are, and where all scores are alike."""
    told = [check for check in checks if check.low is not None]
    if not told:
        return []
    said = [
        f"{check.part}: all {check.rows} scores are alike, so the interval is what {check.groups} groups without another "
        "score allow"
        for check in told
        if check.alike
    ]
    return [*warnings_of_few(min(c.rows for c in told), min(c.groups for c in told), "row"), *said]
