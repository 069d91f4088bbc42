"""The page of `knowledge`: which way of scoring tells unanswerable questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from ..data import counted
from ..evaluation import Origin
from ..tasks import Knower, SelfKnowledge
from .figures import FIRST, INK, MUTED, SECOND, draw_figure, histogram
from .page import figure, html_interval, html_number, html_table, side_by_side, write_made

# Lines of the methods beside the best one: colour and dashes, told apart in print too.
_LINES = ((MUTED, (1, 1.2)), (MUTED, (4, 2)), (SECOND, (1, 1.2)), (INK, (4, 2)), (INK, (1, 1.2)), (SECOND, (4, 2)))


def write_knowledge(path: str | Path, found: SelfKnowledge, origin: Origin) -> None:
    """Write the page of `knowledge`. Raises LagerError without matplotlib, OutputError where it cannot be written."""
    best = max(found.methods, key=lambda m: m.curve.average)
    share = found.unanswerable / found.n
    interval = f" (95% interval {html_interval(best.curve.interval)})" if best.curve.interval else ""
    lead = (
        f"{best.method} tells unanswerable questions best: average precision {best.curve.average:.3f}{interval}, "
        f"where chance is {share:.3f}."
    )
    lead = f"{found.verdict} Chance is {share:.3f}." if found.verdict else lead
    head = (
        "method",
        "F1, rule of 0.75",
        "called by the rule",
        "F1, best threshold",
        "interval of F1",
        "called",
        "precision",
        "recall",
        "average precision",
        "its interval",
    )
    curve = figure(
        _curves(found, best),
        f"Precision and recall at every threshold, from the lowest on. The level line is the share of unanswerable questions, {share:.3f}: "
        "the precision of calling every question unanswerable.",
    )
    scores = figure(
        _by_kind(found, best),
        f"Scores of {best.method}, in per cent of the answerable and of the unanswerable questions. Dashed: the threshold "
        "of the rule.",
    )
    parts = [
        f"{counted(found.n, 'question')} in {counted(found.groups, 'group')}, {found.unanswerable} of them unanswerable. A question is called "
        f"unanswerable where its score is at or below the threshold. Calling every question unanswerable has F1 {found.everything:.3f}.",
        side_by_side(curve, scores),
        html_table(head, [_knower(m) for m in found.methods], label="Methods", strong=best.method),
        "The rule puts the threshold at 0.75 of the range of a method's own scores; the best threshold for a fold is chosen on the other folds. "
        "Intervals are 95% intervals over groups.",
    ]
    split = ("split", f"{counted(found.folds, 'fold')} by group, seed {found.seed}")
    sections = [("Methods", parts)]
    write_made(path, f"Self-knowledge: {origin.data}", lead, sections, origin, how=split, notes=found.warnings)


def _curves(found: SelfKnowledge, best: Knower) -> Markup:
    def paint(figure: Any) -> None:
        """Draw precision against recall."""
        axes = figure.add_subplot()
        for method, (colour, dash) in zip(found.methods, _LINES * len(found.methods)):
            style = (
                {"color": FIRST, "linewidth": 1.9}
                if method is best
                else {"color": colour, "linewidth": 1.0, "linestyle": (0, dash)}
            )
            # A curve begins where its first threshold lies; with a single one it is a point.
            point = "o" if len(method.curve.recall) == 1 else None
            axes.plot(
                method.curve.recall,
                method.curve.precision,
                label=method.method,
                marker=point,
                clip_on=point is None,
                **style,
            )
        axes.axhline(found.unanswerable / found.n, color=MUTED, linewidth=0.8)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("recall of unanswerable questions")
        axes.set_ylabel("precision")
        figure.legend(loc="outside upper left", ncols=3, handlelength=1.6, columnspacing=1.2)

    about = "Average precision: " + "; ".join(f"{m.method} {m.curve.average:.3f}" for m in found.methods)
    return draw_figure("curves", paint, title="Precision and recall", about=about, height=3.0)


def _by_kind(found: SelfKnowledge, best: Knower) -> Markup:
    truth, scores = np.array(found.truth), np.array(best.scores)
    parts = (("answerable", scores[~truth], MUTED), ("unanswerable", scores[truth], FIRST))
    edges = np.linspace(scores.min(), scores.max() + 1e-9, 33)

    def paint(figure: Any) -> None:
        """Draw one histogram below the other."""
        panels = figure.subplots(2, 1, sharex=True, sharey=True)
        for axes, (label, values, colour) in zip(panels, parts):
            histogram(axes, values, edges, colour, percent=True)
            axes.axvline(best.rule.thresholds[0], color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
            axes.set_title(f"{label}: {len(values)}, mean {values.mean():.2f}", loc="left", pad=3)
            axes.set_ylabel("%")
        panels[-1].set_xlabel("score")

    about = "; ".join(
        f"{label}: {counted(len(values), 'question')}, mean score {values.mean():.2f}" for label, values, _ in parts
    )
    return draw_figure("kinds", paint, title=f"Scores of {best.method} by kind of question", about=about)


def _knower(method: Knower) -> tuple[str, ...]:
    rule, best, curve = method.rule, method.best, method.curve
    return (
        method.method,
        html_number(rule.f1),
        str(rule.found),
        html_number(best.f1),
        html_interval(best.interval),
        str(best.found),
        html_number(best.precision),
        html_number(best.recall),
        html_number(curve.average),
        html_interval(curve.interval),
    )
