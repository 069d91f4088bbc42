"""Tables of evaluations, comparisons and fits."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ...data import counted
from ...evaluation import (
    COMPARED,
    Comparison,
    Evaluation,
    EvaluationRun,
    FigurePair,
    LearningCurve,
    MethodPair,
    MethodResult,
    cost,
)
from ...fitting import COVERAGE, Fitted
from ...stats import Difference, Estimate
from .terminal import number, span, span_of, text_table, warn


def _method_row(method: MethodResult) -> tuple[str, ...]:
    return (
        method.name,
        number(method.overall.spearman),
        span_of(method.overall.spearman, method.interval),
        number(method.mean_of_criteria),
        number(method.overall.pearson),
        number(method.overall.kendall),
        number(method.overall.mae, 2),
        number(method.calibrated_mae, 2),
    )


def _estimate(found: Estimate | None) -> str:
    if found is None or found.value is None:
        return "" if found is None else number(None)
    return f"{number(found.value)} {span_of(found.value, found.interval)}"


def _figures(found: Estimate | Difference) -> tuple[str, str]:
    return number(found.value), span_of(found.value, found.interval)


def _show_beyond(result: Evaluation) -> None:
    """What the methods add to what needs no judge."""
    if not result.length:
        click.echo("\nThe texts are not known: nothing is compared with length and surface.")
    pairs = result.methods[0].near_pairs
    click.echo(
        f"\nBeyond what needs no judge; {counted(pairs, 'pair')} of responses of nearly equal length {'has' if pairs == 1 else 'have'} different scores\n"
    )
    head = ("method", f"gain on {result.baseline}", "at equal surface", "right in those pairs", "with length")
    rows = [
        (m.name, _estimate(m.over_baseline), _estimate(m.equal_surface), number(m.near_accuracy), number(m.length))
        for m in result.methods
    ]
    click.echo(text_table(head, rows))
    if result.methods and any(m.ranks for m in result.methods):
        click.echo(f"({COMPARED})")


def _show_grades(result: Evaluation) -> None:
    """Agreement in grades, and that of the annotators."""
    graded = [(m.name, m.grades, m.held) for m in result.methods if m.grades]
    if not graded:
        return
    binary, sure = graded[0][1].binary, any(held for *_, held in graded)
    head = ("calibrated", "kappa", "alpha", "within 1", "same grade", *(("TPR", "TNR", "F1", "cut") if binary else ()))
    head += (f"{COVERAGE:.0%} within", "held") if sure else ()
    rows = []
    for name, found, held in graded:
        two = found.binary
        cells: tuple[str, ...] = (number(two.tpr), number(two.tnr), number(two.f1), number(two.cut, 2)) if two else ()
        shares = (f"{found.within_one:.0%}", f"{found.exact:.0%}")
        if sure:
            cells += (f"+-{held.margin:.2f}", f"{held.share:.0%}") if held else ("-", "-")
        rows.append((name, number(found.kappa), number(found.alpha), *shares, *cells))
    if one := result.annotators:
        rows.append(
            ("annotators", number(one.kappa), number(one.alpha), f"{one.within_one:.0%}", *[""] * (len(head) - 4))
        )
    good = f"; good is {binary.threshold:g} or more, the cut is chosen on the other folds" if binary else ""
    click.echo(f"\nIn grades: quadratic-weighted kappa, Krippendorff's alpha, share within one point{good}\n")
    click.echo(text_table(head, rows))
    if sure:
        click.echo(
            f"(the margin of {COVERAGE:.0%} intervals, and how often they held people's score of an unseen item)"
        )


def _show_curve(curve: LearningCurve | None) -> None:
    """What labels are worth."""
    if curve is None:
        return
    click.echo(f"\nLearning curve: what {curve.kind} weights reach that are fitted to fewer labels\n")
    rows = [(f"{p.labels:.0f}", f"{p.groups:.0f}", *_figures(p.agreement)) for p in curve.points]
    click.echo(text_table(("labels", "groups", "Spearman", "95% interval"), rows))
    if curve.brings is not None:
        click.echo(
            f"{curve.more} more labels of new groups would add about {_estimate(curve.brings)}, if the curve goes on."
        )


def show_evaluation(result: Evaluation) -> None:
    """Print how every method agrees with people."""
    how = f"{counted(result.folds, 'fold')}, split {result.splits_text}" if result.folds else "weights as given"
    how = how if result.folds or result.fitted else "nothing fitted"
    how += f", {result.held_out} held out too" if result.held_out else ""
    how += f"; {result.left_out} more that the weights were fitted on are left out" if result.left_out else ""
    click.echo(f"{counted(result.n, 'judgment')} in {counted(result.groups, 'group')}, {how}\n")
    head = ("method", "Spearman", "95% interval", "criteria", "Pearson", "Kendall", "MAE", "calibrated")
    click.echo(text_table(head, [_method_row(m) for m in result.methods]))
    folds = ", of what was fitted by its ranks inside the folds" if any(m.ranks for m in result.methods) else ""
    click.echo(f"(Spearman is of all judgments pooled{folds}; criteria is its mean within the criteria)")
    _show_beyond(result)
    names = list(result.methods[0].criteria)
    if len(names) > 1:
        click.echo("\nSpearman by criterion\n")
        rows = [(m.name, *(number(m.criteria[n].spearman) for n in names)) for m in result.methods]
        counts = ("judgments", *(str(result.methods[0].criteria[n].n) for n in names))
        click.echo(text_table(("method", *names), [*rows, counts]))
    _show_grades(result)
    if result.ceiling and result.ceiling.leave_one_out is not None:
        click.echo(f"\nOne annotator against the mean of the others: Spearman {result.ceiling.leave_one_out:.3f}")
    _show_curve(result.curve)
    click.echo(f"\n{result.told}")


def show_reasoning(direct: EvaluationRun, reasoning: EvaluationRun, found: Comparison) -> None:
    """Print judging with and without feedback side by side, and what each cost."""
    how = reasoning.origin.settings["feedback"]
    click.echo(f"\nDirect against reasoning ({how}), {counted(found.n, 'judgment')} in both, Spearman\n")
    rows = [
        (
            m.name,
            number(m.overall.a.spearman),
            number(m.overall.b.spearman),
            *_figures(m.overall.difference),
        )
        for m in found.methods
    ]
    click.echo(text_table(("method", "direct", "reasoning", "difference", "95% interval"), rows) + "\n")
    costs = []
    for name, run in (("direct", direct), ("reasoning", reasoning)):
        spent = cost(run)
        costs.append((name, number(spent.seconds), number(spent.generated, 1), number(spent.evaluated, 1)))
    click.echo(text_table(("per judgment", "seconds", "tokens generated", "prompt tokens evaluated"), costs))
    if any(row[1] == "-" for row in costs):
        click.echo("(- where judgments or feedback came from the store: give --no-store to measure)")


def _pair_row(name: str, pair: FigurePair) -> tuple[str, ...]:
    found = pair.difference
    share = "-" if found.share is None else f"{found.share:.0%}"
    return name, number(pair.a.spearman), number(pair.b.spearman), *_figures(found), share


def _error_rows(methods: Sequence[MethodPair]) -> list[tuple[str, ...]]:
    return [(m.name, number(m.error[0]), number(m.error[1]), *_figures(m.error[2])) for m in methods if m.error]


def _warn_names(noun: str, run: str, only: Sequence[str]) -> None:
    if only:
        shown = ", ".join(only[:5]) + (", ..." if len(only) > 5 else "")
        warn([f"{counted(len(only), noun)} {'is' if len(only) == 1 else 'are'} in {run} only: {shown}"])


def show_comparison(found: Comparison) -> None:
    """Print two evaluations of the same judgments, method by method."""
    click.echo(f"{counted(found.n, 'judgment')} in {counted(found.groups, 'group')}, in both\n")
    for told in found.caveats:
        click.echo(f"{told}\n")
    if found.differences:
        click.echo(text_table(("differs", "A", "B"), [tuple(d) for d in found.differences]) + "\n")
    click.echo("Spearman with people; B - A with its 95% interval, and the share of resamples in which B is better\n")
    head = ("method", "A", "B", "B - A", "95% interval", "B better")
    click.echo(text_table(head, [_pair_row(m.name, m.overall) for m in found.methods]))
    for name in found.methods[0].criteria if found.methods else ():
        click.echo(f"\n{name}\n\n" + text_table(head, [_pair_row(m.name, m.criteria[name]) for m in found.methods]))
    if errors := _error_rows(found.methods):
        click.echo("\nMean absolute error after calibration\n\n" + text_table(head[:-1], errors))
    left = [(m.name, *map(_estimate, m.equal_surface)) for m in found.methods if any(m.equal_surface)]
    if left:
        click.echo("\nAt equal surface, each on its own judgments\n\n" + text_table(("method", "A", "B"), left))
    moved = [(m.name, number(m.moved), number(m.order)) for m in found.methods]
    click.echo("\nHow far the scores themselves moved\n\n" + text_table(("method", "points", "same order"), moved))
    _warn_names("judgment", "A", found.only_a)
    _warn_names("judgment", "B", found.only_b)
    _warn_names("method", "A", found.methods_a)
    _warn_names("method", "B", found.methods_b)


def fitted_facts(found: Fitted, output: str) -> dict[str, object]:
    """What was fitted, as --json prints it."""
    weights = found.file.weights
    own = {"kind": weights.kind, "lens": weights.lens, "max_state": found.file.max_state, "written": output}
    prior = {} if found.prior is None else {"prior_seen": found.prior.seen}
    return {**found.file.provenance.fit, **prior, **own}


def show_fitted(found: Fitted, output: str) -> None:
    """Print what was fitted, the trade-off of --budget, and where it was written."""
    weights = found.file.weights
    click.echo(
        f"kind      {weights.kind}, lens {weights.lens}\nlabels    {found.items} in {counted(found.groups, 'group')}"
    )
    if found.tradeoff:
        head = ("pass ends after state", "Spearman", "95% interval")
        rows = [(str(p.state), number(p.spearman), span(p.interval)) for p in found.tradeoff]
        click.echo("\n" + text_table(head, rows) + "\n")
    top = found.file.max_state
    if top < found.file.provenance.n_states - 1:
        click.echo(f"states    0 to {top} of {found.file.provenance.n_states - 1}: the pass ends there")
    if found.strength is not None:
        click.echo(f"strength  {found.strength:g}")
    if found.agreement is not None:
        note = "nested folds" if found.tried else "out of fold, with the strength that did best there, so a little high"
        seen = found.prior.seen if found.prior else 0
        doubt = f"; too good: the prior was fitted on items or groups of {seen} of these judgments" if seen else ""
        click.echo(f"spearman  {found.agreement:.3f} ({note}{doubt})")
    if found.prior is not None:
        one = found.prior
        click.echo(
            f"prior     {one.share:.0%} of it is in the weights; alone it reaches {number(one.alone)}, "
            f"the labels without it {number(one.without)}"
        )
    if found.cost is not None:
        names, left, before = ", ".join(found.cost.names), found.cost.left, found.cost.before
        click.echo(
            f"control   {names}: scores correlate with it at most {left:.3f}, without the control {before:.3f}; "
            f"without it Spearman is {number(found.cost.agreement)}"
        )
    if len(found.tried) > 1:
        click.echo("tried     " + ", ".join(f"{kind} {number(one)}" for kind, one in found.tried.items()))
    if found.trivial:
        listed = ", ".join(f"{name} {number(one)}" for name, one in found.trivial.items())
        click.echo(f"without   a model: {listed} (of the response, fitted in the same folds)")
    click.echo(f"written   {output}")
