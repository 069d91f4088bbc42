"""What an evaluation comes to, in words: does the best fitted method do more than the best trivial one?"""

from __future__ import annotations

from collections.abc import Sequence

from ..stats import Estimate, Interval
from .footing import Footing, Way
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
    sentences = (
        _agreement(best, reached, finding),
        _comparison(best, baseline, footing, finding, gain),
        _how(best, baseline, footing),
        "" if finding == "none" else _left(names, best, footing),
        _chosen(best, len(names)),
    )
    return Verdict(best, baseline, finding, gain, " ".join(filter(None, sentences)))


def _finding(reached: Interval | None, gain: Interval) -> str:
    if reached is None or reached.low <= 0:
        return "none"
    if gain.low > 0:
        return "better"
    return "worse" if gain.high < 0 else "no better"


def _agreement(best: str, reached: Estimate, finding: str) -> str:
    agree = "do not clearly agree with people" if finding == "none" else "agree with people"
    return f"{_weights(best)} {agree}: Spearman {_with_ends(reached)}."


def _weights(best: str) -> str:
    """The best method as the beginning of a sentence, in the plural."""
    named = {"tuned": "The given weights", "states": "Weights of states"}
    kind, of, criterion = best.partition(" by criterion")
    return named.get(best) or (f"Weights {best}" if " " in kind else f"{kind.capitalize()} weights{of}{criterion}")


def _comparison(best: str, base: str, footing: Footing, finding: str, gain: Estimate) -> str:
    """What the baseline reaches, as it is compared, and the difference, where the weights agree with people at all."""
    if not footing.tells(base):
        return f"{_capital(_WHAT[base])} tells hardly anything apart."
    level = _two(footing.plain.estimate(footing.pair(best, base)[1]).value)
    if finding == "none":
        return f"{_capital(_WHAT[base])} alone reaches {level}."
    than = {"better": "better than", "no better": "no better than", "worse": "worse than"}[finding]
    return f"They are {than} {_WHAT[base]}, which reaches {level}: the difference is {_with_ends(gain)}."


def _how(best: str, base: str, footing: Footing) -> str:
    """How the two were compared, where a number is not that of the table for this; nothing where it is."""
    what = base if base == "e_score" else f"the {base}"
    for one in footing.pair(best, base):
        here, shown = _two(footing.plain.estimate(one).value), _two(footing.estimate(one.method).value)
        if one.way is Way.OWN or here == shown:
            continue
        if one.way is Way.AS_IT_IS:
            plain = f"here it is plainly {what}, in the direction that these labels have"
            return f"The table has {shown} for {what}, fitted in folds; {plain}."
        if one.method == best:
            return f"For the difference they are ranked inside the folds in which {what} was fitted, and reach {here}."
        return f"The table has {shown} for {what}, without folds; here it is ranked inside the folds of the weights."
    return ""


def _left(names: Sequence[str], best: str, footing: Footing) -> str:
    left = footing.best_at_equal_surface(names, best)
    known = left is not None and left.value is not None
    return f"At equal length and surface the agreement is {_with_ends(left)}." if left and known else ""


def _chosen(best: str, ways: int) -> str:
    """A sentence that the best was chosen, and why its interval is not that of the table; nothing where one was tried."""
    if ways < 2:
        return ""
    tried = f"{_weights(best)} are the best of {ways} ways tried"
    return f"{tried}: the intervals here allow for that choice, those of the table do not."


def _with_ends(found: Estimate) -> str:
    ends = found.interval
    return _two(found.value) if ends is None else f"{_two(found.value)} [{ends.low:.2f}, {ends.high:.2f}]"


def _two(value: float | None) -> str:
    """Two decimals, and no minus before a zero."""
    return f"{round(value or 0.0, 2) + 0.0:.2f}"


def _capital(what: str) -> str:
    return what if what == "e_score" else what[0].upper() + what[1:]
