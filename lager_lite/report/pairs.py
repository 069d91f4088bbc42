"""The page of `pairs`: what comparing side by side is worth, how the systems stand, and where the judge errs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..data import Pair, counted
from ..evaluation import Origin
from ..tasks import Compared, PairAccuracy, PairFigures, Standing, Tournament
from .figures import interval_dots
from .page import (
    PageSection,
    facts,
    figure,
    html_difference,
    html_interval,
    html_number,
    html_table,
    side_by_side,
    write_made,
)

_BASELINES = ("direct", "e_score", "length", "surface", "uniform")
_SHOWN, _MOST_TEXT = 10, 240


def write_pairs(
    path: str | Path, compared: Compared, found: PairFigures, systems: Tournament | None, origin: Origin
) -> None:
    """Write the page of `pairs`.

    found: the figures of `compared`. systems: how they stand; None where no system is named. Raises LagerError without
    matplotlib, OutputError where it cannot be written.
    """
    sections: list[PageSection] = [_agreement(found)] if found.methods else []
    if systems is not None and systems.standings:
        sections.append(_systems(systems))
    sections += [_position(found), *_apart(compared)]
    apart = " and without either system of a pair" if found.held_out else ""
    split = ("split", f"{counted(found.folds, 'fold')} by group{apart}, seed {found.seed}" if found.folds else "none")
    notes = list(dict.fromkeys((*found.notes, *(systems.notes if systems else ()))))
    write_made(path, f"Pairs: {origin.data}", _lead(found, systems), sections, origin, how=split, notes=notes)


def _lead(found: PairFigures, systems: Tournament | None) -> str:
    if found.verdict:
        return found.verdict
    if found.methods:
        best = max(found.methods, key=lambda one: one.accuracy.accuracy).accuracy
        return f"{best.method} prefers what people prefer in {best.accuracy:.1%} of {counted(found.pairs, 'pair')}."
    if systems is not None and systems.standings:
        first = systems.standings[0]
        return f"{first.system} comes first and wins {first.win_rate:.1%} of {counted(first.pairs, 'comparison')}."
    return f"{counted(found.position.judged, 'pair')} judged in both orders."


def _agreement(found: PairFigures) -> PageSection:
    gain = f"gain on {found.baseline}"
    head = ("method", "accuracy", "95% interval", gain, "its interval", "equal length", "one order", "flips", "Brier")
    rows = [_method_row(one) for one in found.methods]
    best = max(found.methods, key=lambda one: one.accuracy.accuracy).accuracy.method
    tied = f" {counted(found.tied, 'more pair')} they left undecided." if found.tied else ""
    surface = "; surface is fitted to marks of the texts in the same folds as the weights" if found.folds else ""
    return "Agreement with people", [
        f"People decided {counted(found.pairs, 'pair')} in {counted(found.groups, 'group')}.{tied} Verdicts that are ties "
        f"count half. length prefers the longer response{surface}. Equal length: "
        f"{counted(found.near_pairs, 'pair')} whose lengths differ by less than a tenth. "
        "One order: the mean of what either order alone gets right.",
        side_by_side(
            figure(
                interval_dots(
                    "accuracies",
                    [
                        (m.method, m.accuracy, m.interval, m.method not in _BASELINES)
                        for m in (one.accuracy for one in found.methods)
                    ],
                    line=0.5,
                    xlabel="pairs decided as people did (line: chance)",
                    title="Pairwise accuracy by method",
                ),
                "Share of pairs decided as people did; bars are 95% intervals over groups. Fitted weights in colour.",
            )
        ),
        html_table(head, rows, label="Methods", strong=best),
    ]


def _method_row(one: PairAccuracy) -> tuple[str, ...]:
    m = one.accuracy
    return (
        m.method,
        html_number(m.accuracy),
        html_interval(m.interval),
        html_difference(m.over_baseline.value) if m.over_baseline else "",
        html_interval(m.over_baseline.interval) if m.over_baseline else "",
        html_number(m.near_accuracy),
        html_number(one.one_order),
        html_number(one.flips),
        html_number(one.brier),
    )


def _systems(found: Tournament) -> PageSection:
    ranked = found.standings[0].strength is not None
    people = any(one.human_rate is not None for one in found.standings)
    head = ["system", "pairs", "win rate", "95% interval"]
    head += ["by people"] if people else []
    head += ["strength", "its interval"] if ranked else []
    head += ["part"] if found.parts > 1 else []
    rows = [_system_row(one, people=people, ranked=ranked, parts=found.parts > 1) for one in found.standings]
    drawn = [
        figure(_rates(found), "Share of comparisons won, ties counted as half; bars are 95% intervals over prompts.")
    ]
    if ranked:
        drawn.append(figure(_strengths(found), "Bradley-Terry strengths in logits; 0 is a system in the middle."))
    some = f" {found.by_people.capitalize()}." if people and found.human_pairs < found.pairs else ""
    return "Systems", [
        f"{counted(found.pairs, 'comparison')} of systems on {counted(found.groups, 'prompt')}.{some}",
        side_by_side(*drawn),
        html_table(head, rows, label="Systems"),
    ]


def _system_row(one: Standing, *, people: bool, ranked: bool, parts: bool) -> tuple[str, ...]:
    return (
        one.system,
        str(one.pairs),
        html_number(one.win_rate),
        html_interval(one.interval),
        *((html_number(one.human_rate),) if people else ()),
        *((html_difference(one.strength), html_interval(one.strength_interval)) if ranked else ()),
        *((str(one.part),) if parts else ()),
    )


def _rates(found: Tournament) -> Markup:
    rows = [(one.system, one.win_rate, one.interval, True) for one in found.standings]
    return interval_dots("rates", rows, line=0.5, xlabel="win rate (line: one half)", title="Win rates")


def _strengths(found: Tournament) -> Markup:
    rows = [(one.system, one.strength or 0.0, one.strength_interval, True) for one in found.standings]
    return interval_dots("strengths", rows, line=0.0, xlabel="strength in logits", title="Bradley-Terry strengths")


def _position(found: PairFigures) -> PageSection:
    place = found.position
    flips = f"{place.flips} of {counted(place.judged, 'pair')}"
    flips += f", {html_number(place.flip_rate)} ({html_interval(place.interval)})" if place.judged else ""
    rows = [
        ("the verdict changes with the order", flips),
        (
            "what stands first wins",
            f"{html_number(place.first)} of the prompts; 0.5 would be no preference for a place",
        ),
    ]
    text = "Every pair is judged in both orders, and the evidence of both is averaged, so that the position cancels."
    return "Position", [text, facts(rows, label="Position")]


def _apart(compared: Compared) -> list[PageSection]:
    """The pairs on which the judge is furthest from people, or, where nobody said, one order from the other."""
    judged = [(pair, row) for pair, row in zip(compared.pairs, compared.rows()) if row["a_first"] is not None]
    if any(pair.preference is not None for pair, _ in judged):
        known = [
            (abs(row["probability"] - pair.preference), pair, row)
            for pair, row in judged
            if pair.preference is not None
        ]
        title = "Furthest from people"
    else:
        known = [(abs(row["a_first"] - row["b_first"]), pair, row) for pair, row in judged]
        title = "Where the two orders differ most"
    known = sorted((one for one in known if one[0] > 0), key=lambda one: -one[0])[:_SHOWN]
    if not known:
        return []
    return [(title, [facts([(_said(pair, row), _texts(pair)) for _, pair, row in known], label=title)])]


def _said(pair: Pair, row: dict[str, Any]) -> str:
    people = "" if pair.preference is None else f", people {pair.preference:.2f}"
    orders = f"A first {row['a_first']:.2f}, B first {row['b_first']:.2f}"
    return f"{pair.id}: A is better with probability {row['probability']:.2f}{people} ({orders})"


def _texts(pair: Pair) -> str:
    parts: Sequence[str] = [pair.fields.get("instruction", ""), *(f"{n}: {t}" for n, t in zip("AB", pair.responses))]
    return " / ".join(textwrap.shorten(part, _MOST_TEXT, placeholder=" …") for part in parts if part)
