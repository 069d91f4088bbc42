"""lager-lite fit"""

from __future__ import annotations

import json
from typing import Any

import click

from ...data import read_items
from ...evaluation import Plan, regroup, run_evaluation
from ...fitting import PRESETS, TOLERANCE, FitPlan, Fitted, fit_weights, gather
from ...records import LENSES, WEIGHT_KINDS
from ...report import check_report, write_report
from ...scoring import save_weights
from .. import show
from ..options import data_options, judge_options, open_judge, reason_options
from .score import parse_map


def _plan(given: dict[str, Any]) -> FitPlan:
    if given["like"] and (given["by_criterion"] or given["max_state"] is not None or given["budget"] is not None):
        raise click.UsageError("--like decides everything itself: leave out --by-criterion, --max-state and --budget")
    if given["max_state"] is not None and given["budget"] is not None:
        raise click.UsageError("give --max-state or --budget, not both")
    if given["by_criterion"] and given["kind"] == "uniform":
        raise click.UsageError("uniform weights are the same for every criterion: give another --kind")
    if given["report"]:
        if given["max_state"] is not None:
            raise click.UsageError("--report needs every state: leave out --max-state (--budget draws the trade-off)")
        check_report()
    names = ("kind", "lens", "like", "by_criterion", "max_state", "budget", "tolerance", "folds", "seed")
    return FitPlan(**{name: given[name] for name in names})


def _show(found: Fitted, output: str) -> None:
    weights = found.file.weights
    click.echo(f"kind      {weights.kind}, lens {weights.lens}\nlabels    {found.items} in {found.groups} groups")
    if found.tradeoff:
        head = ("pass ends after state", "Spearman", "95% interval")
        rows = [
            (
                str(p.state),
                "-" if p.spearman is None else f"{p.spearman:.3f}",
                f"[{p.interval.low:.3f}, {p.interval.high:.3f}]" if p.interval else "-",
            )
            for p in found.tradeoff
        ]
        click.echo("\n" + show.table(head, rows) + "\n")
    top = found.file.max_state
    if top < found.file.provenance.n_states - 1:
        click.echo(f"states    0 to {top} of {found.file.provenance.n_states - 1}: the pass ends there")
    if found.strength is not None:
        click.echo(f"strength  {found.strength:g}")
    if found.agreement is not None:
        click.echo(
            f"spearman  {found.agreement:.3f} (out of fold, with the strength that did best there, so a little high)"
        )
    click.echo(f"written   {output}")


@click.command("fit")
@click.argument("labelled", metavar="LABELLED")
@judge_options
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="The weights file to write.")
@click.option("--kind", type=click.Choice(WEIGHT_KINDS), default="full", show_default=True)
@click.option("--lens", type=click.Choice(["auto", *LENSES]), default="auto", show_default=True)
@click.option("--like", type=click.Choice(list(PRESETS)), help="Fit as published, in place of --kind and --lens.")
@click.option("--by-criterion", is_flag=True, help="Weights per rubric, drawn toward the common ones.")
@click.option("--max-state", type=click.IntRange(0), help="Use no state above this one; the pass ends there.")
@click.option(
    "--budget", type=click.FloatRange(0, 1, min_open=True), help="Share of the pass that may be spent, e.g. 0.6."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=TOLERANCE,
    show_default=True,
    help="Spearman that --budget may lose.",
)
@click.option("--cv", "folds", type=click.IntRange(2), default=5, show_default=True, help="Folds, split by group.")
@click.option("--group", metavar="FIELD", help="Field of the rows that must stay on one side of a split.")
@reason_options
@click.option("-n", "--limit", type=click.IntRange(1), help="Only the first N items.")
@click.option("--report", type=click.Path(dir_okay=False), help="Write a page with figures (HTML).")
@click.option("--json", "as_json", is_flag=True)
@data_options
def command(labelled: str, output: str, limit: int | None, as_json: bool, **given: Any) -> None:
    """Fit layer weights on the human scores of LABELLED, for `score -w`.

    Items of one group (same source text or prompt) stay in one fold when the ridge's strength is
    chosen, and the calibration is fitted on scores of weights that have not seen the item. Weights
    fitted with --reason are for `score` with the same --reason.
    """
    plan = _plan(given)
    dataset = read_items(labelled, mapping=parse_map(given["mapping"]), layout=given["layout"])
    click.echo(dataset.message, err=True)
    items = regroup(dataset.items[:limit], given["group"]) if given["group"] else dataset.items[:limit]
    with open_judge(given, max_state=plan.max_state) as judge:
        with show.progress(len(items) * len(judge.rubrics)) as progress:
            data = gather(judge, items, progress)
        found = fit_weights(judge, data, plan)
        if given["report"]:
            run, _ = run_evaluation(judge, items, Plan(folds=plan.folds, seed=plan.seed), source=labelled)
            write_report(
                given["report"], run.evaluation, run.origin, [(p.state, p.spearman, p.interval) for p in found.tradeoff]
            )
    save_weights(output, found.file)
    for item, reason in data.failed:
        click.echo(f"Warning: item {item} left out: {reason}", err=True)
    for warning in found.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if as_json:
        facts = {**found.file.provenance.fit, "kind": found.file.weights.kind, "lens": found.file.weights.lens}
        click.echo(json.dumps({**facts, "max_state": found.file.max_state, "written": output}))
        return
    _show(found, output)
