"""The page of an evaluation: which way of scoring agrees with people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from ..data import counted
from ..evaluation import COMPARED, Evaluation, LearningCurve, MethodResult, Origin
from ..fitting import COVERAGE
from ..records import BOTH_LENSES
from ..stats import Estimate, Interval
from . import evaluation_figures as figures
from .page import PageSection, figure, html_interval_of, html_number, html_table, made, page, side_by_side, write_page

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
    how = f"cross-validated in {counted(evaluation.folds, 'fold')}" if evaluation.folds else "with given weights"
    about = f"{counted(evaluation.n, 'judgment')} in {counted(evaluation.groups, 'group')}, {how}, by {origin.model}."
    folds = (
        f"{counted(evaluation.folds, 'fold')} by group, split {evaluation.splits_text}" if evaluation.folds else "none"
    )
    folds += f", {evaluation.held_out} held out too" if evaluation.held_out else ""
    sections: list[PageSection] = [
        ("Methods", [about, *_methods(evaluation, best)]),
        ("Beyond what needs no judge", _beyond(evaluation, best)),
        *_criteria(evaluation, best),
        *_grades(evaluation, best),
        *_curve(evaluation.curve),
        ("Layers", [_layers(evaluation, best)]),
        ("Scores", [_scores(evaluation, best)]),
    ]
    if tradeoff:
        caption = "Agreement with people when the pass ends at a lower state, which takes less time."
        sections.append(("Shorter passes", [side_by_side(figure(figures.tradeoff("tradeoff", tradeoff), caption))]))
    sections.append(made(origin, [("split", f"{folds}, seed {evaluation.seed}")]))
    return page(f"Agreement with people: {origin.data}", evaluation.told, sections, notes=evaluation.warnings)


def _methods(found: Evaluation, best: MethodResult | None) -> list[str]:
    head = (
        "method",
        "Spearman",
        "95% interval",
        "mean of criteria",
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
            html_interval_of(m.overall.spearman, m.interval),
            html_number(m.mean_of_criteria),
            html_number(m.overall.pearson),
            html_number(m.overall.kendall),
            html_number(m.overall.mae, 2),
            html_number(m.calibrated_mae, 2),
            *_estimate(m.gain),
        )
        for m in found.methods
    ]
    caption = "Rank agreement with the mean human score; bars are 95% intervals over groups. Fitted weights in colour."
    parts: list[str] = [
        side_by_side(figure(figures.methods("methods", found.methods), caption)),
        html_table(head, rows, label="Methods", strong=best.name if best else None),
        "Spearman is of all judgments pooled, of fitted methods by their ranks inside the folds; the mean of criteria is that of the correlations inside them. MAE is the mean "
        "absolute error in points of the scale. Every score comes from weights and a calibration that "
        "were fitted without the item's group."
        if found.folds
        else "The given weights are used as they are. MAE is the mean absolute error in points of the scale.",
    ]
    if found.ceiling and found.ceiling.leave_one_out is not None:
        parts.append(f"One annotator against the mean of the others: Spearman {found.ceiling.leave_one_out:.3f}.")
    return parts


def _beyond(found: Evaluation, best: MethodResult | None) -> list[str]:
    """What the methods add to length and surface, and the score against length with people's scores beside it."""
    head = (
        "method",
        f"gain on {found.baseline}",
        "its interval",
        "at equal surface",
        "its interval",
        "right at equal length",
        "correlation with length",
    )
    rows = [
        (
            m.name,
            *_estimate(m.over_baseline),
            *_estimate(m.equal_surface),
            html_number(m.near_accuracy),
            html_number(m.length),
        )
        for m in found.methods
    ]
    parts: list[str] = []
    if found.length:
        shown = best or found.method("e_score")
        caption = (
            f"Scores against the words of the response: {shown.name} on the left, people on the right, each dot "
            f"shifted a little. {_line_of(len(found.length))}Where both look alike, the score may be nothing but length."
        )
        parts.append(side_by_side(figure(figures.against_length("length", found, shown), caption)))
    parts.append(html_table(head, rows, label="Beyond length and surface", strong=best.name if best else None))
    parts.append(
        "length and surface are fitted in the same folds to the words of the response, and to marks of the text such as "
        "sentences, copied words and list marks; they read no model. At equal surface is the partial Spearman correlation "
        f"with people given the length and the score of surface. Right is how often the better one gets the higher score, among "
        f"{counted(found.methods[0].near_pairs, 'pair')} of responses of nearly equal length with different human scores. "
        f"{COMPARED[0].upper()}{COMPARED[1:]}."
    )
    return parts


def _estimate(found: Estimate | None) -> tuple[str, str]:
    return ("", "") if found is None else (html_number(found.value), html_interval_of(found.value, found.interval))


def _grades(found: Evaluation, best: MethodResult | None) -> list[PageSection]:
    graded = [(m, m.grades) for m in found.methods if m.grades]
    if not graded:
        return []
    binary = graded[0][1].binary
    head = (
        "method",
        "kappa",
        "alpha",
        "within one point",
        "same grade",
        *(("TPR", "TNR", "F1", "cut") if binary else ()),
    )
    sure = any(m.held for m, _ in graded)
    head += (f"{COVERAGE:.0%} within", "held") if sure else ()
    rows = []
    for m, one in graded:
        two = one.binary
        cells: tuple[str, ...] = (
            (html_number(two.tpr), html_number(two.tnr), html_number(two.f1), html_number(two.cut, 2)) if two else ()
        )
        if sure:
            cells += (f"±{m.held.margin:.2f}", f"{m.held.share:.0%}") if m.held else ("", "")
        rows.append(
            (
                m.name,
                html_number(one.kappa),
                html_number(one.alpha),
                f"{one.within_one:.0%}",
                f"{one.exact:.0%}",
                *cells,
            )
        )
    if found.annotators:
        given = found.annotators
        own = (html_number(given.kappa), html_number(given.alpha), f"{given.within_one:.0%}")
        rows.append(("annotators with each other", *own, *[""] * (len(head) - 4)))
    parts: list[str] = [
        html_table(head, rows, label="Grades", strong=best.name if best else None),
        "Calibrated scores as grades: kappa is Cohen's with quadratic weights, alpha is Krippendorff's for interval data."
        + (f" Good is {binary.threshold:g} or more; the cut is chosen on the other folds." if binary else "")
        + (f" The last columns: margin of {COVERAGE:.0%} intervals, and how often they held." if sure else ""),
    ]
    shown = next((one for m, one in graded if best and m.name == best.name), None)
    if best and shown:
        names = [f"{label:g}" for label in shown.labels]
        counts = [(f"people: {name}", *map(str, row)) for name, row in zip(names, shown.confusion)]
        parts.append(html_table((f"{best.name} says", *names), counts, label="Confusion"))
    return [("Grades", parts)]


def _curve(curve: LearningCurve | None) -> list[PageSection]:
    if curve is None:
        return []
    rows = [(f"{p.labels:.0f}", f"{p.groups:.0f}", *_estimate(p.agreement)) for p in curve.points]
    text = f"What {curve.kind} weights reach that are fitted to fewer labels."
    if curve.brings is not None:
        value, ends = _estimate(curve.brings)
        text += f" {curve.more} more labels of new groups would add about {value} {ends}, if the curve goes on."
    return [
        ("Learning curve", [html_table(("labels", "groups", "Spearman", "95% interval"), rows, label="Curve"), text])
    ]


def _criteria(found: Evaluation, best: MethodResult | None) -> list[PageSection]:
    names = list(found.methods[0].criteria)
    if len(names) < 2:
        return []
    rows = [(m.name, *(html_number(m.criteria[n].spearman) for n in names)) for m in found.methods]
    rows.append(("judgments", *(str(found.methods[0].criteria[n].n) for n in names)))
    return [
        ("Criteria", [html_table(("Spearman", *names), rows, label="Criteria", strong=best.name if best else None)])
    ]


def _line_of(n: int) -> str:
    """The words for the line of means over n scores, "" where there is none."""
    parts = figures.parts_by_length(n)
    return f"The line joins the means of {parts} parts of equal size. " if parts > 1 else ""


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
            if fitted.lens == BOTH_LENSES:
                text += "; the labels below the line are of the raw lens, those above of the norm lens"
        elif fitted.weights:
            text += ". A bar for each state" + ("; orange: below zero" if min(fitted.weights) < 0 else "")
        parts.append(figure(figures.weights(f"weights{place}", fitted, found.values), text + "."))
    return side_by_side(*parts)


def _scores(found: Evaluation, best: MethodResult | None) -> Markup:
    shown = best or found.method("uniform" if any(m.name == "uniform" for m in found.methods) else "e_score")
    columns = [("people", found.human), (f"{shown.name}, raw", shown.raw)]
    few = len(found.human) < figures.FEW_POINTS
    box = "A dot for each judgment, shifted a little sideways. Dashed: perfect agreement." if few else BOXES
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
    after_too = " before and after calibration" if shown.calibrated is not None else ""
    spread = figures.distributions("spread", columns, found.values)
    parts.append(figure(spread, f"How often each score occurs, in per cent: people, and {shown.name}{after_too}."))
    return side_by_side(*parts)
