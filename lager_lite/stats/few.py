"""When there is too little for an interval to be believed, and the words for it."""

from __future__ import annotations

_FEW = 100
"""With fewer judged things than this every interval is wide."""

TOO_FEW_GROUPS = 10
"""Resampling fewer groups than this draws the same few again and again."""

LEAST_FOR_INTERVAL = 4
"""Fewer groups than this have no plain percentile interval: of three, 1 resample in 27 draws a given one three times,
which is more than a 95% interval leaves out at either end, so that its ends are those of single groups."""


LEAST_TOLD_APART = 6
"""Where nearly all scores are one, and fewer groups than this hold another, there is no interval: more than 1 resample in
400 holds none of five such groups' scores, and the others show what a handful of items did by chance."""


def warnings_of_few(n: int, groups: int, what: str) -> tuple[str, ...]:
    """What to say of figures from n things in so many groups, a sentence each; what: the name of one of the things."""
    found = []
    if n < _FEW:
        found.append(f"{_only(n, what)}, so intervals are wide: use 200 or more")
    if groups < TOO_FEW_GROUPS:
        found.append(f"{_only(groups, 'group')}, and intervals that are resampled from so few cannot be trusted")
    return tuple(found)


def warnings_of_few_rows(n: int, what: str) -> tuple[str, ...]:
    """What to say of means and correlations without an interval, from n things; what: the name of one of the things."""
    return (f"{_only(n, what)}, so means and correlations may be chance: use 200 or more",) if n < _FEW else ()


def _only(n: int, what: str) -> str:
    return f"there is only 1 {what}" if n == 1 else f"there are only {n} {what}s"
