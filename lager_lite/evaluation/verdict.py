"""What an evaluation comes to, in words: does the best fitted method do more than the best trivial one?"""

from __future__ import annotations

from collections.abc import Sequence

from ..stats import Estimate, Interval
from .footing import Footing
from .records import MethodResult, Verdict

_WHAT = {"length": "the length of the response", "surface": "the surface of the response", "e_score": "e_score"}


def find_verdict(methods: Sequence[MethodResult], footing: Footing, baseline: str) -> Verdict | None:
    """The verdict on the best fitted method against the baseline; None where no fitted method has a correlation.

    The interval of its gain allows for the choice of the best among the fitted methods.
    """
    ranked = [m for m in methods if m.tuned and m.overall.spearman is not None and m.interval is not None]
    if not ranked:
        return None
    best = max(ranked, key=lambda m: m.overall.spearman or -2.0)
    gain = footing.best_gain([m.name for m in ranked], best.name, baseline)
    if gain.interval is None or gain.value is None:
        return None
    finding = _finding(best, gain.interval)
    return Verdict(best.name, baseline, finding, gain, _text(best, baseline, gain, finding, footing, len(ranked)))


def _finding(best: MethodResult, gain: Interval) -> str:
    if best.interval is None or best.interval.low <= 0:
        return "none"
    if gain.low > 0:
        return "better"
    return "worse" if gain.high < 0 else "no better"


def _text(best: MethodResult, base: str, gain: Estimate, finding: str, footing: Footing, ways: int) -> str:
    name = "the given weights" if best.name == "tuned" else f"{best.name} weights"
    name = name[0].upper() + name[1:]
    mine, other = (footing.plain.estimate(key) for key in footing.pair(best.name, base))
    reached = f"Spearman {mine.value or 0.0:.2f} {_ends(mine.interval)}"
    what, level = _WHAT[base], f"{other.value or 0.0:.2f}"
    difference = f"{gain.value:.2f} {_ends(gain.interval)}"
    if finding == "none":
        chosen = f", the best of {ways} ways tried," if ways > 1 else ""
        beside = f"{what} alone reaches {level}" if footing.tells(base) else f"{what} tells hardly anything apart"
        return f"{name}{chosen} do not clearly agree with people: {reached}; {beside}."
    if finding == "better" and not footing.tells(base):
        text = f"{name} agree with people, {reached}, where {what} tells hardly anything apart"
    elif finding == "better" and base == "e_score":
        text = f"{name} agree with people, {reached}, better than e_score does, {level}: the gain is {difference}"
    elif finding == "better":
        text = f"{name} agree with people, {reached}, and add {difference} to what {what.split(' of ')[0][4:]} explains, {level}"
    else:
        than = "no better than" if finding == "no better" else "less well than"
        text = f"{name} agree with people, {reached}, but {than} {what} does, {level}: the difference is {difference}"
    how = footing.how(best.name, base)
    text += f" ({how})" if how else ""
    left = best.equal_surface
    if left is not None and left.value is not None:
        text += f"; at equal surface {left.value:.2f} {_ends(left.interval)} is left".replace("  ", " ")
    return text + (f" (the best of {ways} ways tried, which the interval allows for)." if ways > 1 else ".")


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f"[{interval.low:.2f}, {interval.high:.2f}]"
