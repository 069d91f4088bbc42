"""The page of `select`: what was kept, and the rows on both sides of the cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from ..data import counted
from ..evaluation import Origin
from ..stats import warnings_of_few_rows
from ..tasks import Example, Scores, Selection
from .figures import FIRST, MUTED, draw_figure, histogram
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


def write_selected(path: str | Path, found: Selection, scores: Scores, origin: Origin, how: str) -> None:
    """Write the page of `select`. how: the rule of selection in words.

    Raises LagerError without matplotlib, OutputError where it cannot be written.
    """
    lead = f"{found.chosen} of {counted(found.rows, 'row')} kept"
    lead += "." if found.cut is None else f", with scores from {found.cut:.3f} to {found.high:.3f}."
    counts = [
        ("kept", str(found.chosen)),
        ("below the cut", str(found.below)),
        ("duplicates", str(found.duplicates)),
        ("not judged", str(found.failed)),
    ]
    means = [
        (name, html_number(every), html_number(kept), html_difference(None if kept is None else kept - every))
        for name, (every, kept) in found.means.items()
    ]
    means.append(("response, characters", html_number(found.lengths[0], 0), html_number(found.lengths[1], 0), ""))
    sections: list[PageSection] = [
        (
            "What was kept",
            [
                side_by_side(
                    figure(
                        _combined(found),
                        "How many rows have each combined score: in grey all that were judged, in front of them the kept ones.",
                    )
                ),
                html_table(("rows", "number"), counts, label="Rows"),
                html_table(("mean", "all judged", "kept", "difference"), means, label="Means"),
                f"Spearman correlation of the score with the length of the response: {html_number(found.by_length)}.",
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
    ]
    notes = selection_notes(found)
    notes += [f"row {number + 1}: {why}" for number, why in list(scores.errors.items())[:10]]
    write_made(path, f"Selection: {origin.data}", lead, sections, origin, how=("rule", how), notes=notes)


def selection_notes(found: Selection) -> list[str]:
    """Warnings about a selection that a user should read before using it."""
    notes = list(warnings_of_few_rows(int(np.isfinite(found.score).sum()), "judged row"))
    if not found.chosen:
        notes.append(f"no row was kept: the scores lie between {found.low:.3f} and {found.high:.3f}")
    if found.tied:
        notes.append(
            f"left out: {counted(found.tied, 'row')} with the score of the last one kept, {found.cut:.3f}, behind which "
            "earlier rows were kept"
        )
    if found.failed:
        notes.append(f"left out: {counted(found.failed, 'row')} that could not be judged")
    return notes


def _combined(found: Selection) -> Markup:
    judged = found.score[np.isfinite(found.score)]
    edges = np.linspace(found.low, found.high + 1e-9, 41)

    def paint(figure: Any) -> None:
        """Draw the scores of all rows and of the kept ones."""
        axes = figure.add_subplot()
        for values, colour, label in ((judged, MUTED, "all judged"), (found.score[found.kept], FIRST, "kept")):
            histogram(axes, values, edges, colour, percent=False, label=label)
        axes.set_xlabel("combined score")
        axes.set_ylabel("rows")
        axes.yaxis.get_major_locator().set_params(integer=True)
        figure.legend(loc="outside upper left", ncols=2)

    about = (
        f"{counted(len(judged), 'row')} judged, scores from {found.low:.3f} to {found.high:.3f}; {found.chosen} kept"
    )
    return draw_figure("scores", paint, title="Combined scores", about=about)


def _examples(rows: Sequence[Example], label: str) -> str:
    shown = [(f"row {e.row} ({e.id}): {e.score:.3f}", f"{e.instruction} / {e.response}") for e in rows]
    return facts(shown, label=label) if shown else "none"
