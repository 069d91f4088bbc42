"""The page of an evaluation: which way of scoring agrees with people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from ..evaluation import Evaluation, MethodResult, Origin
from ..stats import Interval
from . import evaluation_figures as figures
from .page import PageSection, figure, html_interval, html_number, html_table, made, page, side_by_side, write_page

Tradeoff = Sequence[tuple[int, float | None, Interval | None]]
BOXES = "Bar: median, box: middle half, line: middle 90%; dashed: perfect agreement."


def write_report(path: str | Path, evaluation: Evaluation, origin: Origin, tradeoff: Tradeoff | None = None) -> None:
    """Write the page of one evaluation.

    tradeoff: (highest state, Spearman, interval) of passes that end early; None where none were measured.
    Raises LagerError where matplotlib is missing, OutputError where `path` cannot be written.
    """
    write_page(path, report(evaluation, origin, tradeoff))


def report(evaluation: Evaluation, origin: Origin, tradeoff: Tradeoff | None = None) -> str:
    """The page of `write_report` as text."""
    best = figures.shown_method(evaluation)
    how = f"cross-validated in {evaluation.folds} folds" if evaluation.folds else "with given weights"
    counted = f"{evaluation.n} judgments in {evaluation.groups} groups, {how}, by {origin.model}."
    folds = f"{evaluation.folds} folds by group" if evaluation.folds else "none"
    sections: list[PageSection] = [
        ("Methods", [counted, *_methods(evaluation, best)]),
        *_criteria(evaluation, best),
        ("Layers", [_layers(evaluation, best)]),
        ("Scores", [_scores(evaluation, best)]),
    ]
    if tradeoff:
        caption = "Agreement with people when the pass ends at a lower state, which takes less time."
        sections.append(("Shorter passes", [side_by_side(figure(figures.tradeoff("tradeoff", tradeoff), caption))]))
    sections.append(made(origin, [("split", f"{folds}, seed {evaluation.seed}")]))
    lead = evaluation.verdict.text if evaluation.verdict else "No fitted method has a correlation with people here."
    return page(f"Agreement with people: {origin.data}", lead, sections, notes=evaluation.warnings)


def _methods(found: Evaluation, best: MethodResult | None) -> list[str]:
    head = (
        "method",
        "Spearman",
        "95% interval",
        "Pearson",
        "Kendall",
        "MAE",
        "MAE calibrated",
        "gain on e_score",
        "its interval",
    )
    rows = [
        (
            m.name,
            html_number(m.overall.spearman),
            html_interval(m.interval),
            html_number(m.overall.pearson),
            html_number(m.overall.kendall),
            html_number(m.overall.mae, 2),
            html_number(m.calibrated_mae, 2),
            html_number(m.gain.value) if m.gain else "",
            html_interval(m.gain.interval) if m.gain else "",
        )
        for m in found.methods
    ]
    caption = "Rank agreement with the mean human score; bars are 95% intervals over groups. Fitted weights in colour."
    parts: list[str] = [
        side_by_side(figure(figures.methods("methods", found.methods), caption)),
        html_table(head, rows, label="Methods", strong=best.name if best else None),
        "MAE is the mean absolute error in points of the scale. Every score comes from weights and a calibration that "
        "were fitted without the item's group."
        if found.folds
        else "The given weights are used as they are. MAE is the mean absolute error in points of the scale.",
    ]
    if found.ceiling and found.ceiling.leave_one_out is not None:
        parts.append(f"One annotator against the mean of the others: Spearman {found.ceiling.leave_one_out:.3f}.")
    return parts


def _criteria(found: Evaluation, best: MethodResult | None) -> list[PageSection]:
    names = list(found.methods[0].criteria)
    if len(names) < 2:
        return []
    rows = [(m.name, *(html_number(m.criteria[n].spearman) for n in names)) for m in found.methods]
    rows.append(("judgments", *(str(found.methods[0].criteria[n].n) for n in names)))
    return [
        ("Criteria", [html_table(("Spearman", *names), rows, label="Criteria", strong=best.name if best else None)])
    ]


def _layers(found: Evaluation, best: MethodResult | None) -> Markup:
    parts = [
        figure(
            figures.layers("layers", found.layers, best),
            "How well each state alone agrees with people, with 95% bands. A state below zero ranks in reverse.",
        )
    ]
    for place, fitted in enumerate(found.fitted):
        text = f"Weights of kind {fitted.kind}, fitted on all items, lens {fitted.lens}"
        text += "" if fitted.strength is None else f", ridge {fitted.strength:g}"
        if fitted.kind == "tuned":
            text = f"The given weights, lens {fitted.lens}"
        if fitted.weights and isinstance(fitted.weights[0], tuple):
            text += ". Deeper colour, larger weight; blue: a higher logit raises the score, orange: it lowers it"
        parts.append(figure(figures.weights(f"weights{place}", fitted, found.values), text + "."))
    return side_by_side(*parts)


def _scores(found: Evaluation, best: MethodResult | None) -> Markup:
    shown = best or found.method("uniform" if any(m.name == "uniform" for m in found.methods) else "e_score")
    columns = [("people", found.human), (f"{shown.name}, raw", shown.raw)]
    few = len(found.human) < figures.FEW_POINTS
    box = "Dashed: perfect agreement." if few else BOXES
    before = f"Method {shown.name}: raw expected scores"
    after = f"Method {shown.name}: calibrated onto the human scale"
    parts = [
        figure(figures.predicted("before", found.human, shown.raw, found.values, title=before), f"{before}. {box}")
    ]
    if shown.calibrated is not None:
        columns.append((f"{shown.name}, calibrated", shown.calibrated))
        parts.append(
            figure(
                figures.predicted("after", found.human, shown.calibrated, found.values, title=after), f"{after}. {box}"
            )
        )
    spread = figures.distributions("spread", columns, found.values)
    parts.append(figure(spread, "How often each score occurs: people, and the judge before and after calibration."))
    return side_by_side(*parts)
