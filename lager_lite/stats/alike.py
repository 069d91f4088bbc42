"""A mean of values that are all alike: no spread follows from them, and yet others may differ.

That none of g independent groups differs is possible up to a share of groups that differ which the exact interval of a
proportion names (Clopper and Pearson, The use of confidence or fiducial limits, 1934): 1 - 0.025 ** (1 / g) at 95%,
about 3.7 / g. Where the values lie within known ends, so does the mean of that share, and an interval follows.
"""

from __future__ import annotations

import math


def share_unseen(groups: int, level: float = 0.95) -> float:
    """The largest share of groups with another value that is compatible with none among so many groups."""
    return 1.0 - float(((1.0 - level) / 2.0) ** (1.0 / groups))


def ends_of_alike(value: float, ends: tuple[float, float], groups: int, level: float = 0.95) -> tuple[float, float]:
    """The ends of the interval of a mean of which every value in so many groups is `value`.

    ends: between which single values can lie, `value` among them.
    """
    share, (low, high) = share_unseen(groups, level), ends
    return value - share * max(0.0, value - low), value + share * max(0.0, high - value)


def alike_needed(gap: float, reach: float, level: float = 0.95) -> int | None:
    """How many groups of one value make `ends_of_alike` end within `gap` of it; None where no number does.

    reach: from the value to the end of what is possible.
    """
    if gap <= 0:
        return None
    return 1 if gap >= reach else math.ceil(math.log((1.0 - level) / 2.0) / math.log1p(-gap / reach))
