"""What an evaluation comes to, in words: does the best fitted method do more than the best trivial one?"""

from __future__ import annotations

from collections.abc import Sequence

from ..stats import Interval
from .footing import Footing
from .records import MethodResult, Verdict

_WHAT = {"length": "the length of the response", "surface": "the surface of the response", "e_score": "e_score"}


def find_verdict(methods: Sequence[MethodResult], footing: Footing, baseline: str) -> Verdict | None:
    """The verdict on the best fitted method against the baseline; None where no fitted method has a correlation.

    All intervals allow for the choice of the best among the fitted methods: that of its agreement, that of its gain, and
    that of what is left at equal surface.
    """
    ranked = [m for m in methods if m.tuned and m.overall.spearman is not None and m.interval is not None]
    if not ranked:
        return None
    best, names = max(ranked, key=lambda m: m.overall.spearman or -2.0).name, [m.name for m in ranked]
    gain = footing.best_gain(names, best, baseline)
    if gain.interval is None or gain.value is None:
        return None
    reached = footing.best_estimate(names, best)
    finding = _finding(reached.interval, gain.interval)
    return Verdict(best, baseline, finding, gain, _text(names, best, baseline, finding, footing))


def _finding(reached: Interval | None, gain: Interval) -> str:
    if reached is None or reached.low <= 0:
        return "none"
    if gain.low > 0:
        return "better"
    return "worse" if gain.high < 0 else "no better"


def _text(names: Sequence[str], best: str, base: str, finding: str, footing: Footing) -> str:
    name = "the given weights" if best == "tuned" else f"{best} weights"
    name = name[0].upper() + name[1:]
    gain, mine = footing.best_gain(names, best, base), footing.best_estimate(names, best)
    other = footing.plain.estimate(footing.pair(best, base)[1])
    reached = f"Spearman {mine.value or 0.0:.2f} {_ends(mine.interval)}"
    what, level = _WHAT[base], _level(other.value or 0.0, footing.estimate(base).value)
    difference = f"{gain.value or 0.0:.2f} {_ends(gain.interval)}"
    how = f" ({footing.how(best, base)})" if footing.how(best, base) else ""
    if finding == "none":
        beside = f"{what} alone reaches {level}{how}" if footing.tells(base) else f"{what} tells hardly anything apart"
        return f"{name} do not clearly agree with people: {reached}; {beside}.{_chosen(len(names))}"
    if finding == "better" and not footing.tells(base):
        text = f"{name} agree with people, {reached}, where {what} tells hardly anything apart"
    elif finding == "better" and base == "e_score":
        text = f"{name} agree with people, {reached}, better than e_score does, {level}: the gain is {difference}"
    elif finding == "better":
        text = f"{name} agree with people, {reached}, and add {difference} to what {what.split(' of ')[0][4:]} explains, {level}"
    else:
        than = "no better than" if finding == "no better" else "less well than"
        text = f"{name} agree with people, {reached}, but {than} {what} does, {level}: the difference is {difference}"
    text += how
    left = footing.best_at_equal_surface(names, best)
    if left is not None and left.value is not None:
        text += f"; at equal surface {left.value:.2f} {_ends(left.interval)} is left".replace("  ", " ")
    return f"{text}.{_chosen(len(names))}"


def _chosen(ways: int) -> str:
    """A sentence that the best was chosen, and why its interval is not that of the table; nothing where one was tried."""
    if ways < 2:
        return ""
    return f" It is the best of {ways} ways tried: the intervals here allow for that choice, those of the table do not."


def _level(value: float, shown: float | None) -> str:
    """What the baseline reaches as it is compared, and what the table shows of it where that is another number."""
    level = f"{value:.2f}"
    return level if shown is None or f"{shown:.2f}" == level else f"{level}, in the table {shown:.2f}"


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f"[{interval.low:.2f}, {interval.high:.2f}]"
