"""When there is too little for an interval to be believed, and the words for it."""

from __future__ import annotations

_FEW = 100
"""With fewer judged things than this every interval is wide."""

_FEW_GROUPS = 10
"""Resampling fewer groups than this draws the same few again and again."""


def warnings_of_few(n: int, groups: int, what: str) -> tuple[str, ...]:
    """What to say of figures from n things in so many groups, a sentence each; what: the name of one of the things."""
    found = []
    if n < _FEW:
        found.append(f"{_only(n, what)}, so intervals are wide: use 200 or more")
    if groups < _FEW_GROUPS:
        found.append(f"{_only(groups, 'group')}, and intervals that are resampled from so few cannot be trusted")
    return tuple(found)


def warnings_of_few_rows(n: int, what: str) -> tuple[str, ...]:
    """What to say of means and correlations without an interval, from n things; what: the name of one of the things."""
    return (f"{_only(n, what)}, so means and correlations may be chance: use 200 or more",) if n < _FEW else ()


def _only(n: int, what: str) -> str:
    return f"there is only 1 {what}" if n == 1 else f"there are only {n} {what}s"
