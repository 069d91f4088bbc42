"""lager-lite knowledge"""

from __future__ import annotations

from typing import Any

import click

from ...data import read_items, write_rows
from ...evaluation import origin_of
from ...fitting import gather
from ...report import check_report, write_knowledge
from ...scoring import load_weights
from ...stats import Interval
from ...tasks import Knower, SelfKnowledge, self_knowledge, stratified
from .. import show
from ..options import data_options, open_judge, report_option, weighted_options
from .score import parse_map


def _figure(value: float | None, span: Interval | None) -> str:
    shown = "-" if value is None else f"{value:.3f}"
    return f"{shown} [{span.low:.3f}, {span.high:.3f}]" if span else shown


def _row(knower: Knower) -> tuple[str, ...]:
    rule, best = knower.rule, knower.best
    parts = [f"{p:.2f}/{r:.2f}" if p is not None else "-" for p, r in ((best.precision, best.recall),)]
    return (
        knower.method,
        _figure(rule.f1, rule.interval),
        str(rule.found),
        _figure(best.f1, best.interval),
        str(best.found),
        *parts,
        _figure(knower.curve.average, knower.curve.interval),
    )


def _show(result: SelfKnowledge) -> None:
    click.echo(
        f"{result.n} questions in {result.groups} groups, {result.unanswerable} of them unanswerable; {result.folds} folds\n"
    )
    head = ("method", "F1, rule of 0.75", "called", "F1, best threshold", "called", "prec/recall", "average precision")
    click.echo(show.table(head, [_row(m) for m in result.methods]))
    share = result.unanswerable / result.n
    click.echo(f"\nCalling every question unanswerable: F1 {result.everything:.3f}, precision {share:.3f}")


@click.command("knowledge")
@click.argument("data", metavar="DATA")
@weighted_options
@click.option(
    "-n", "--limit", type=click.IntRange(20), default=500, show_default=True, help="Questions, drawn by stratum."
)
@click.option("--all", "whole", is_flag=True, help="All questions of the file.")
@click.option("--cv", "folds", type=click.IntRange(2), default=5, show_default=True, help="Folds, split by group.")
@click.option("-s", "--seed", type=int, default=0, show_default=True)
@click.option("--json", "json_path", type=click.Path(dir_okay=False), help="Write all figures to this file, too.")
@report_option
@data_options
def command(data: str, limit: int, whole: bool, folds: int, seed: int, json_path: str | None, **given: Any) -> None:
    """Tell unanswerable questions from answerable ones (SelfAware), by the rubric answerability.

    A question counts as unanswerable where its score is at or below a threshold: 0.75 of the range of
    a method's scores (the paper's rule), or the threshold with the best F1 on the other folds. simplex,
    signed and full weights are fitted on the other folds. Intervals are 95%, over groups.
    """
    given["rubrics"] = given["rubrics"] or ("answerability",)
    if len(given["rubrics"]) > 1:
        raise click.UsageError("knowledge takes one rubric")
    if given["report"]:
        check_report()
    dataset = read_items(data, parse_map(given["mapping"]), given["layout"], require=("instruction",))
    click.echo(dataset.message, err=True)
    items = stratified(dataset.items, None if whole else limit, seed)
    file = load_weights(given["weights"]) if given["weights"] else None
    with open_judge(given, file, force=given["force"], early=False) as judge, show.progress(len(items)) as progress:
        read = gather(judge, items, progress)
        show.evaluated(judge.counts, read.failed)
        weights = judge.by_rubric.get(judge.rubrics[0].name, judge.weights)
        origin = origin_of(judge, data, weights=given["weights"])
    result = self_knowledge(read, weights, folds=folds, seed=seed)
    _show(result)
    if json_path:
        write_rows(json_path, [result.to_dict()])
    if given["report"]:
        write_knowledge(given["report"], result, origin)
