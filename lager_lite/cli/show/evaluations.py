"""Tables of evaluations, comparisons and fits."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ...evaluation import Comparison, Evaluation, EvaluationRun, MethodPair, MethodResult, Pair, cost
from ...fitting import Fitted
from .terminal import number, span, text_table, warn


def _method_row(method: MethodResult) -> tuple[str, ...]:
    gain = method.gain
    return (
        method.name,
        number(method.overall.spearman),
        span(method.interval),
        number(method.overall.pearson),
        number(method.overall.kendall),
        number(method.overall.mae, 2),
        number(method.calibrated_mae, 2),
        f"{number(gain.value)} {span(gain.interval)}" if gain else "",
    )


def show_evaluation(result: Evaluation) -> None:
    """Print how every method agrees with people."""
    how = f"{result.folds} folds" if result.folds else "weights as given" if result.fitted else "nothing fitted"
    click.echo(f"{result.n} judgments in {result.groups} groups, {how}\n")
    head = ("method", "Spearman", "95% interval", "Pearson", "Kendall", "MAE", "calibrated", "gain on e_score")
    click.echo(text_table(head, [_method_row(m) for m in result.methods]))
    names = list(result.methods[0].criteria)
    if len(names) > 1:
        click.echo("\nSpearman by criterion\n")
        rows = [(m.name, *(number(m.criteria[n].spearman) for n in names)) for m in result.methods]
        counts = ("judgments", *(str(result.methods[0].criteria[n].n) for n in names))
        click.echo(text_table(("method", *names), [*rows, counts]))
    if result.ceiling and result.ceiling.leave_one_out is not None:
        click.echo(f"\nOne annotator against the mean of the others: Spearman {result.ceiling.leave_one_out:.3f}")
    if result.verdict:
        click.echo(f"\n{result.verdict.text}")


def show_reasoning(direct: EvaluationRun, reasoning: EvaluationRun, found: Comparison) -> None:
    """Print judging with and without feedback side by side, and what each cost."""
    how = reasoning.origin.settings["feedback"]
    click.echo(f"\nDirect against reasoning ({how}), {found.n} judgments in both, Spearman\n")
    rows = [
        (
            m.name,
            number(m.overall.a.spearman),
            number(m.overall.b.spearman),
            number(m.overall.difference.value),
            span(m.overall.difference.interval),
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


def _pair_row(name: str, pair: Pair) -> tuple[str, ...]:
    found = pair.difference
    share = "-" if found.share is None else f"{found.share:.0%}"
    return name, number(pair.a.spearman), number(pair.b.spearman), number(found.value), span(found.interval), share


def _error_rows(methods: Sequence[MethodPair]) -> list[tuple[str, ...]]:
    return [
        (m.name, number(m.error[0]), number(m.error[1]), number(m.error[2].value), span(m.error[2].interval))
        for m in methods
        if m.error
    ]


def _warn_names(what: str, only: Sequence[str]) -> None:
    if only:
        shown = ", ".join(only[:5]) + (", ..." if len(only) > 5 else "")
        warn([f"{len(only)} {what}: {shown}"])


def show_comparison(found: Comparison) -> None:
    """Print two evaluations of the same judgments, method by method."""
    click.echo(f"{found.n} judgments in {found.groups} groups, in both\n")
    if found.differences:
        click.echo(text_table(("differs", "A", "B"), [tuple(d) for d in found.differences]) + "\n")
    click.echo("Spearman with people; B - A with its 95% interval, and the share of resamples in which B is better\n")
    head = ("method", "A", "B", "B - A", "95% interval", "B better")
    click.echo(text_table(head, [_pair_row(m.name, m.overall) for m in found.methods]))
    for name in found.methods[0].criteria if found.methods else ():
        click.echo(f"\n{name}\n\n" + text_table(head, [_pair_row(m.name, m.criteria[name]) for m in found.methods]))
    if errors := _error_rows(found.methods):
        click.echo("\nMean absolute error after calibration\n\n" + text_table(head[:-1], errors))
    moved = [(m.name, number(m.moved), number(m.order)) for m in found.methods]
    click.echo("\nHow far the scores themselves moved\n\n" + text_table(("method", "points", "same order"), moved))
    _warn_names("judgments are in A only", found.only_a)
    _warn_names("judgments are in B only", found.only_b)
    _warn_names("methods are in A only", found.methods_a)
    _warn_names("methods are in B only", found.methods_b)


def fitted_facts(found: Fitted, output: str) -> dict[str, object]:
    """What was fitted, as --json prints it."""
    weights = found.file.weights
    own = {"kind": weights.kind, "lens": weights.lens, "max_state": found.file.max_state, "written": output}
    return {**found.file.provenance.fit, **own}


def show_fitted(found: Fitted, output: str) -> None:
    """Print what was fitted, the trade-off of --budget, and where it was written."""
    weights = found.file.weights
    click.echo(f"kind      {weights.kind}, lens {weights.lens}\nlabels    {found.items} in {found.groups} groups")
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
        click.echo(f"spearman  {found.agreement:.3f} ({note})")
    if len(found.tried) > 1:
        click.echo("tried     " + ", ".join(f"{kind} {number(one)}" for kind, one in found.tried.items()))
    click.echo(f"written   {output}")
