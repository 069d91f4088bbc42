"""lager-lite eval"""

from __future__ import annotations

import json
from typing import Any

import click

from ..datasets import read_items
from ..evaluation import Evaluation, MethodResult, evaluate
from ..labelled import gather
from ..rows import write_rows
from . import show
from .options import judge_options, open_judge
from .score import parse_map


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _row(method: MethodResult) -> tuple[str, ...]:
    span = method.interval
    gain = method.gain.value if method.gain else None
    return (
        method.name,
        _number(method.overall.spearman),
        f"[{span.low:.3f}, {span.high:.3f}]" if span else "-",
        _number(method.overall.pearson),
        _number(method.overall.kendall),
        _number(method.overall.mae, 2),
        _number(method.calibrated_mae, 2),
        "" if method.name == "e_score" else _number(gain),
    )


def _show(result: Evaluation) -> None:
    click.echo(f"{result.n} judgments in {result.groups} groups, {result.folds} folds\n")
    head = ("method", "Spearman", "95% interval", "Pearson", "Kendall", "MAE", "calibrated", "gain on e_score")
    click.echo(show.table(head, [_row(m) for m in result.methods]))
    names = list(result.methods[0].criteria)
    if len(names) > 1:
        click.echo("\nSpearman by criterion\n")
        rows = [(m.name, *(_number(m.criteria[n].spearman) for n in names)) for m in result.methods]
        click.echo(show.table(("method", *names), rows))
    if result.ceiling and result.ceiling.leave_one_out is not None:
        click.echo(f"\nOne annotator against the mean of the others: Spearman {result.ceiling.leave_one_out:.3f}")
    for warning in result.warnings:
        click.echo(f"Warning: {warning}", err=True)


@click.command("eval")
@click.argument("labelled", metavar="LABELLED")
@judge_options
@click.option("--cv", "folds", type=click.IntRange(2), default=5, show_default=True, help="Folds, split by group.")
@click.option("-s", "--seed", type=int, default=0, show_default=True)
@click.option("-n", "--limit", type=click.IntRange(1), help="Only the first N items.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False), help="Write all figures to this file, too.")
@click.option("--map", "mapping", multiple=True, metavar="FIELD=KEY", help="Where a field stands in your rows.")
@click.option("--layout", help="Layout of the file. Default: detected.")
def command(labelled: str, folds: int, seed: int, limit: int | None, json_path: str | None, **given: Any) -> None:
    """Compare the methods with the human scores of LABELLED.

    direct, e_score, uniform, and each kind of fitted weights, cross-validated with the groups of the
    file (same source text or prompt) never split. MAE is in points of the scale, before and after
    calibration.
    """
    dataset = read_items(labelled, mapping=parse_map(given["mapping"]), layout=given["layout"])
    click.echo(dataset.message, err=True)
    items = dataset.items[:limit]
    with open_judge(given) as judge, show.progress(len(items) * len(judge.rubrics)) as progress:
        data = gather(judge, items, progress)
    for item, reason in data.failed:
        click.echo(f"Warning: item {item} left out: {reason}", err=True)
    result = evaluate(data, folds=folds, seed=seed)
    _show(result)
    if json_path:
        write_rows(json_path, [json.loads(json.dumps(result.row()))])
