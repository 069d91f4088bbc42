"""The pages of the commands that are no evaluation: knowledge, rank, select, inspect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation import Origin
from ..records import Item
from ..stats import Interval
from ..tasks import Accuracy, Example, Inspection, Knower, Preferences, Scores, Selection, SelfKnowledge
from .figures import FIRST, INK, MUTED, SECOND, draw
from .page import Html, facts, figure, made, page, side_by_side, table, write_page

_BASELINES = ("direct", "e_score", "uniform")
# Lines of the methods beside the best one: colour and dashes, told apart in print too.
_LINES = ((MUTED, (1, 1.2)), (MUTED, (4, 2)), (SECOND, (1, 1.2)), (INK, (4, 2)), (INK, (1, 1.2)), (SECOND, (4, 2)))


def write_knowledge(path: str | Path, found: SelfKnowledge, origin: Origin) -> None:
    """The page of `knowledge`. Raises LagerError without matplotlib, OutputError where it cannot be written."""
    best = max(found.methods, key=lambda m: m.curve.average)
    share = found.unanswerable / found.n
    lead = (
        f"{best.method} tells unanswerable questions best: average precision {best.curve.average:.3f} "
        f"{_range(best.curve.interval)}, where chance is {share:.3f}."
    )
    head = (
        "method",
        "F1, rule of 0.75",
        "called",
        "F1, best threshold",
        "95% interval",
        "called",
        "precision",
        "recall",
        "average precision",
        "95% interval",
    )
    curve = figure(
        _curves(found, best),
        f"Precision and recall at every threshold. The level line is the share of unanswerable questions, {share:.3f}: "
        "the precision of calling every question unanswerable.",
    )
    scores = figure(_by_kind(found, best), f"Scores of {best.method}: answerable and unanswerable questions.")
    parts = [
        f"{found.n} questions in {found.groups} groups, {found.unanswerable} of them unanswerable. A question is called "
        f"unanswerable where its score is at or below the threshold. Calling every question unanswerable has F1 {found.everything:.3f}.",
        side_by_side([curve, scores]),
        table(head, [_knower(m) for m in found.methods], label="Methods", strong=best.method),
        "The rule puts the threshold at 0.75 of the range of a method's own scores; the best one is chosen on the other folds.",
    ]
    split = ("split", f"{found.folds} folds by group, seed {found.seed}")
    write_page(path, page(f"Self-knowledge: {origin.data}", lead, [("Methods", parts), made(origin, [split])]))


def write_ranking(path: str | Path, found: Preferences, origin: Origin) -> None:
    """The page of `rank`. Raises LagerError without matplotlib, OutputError where it cannot be written."""
    best = max(found.methods, key=lambda m: m.accuracy)
    lead = f"{best.method} puts the better of two responses first in {best.accuracy:.1%} of {found.pairs} pairs {_range(best.interval)}."
    head = ("method", "accuracy", "95% interval", "ties", "gain on e_score", "95% interval")
    rows = [
        (
            m.method,
            f"{m.accuracy:.3f}",
            _range(m.interval),
            str(m.ties),
            "" if m.gain is None else f"{m.gain:+.3f}",
            _range(m.gain_interval),
        )
        for m in found.methods
    ]
    parts = [
        f"Pairs of responses with different grades to {found.contests} instructions in {found.groups} groups; ties count half.",
        side_by_side(
            [
                figure(
                    _accuracies(found.methods), "Share of pairs ordered as people did, with 95% intervals over groups."
                )
            ]
        ),
        table(head, rows, label="Methods", strong=best.method),
    ]
    split = ("split", f"{found.folds} folds by group, seed {found.seed}" if found.folds else "none")
    write_page(path, page(f"Ranking: {origin.data}", lead, [("Methods", parts), made(origin, [split])]))


def write_selected(path: str | Path, found: Selection, scores: Scores, origin: Origin, how: str) -> None:
    """The page of `select`; how: the rule of selection in words. Raises LagerError without matplotlib,
    OutputError where it cannot be written."""
    lead = f"{found.chosen} of {found.rows} rows kept" + (
        "" if found.cut is None else f", with scores from {found.cut:.3f} to {found.high:.3f}."
    )
    counts = [
        ("kept", str(found.chosen)),
        ("below the cut", str(found.below)),
        ("duplicates", str(found.duplicates)),
        ("not judged", str(found.failed)),
    ]
    means = [
        (name, f"{every:.3f}", _figure(kept), "" if kept is None else f"{kept - every:+.3f}")
        for name, (every, kept) in found.means.items()
    ]
    means.append(("response, characters", f"{found.lengths[0]:.0f}", _figure(found.lengths[1], 0), ""))
    sections = [
        (
            "What was kept",
            [
                side_by_side(
                    [figure(_histogram(found), "Combined scores of all rows that were judged, and of those kept.")]
                ),
                table(("rows", "number"), counts, label="Rows"),
                table(("mean", "all judged", "kept", "difference"), means, label="Means"),
                f"Spearman correlation of the score with the length of the response: {_figure(found.by_length)}.",
            ],
        ),
        (
            "At the cut",
            [
                "The lowest rows that were kept:",
                _examples(found.worst_kept, "Lowest kept"),
                "The highest rows that were left out:",
                _examples(found.best_dropped, "Highest left out"),
            ],
        ),
        made(origin, [("rule", how)]),
    ]
    notes = selection_notes(found)
    notes += [f"row {number + 1}: {why}" for number, why in list(scores.errors.items())[:10]]
    write_page(path, page(f"Selection: {origin.data}", lead, sections, notes=notes))


def write_inspection(path: str | Path, item: Item, found: Sequence[Inspection], origin: Origin) -> None:
    """The page of `inspect`. Raises LagerError without matplotlib, OutputError where it cannot be written."""
    texts = facts(list(item.fields.items()) or [("prompt", item.rendered or "")], label="Item")
    sections = [("Item", [texts])]
    for number, one in enumerate(found):
        added = sum(layer.contribution for layer in one.layers)
        head = ("state", *one.labels, "expected", "label", "apart", "weight", "contribution")
        rows = [
            (
                str(layer.state),
                *(f"{p:.3f}" for p in layer.probabilities),
                f"{layer.expected:.3f}",
                layer.label,
                f"{layer.apart:.2f}",
                _figure(layer.weight),
                f"{layer.contribution:+.3f}",
            )
            for layer in one.layers
        ]
        rows.append(
            ("final", *(f"{p:.3f}" for p in one.probabilities), f"{one.judgment.raw_score:.3f}", one.label, "", "", "")
        )
        settled = "the last state says another" if one.settled is None else f"every state from {one.settled} on says so"
        sections.append(
            (
                f"{one.rubric}: {one.judgment.score:.3f}",
                [
                    f"By {one.kind} weights, lens {one.lens}. The most likely label is {one.label}; {settled}. Middle of the scale "
                    f"{one.middle:g}, states {added:+.3f}, bias {one.bias:+.3f}: raw score {one.judgment.raw_score:.3f}.",
                    side_by_side(
                        [
                            figure(
                                _heat(f"heat{number}", one),
                                "Deeper colour: more probable to that state alone. Line: its expected score.",
                            ),
                            figure(
                                _added(f"added{number}", one),
                                "What each state adds to the score, in points; all together lead from the middle to it.",
                            ),
                        ]
                    ),
                    table(head, rows, label=f"States, {one.rubric}", strong="final"),
                    "Apart: the share of probability that lies elsewhere than in the final distribution.",
                ],
            )
        )
    lead = "; ".join(f"{one.rubric} {one.judgment.score:.3f}" for one in found)
    write_page(path, page(f"Item {item.id} of {origin.data}", f"Score: {lead}", [*sections, made(origin)]))


def selection_notes(found: Selection) -> list[str]:
    """What a user should know of a selection before using it."""
    notes = []
    if not found.chosen:
        notes.append(f"no row was kept: the scores lie between {found.low:.3f} and {found.high:.3f}")
    if found.tied:
        notes.append(
            f"{found.tied} rows left out have the score of the last one kept, {found.cut:.3f}; the earlier rows were kept"
        )
    if found.failed:
        notes.append(f"{found.failed} rows could not be judged and are left out")
    return notes


def _curves(found: SelfKnowledge, best: Knower) -> str:
    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        for method, (colour, dash) in zip(found.methods, _LINES * len(found.methods)):
            style = (
                {"color": FIRST, "linewidth": 1.9}
                if method is best
                else {"color": colour, "linewidth": 1.0, "linestyle": (0, dash)}
            )
            axes.plot(
                [0.0, *method.curve.recall],
                [method.curve.precision[0], *method.curve.precision],
                label=method.method,
                **style,
            )
        axes.axhline(found.unanswerable / found.n, color=MUTED, linewidth=0.8)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("recall of unanswerable questions")
        axes.set_ylabel("precision")
        figure.legend(loc="outside upper left", ncols=3, handlelength=1.6, columnspacing=1.2)

    about = "Average precision: " + "; ".join(f"{m.method} {m.curve.average:.3f}" for m in found.methods)
    return draw("curves", paint, title="Precision and recall", about=about, height=3.0)


def _by_kind(found: SelfKnowledge, best: Knower) -> str:
    truth, scores = np.array(found.truth), np.array(best.scores)
    parts = (("answerable", scores[~truth], MUTED), ("unanswerable", scores[truth], FIRST))
    edges = np.linspace(scores.min(), scores.max() + 1e-9, 33)

    def paint(figure: Any) -> None:
        panels = figure.subplots(2, 1, sharex=True)
        for axes, (label, values, colour) in zip(panels, parts):
            axes.bar(
                edges[:-1],
                100 * np.histogram(values, bins=edges)[0] / len(values),
                width=np.diff(edges),
                align="edge",
                color=colour,
                alpha=0.8,
            )
            axes.axvline(best.rule.thresholds[0], color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
            axes.set_title(f"{label}: {len(values)}, mean {values.mean():.2f}", loc="left", pad=3)
            axes.set_ylabel("%")
        panels[-1].set_xlabel("score; dashed: the threshold of the rule")

    about = "; ".join(f"{label}: {len(values)} questions, mean score {values.mean():.2f}" for label, values, _ in parts)
    return draw("kinds", paint, title=f"Scores of {best.method} by kind of question", about=about)


def _accuracies(found: Sequence[Accuracy]) -> str:
    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        for place, method in enumerate(found):
            colour = MUTED if method.method in _BASELINES else FIRST
            if method.interval:
                axes.plot(
                    [method.interval.low, method.interval.high], [place, place], color=colour, linewidth=2.2, alpha=0.55
                )
            axes.plot([method.accuracy], [place], "o", color=colour, markersize=5)
        axes.axvline(0.5, color=MUTED, linewidth=0.8)
        axes.set_yticks(range(len(found)), [m.method for m in found])
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("pairs ordered as people did (line: chance)")

    about = "; ".join(f"{m.method} {m.accuracy:.3f}" for m in found)
    return draw(
        "accuracies", paint, title="Pairwise accuracy by method", about=about, height=0.75 + 0.26 * max(len(found), 2)
    )


def _histogram(found: Selection) -> str:
    judged = found.score[np.isfinite(found.score)]
    edges = np.linspace(found.low, found.high + 1e-9, 41)

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        for values, colour, label in ((judged, MUTED, "all judged"), (found.score[found.kept], FIRST, "kept")):
            axes.bar(
                edges[:-1],
                np.histogram(values, bins=edges)[0],
                width=np.diff(edges),
                align="edge",
                color=colour,
                alpha=0.8,
                label=label,
            )
        axes.set_xlabel("combined score")
        axes.set_ylabel("rows")
        figure.legend(loc="outside upper left", ncols=2)

    about = f"{len(judged)} rows judged, scores from {found.low:.3f} to {found.high:.3f}; {found.chosen} kept"
    return draw("scores", paint, title="Combined scores", about=about)


def _heat(name: str, found: Inspection) -> str:
    from matplotlib.patches import Rectangle

    values = np.arange(len(found.labels))
    # The expected score among labels at equal distances.
    line = [float(np.dot(layer.probabilities, values)) for layer in found.layers]

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=False)
        for layer in found.layers:
            for place, p in enumerate(layer.probabilities):
                axes.add_patch(Rectangle((layer.state - 0.5, place - 0.5), 1, 1, color=FIRST, alpha=p, linewidth=0))
        axes.plot([layer.state for layer in found.layers], line, color=INK, linewidth=1.0)
        axes.set_xlim(-0.5, len(found.layers) - 0.5)
        axes.set_ylim(-0.5, len(values) - 0.5)
        axes.set_yticks(values, found.labels)
        axes.set_xlabel("state (0: embedding)")
        axes.set_ylabel("label")

    about = (
        f"Expected score from {found.layers[0].expected:.2f} at state 0 to {found.layers[-1].expected:.2f} at the last"
    )
    return draw(name, paint, title=f"Label probabilities of every state, {found.rubric}", about=about)


def _added(name: str, found: Inspection) -> str:
    added = [layer.contribution for layer in found.layers]

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.bar(range(len(added)), added, color=[FIRST if a >= 0 else SECOND for a in added], width=0.75)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.set_xlabel("state (0: embedding)")
        axes.set_ylabel("points of the scale")

    top = int(np.abs(added).argmax())
    about = f"The largest contribution is that of state {top}, {added[top]:+.3f}; all together {sum(added):+.3f}"
    return draw(name, paint, title=f"Contributions to the score, {found.rubric}", about=about)


def _examples(rows: Sequence[Example], label: str) -> Html:
    shown = [(f"row {e.row} ({e.id}): {e.score:.3f}", f"{e.instruction} / {e.response}") for e in rows]
    return facts(shown, label=label) if shown else Html("<p>none</p>")


def _knower(method: Knower) -> tuple[str, ...]:
    rule, best, curve = method.rule, method.best, method.curve
    return (
        method.method,
        _figure(rule.f1),
        str(rule.found),
        _figure(best.f1),
        _range(best.interval),
        str(best.found),
        _figure(best.precision),
        _figure(best.recall),
        _figure(curve.average),
        _range(curve.interval),
    )


def _figure(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _range(interval: Interval | None) -> str:
    return f"[{interval.low:.3f}, {interval.high:.3f}]" if interval else ""
