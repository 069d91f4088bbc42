"""The page of `inspect`: what every state says about one item."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from ..evaluation import Origin
from ..records import Item
from ..tasks import Inspection
from .figures import FIRST, INK, MUTED, SECOND, draw_figure, state_axis
from .page import (
    PageSection,
    facts,
    figure,
    html_difference,
    html_number,
    html_table,
    side_by_side,
    write_made,
)


def write_inspection(path: str | Path, item: Item, found: Sequence[Inspection], origin: Origin) -> None:
    """Write the page of `inspect`. Raises LagerError without matplotlib, OutputError where it cannot be written."""
    texts = facts(list(item.fields.items()) or [("prompt", item.rendered or "")], label="Item")
    sections: list[PageSection] = [("Item", [texts]), *(_section(n, one) for n, one in enumerate(found))]
    lead = "; ".join(f"{one.rubric} {one.judgment.score:.3f}" for one in found)
    write_made(path, f"Item {item.id} of {origin.data}", f"Score: {lead}", sections, origin)


def _section(place: int, found: Inspection) -> PageSection:
    """What every state says under one rubric. place: makes the names of its figures differ from the others'."""
    added = sum(layer.contribution for layer in found.layers)
    score = found.judgment.raw_score
    settled = (
        "the last state prefers another label"
        if found.settled is None
        else f"every state from {found.settled} on prefers it too"
    )
    heat = figure(
        _heat(f"heat{place}", found), "Deeper colour: more probable to that state alone. Line: its expected score."
    )
    contributions = figure(
        _contributions(f"added{place}", found),
        "What each state adds to the score, in points. The middle of the scale, these points and the bias add up to the raw score.",
    )
    return f"{found.rubric}: {found.judgment.score:.3f}", [
        f"By {found.by}. The most likely label is {found.label}; {settled}. Middle of the "
        f"scale {found.middle:g}, states {html_difference(added)}, bias {html_difference(found.bias)}: raw score {score:.3f}.",
        side_by_side(heat, contributions),
        _states(found),
        "Apart: the share of probability that would have to move to make the state's distribution the final one.",
    ]


def _states(found: Inspection) -> Markup:
    head = ("state", *found.labels, "expected", "label", "apart", "weight", "contribution")
    rows = [
        (
            str(layer.state),
            *map(html_number, layer.probabilities),
            html_number(layer.expected),
            layer.label,
            html_number(layer.apart, 2),
            html_number(layer.weight),
            html_difference(layer.contribution),
        )
        for layer in found.layers
    ]
    last = (*map(html_number, found.probabilities), html_number(found.judgment.raw_score), found.label)
    rows.append(("final", *last, "", "", ""))
    return html_table(head, rows, label=f"States, {found.rubric}", strong="final")


def _heat(name: str, found: Inspection) -> Markup:
    from matplotlib.patches import Rectangle

    values = np.arange(len(found.labels))
    # The expected score among labels at equal distances.
    line = [float(np.dot(layer.probabilities, values)) for layer in found.layers]

    def paint(figure: Any) -> None:
        """Draw the probabilities of the labels by state, and the expected one."""
        axes = figure.add_subplot()
        axes.grid(visible=False)
        for layer in found.layers:
            for place, p in enumerate(layer.probabilities):
                axes.add_patch(Rectangle((layer.state - 0.5, place - 0.5), 1, 1, color=FIRST, alpha=p, linewidth=0))
        axes.plot([layer.state for layer in found.layers], line, color=INK, linewidth=1.0)
        axes.set_xlim(-0.5, len(found.layers) - 0.5)
        axes.set_ylim(-0.5, len(values) - 0.5)
        axes.set_yticks(values, found.labels)
        state_axis(axes)
        axes.set_ylabel("label")

    about = (
        f"Expected score from {found.layers[0].expected:.2f} at state 0 to {found.layers[-1].expected:.2f} at the last"
    )
    return draw_figure(name, paint, title=f"Label probabilities of every state, {found.rubric}", about=about)


def _contributions(name: str, found: Inspection) -> Markup:
    added = [layer.contribution for layer in found.layers]

    def paint(figure: Any) -> None:
        """Draw what each state adds to the score."""
        axes = figure.add_subplot()
        axes.bar(range(len(added)), added, color=[FIRST if a >= 0 else SECOND for a in added], width=0.75)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        state_axis(axes)
        axes.set_ylabel("points of the scale")

    top = int(np.abs(added).argmax())
    about = f"The largest contribution is that of state {top}, {added[top]:+.3f}; all together {sum(added):+.3f}"
    return draw_figure(name, paint, title=f"Contributions to the score, {found.rubric}", about=about)
