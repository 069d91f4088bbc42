"""The page of `rank`: which way of scoring orders responses as people did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from ..data import counted
from ..evaluation import Origin
from ..tasks import Accuracy, Preferences
from .figures import interval_dots
from .page import figure, html_difference, html_interval, html_number, html_table, side_by_side, write_made

_BASELINES = ("direct", "e_score", "length", "surface", "uniform")


def write_ranking(path: str | Path, found: Preferences, origin: Origin) -> None:
    """Write the page of `rank`. Raises LagerError without matplotlib, OutputError where it cannot be written."""
    best = max(found.methods, key=lambda m: m.accuracy)
    lead = (
        f"{best.method} puts the better of two responses first in {best.accuracy:.1%} of {counted(found.pairs, 'pair')}"
    )
    lead += f" (95% interval {html_interval(best.interval)})." if best.interval else "."
    lead = found.verdict or lead
    gain = f"gain on {found.baseline}"
    head = ("method", "accuracy", "95% interval", "ties", gain, "its interval", "at equal length")
    rows = [
        (
            m.method,
            html_number(m.accuracy),
            html_interval(m.interval),
            str(m.ties),
            html_difference(m.over_baseline.value) if m.over_baseline else "",
            html_interval(m.over_baseline.interval) if m.over_baseline else "",
            html_number(m.near_accuracy),
        )
        for m in found.methods
    ]
    parts = [
        f"Pairs of responses with different grades to {counted(found.contests, 'instruction')} in {counted(found.groups, 'group')}; ties count half. "
        "length puts the longer response first; surface is fitted to marks of the text in the same folds as the weights. "
        f"At equal length: {counted(found.near_pairs, 'pair')} of lengths that differ by less than a tenth.",
        side_by_side(
            figure(
                _accuracies(found.methods),
                "Share of pairs ordered as people did; bars are 95% intervals over groups. Fitted weights in colour.",
            )
        ),
        html_table(head, rows, label="Methods", strong=best.method),
    ]
    apart = f" and without the {found.held_out} of either response" if found.held_out else ""
    split = ("split", f"{counted(found.folds, 'fold')} by group{apart}, seed {found.seed}" if found.folds else "none")
    write_made(path, f"Ranking: {origin.data}", lead, [("Methods", parts)], origin, how=split, notes=found.warnings)


def _accuracies(found: Sequence[Accuracy]) -> Markup:
    rows = [(m.method, m.accuracy, m.interval, m.method not in _BASELINES) for m in found]
    xlabel, title = "pairs ordered as people did (line: chance)", "Pairwise accuracy by method"
    return interval_dots("accuracies", rows, line=0.5, xlabel=xlabel, title=title)
