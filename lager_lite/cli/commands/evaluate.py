"""lager-lite eval"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ...data import read_items
from ...evaluation import (
    Comparison,
    Evaluation,
    EvaluationRun,
    MethodResult,
    Plan,
    compare,
    cost,
    regroup,
    run_evaluation,
    run_json,
    save_run,
)
from ...fitting import PRESETS
from ...records import WEIGHT_KINDS, Item
from ...report import check_report, write_report
from ...scoring import WeightsFile, load_weights
from ...stats import Interval
from .. import show
from ..options import data_options, open_judge, reason_options, reasoning_settings, shard_option, weighted_options
from ..shards import announce, check_shard, fill
from .score import parse_map


def number(value: float | None, digits: int = 3) -> str:
    """A figure of a table; - for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def span(interval: Interval | None) -> str:
    """An interval of a table; - for None."""
    return f"[{interval.low:.3f}, {interval.high:.3f}]" if interval else "-"


def _row(method: MethodResult) -> tuple[str, ...]:
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


def _show(result: Evaluation) -> None:
    how = f"{result.folds} folds" if result.folds else "weights as given"
    click.echo(f"{result.n} judgments in {result.groups} groups, {how}\n")
    head = ("method", "Spearman", "95% interval", "Pearson", "Kendall", "MAE", "calibrated", "gain on e_score")
    click.echo(show.table(head, [_row(m) for m in result.methods]))
    names = list(result.methods[0].criteria)
    if len(names) > 1:
        click.echo("\nSpearman by criterion\n")
        rows = [(m.name, *(number(m.criteria[n].spearman) for n in names)) for m in result.methods]
        counts = ("judgments", *(str(result.methods[0].criteria[n].n) for n in names))
        click.echo(show.table(("method", *names), [*rows, counts]))
    if result.ceiling and result.ceiling.leave_one_out is not None:
        click.echo(f"\nOne annotator against the mean of the others: Spearman {result.ceiling.leave_one_out:.3f}")
    if result.verdict:
        click.echo(f"\n{result.verdict.text}")


def _show_reasoning(direct: EvaluationRun, reasoning: EvaluationRun, found: Comparison) -> None:
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
    click.echo(show.table(("method", "direct", "reasoning", "difference", "95% interval"), rows) + "\n")
    rows = []
    for name, run in (("direct", direct), ("reasoning", reasoning)):
        spent = cost(run)
        rows.append((name, number(spent.seconds), number(spent.generated, 1), number(spent.evaluated, 1)))
    click.echo(show.table(("per judgment", "seconds", "tokens generated", "prompt tokens evaluated"), rows))
    if any(row[1] == "-" for row in rows):
        click.echo("(- where judgments or feedback came from the store: give --no-store to measure)")


def _plan(given: dict[str, Any]) -> Plan:
    fitting = [name for name in ("cv", "kind", "by_criterion", "like") if given[name]]
    if given["weights"] and fitting:
        raise click.UsageError(f"-w uses weights as they are: leave out --{fitting[0].replace('_', '-')}")
    if given["force"] and not given["weights"]:
        raise click.UsageError("--force is about the weights of -w: give some")
    if given["report"]:
        check_report()
    kinds, like = (
        tuple(k for k in known if k in given[name]) for name, known in (("kind", WEIGHT_KINDS), ("like", PRESETS))
    )
    return Plan(kinds or WEIGHT_KINDS, given["by_criterion"], like, given["cv"] or 5, given["seed"])


def _fill(given: dict[str, Any], items: Sequence[Item]) -> None:
    announce(given["shard"], len(items))
    for reasoning in dict.fromkeys((None, reasoning_settings(given))):
        with open_judge(given, reasoning=reasoning) as judge:
            fill(judge, items, len(items))


def _run(
    given: dict[str, Any], weights: WeightsFile | None, items: Sequence[Item], plan: Plan, source: str, **more: Any
) -> EvaluationRun:
    with open_judge(given, weights, force=given["force"], early=False, **more) as judge:
        with show.progress(len(items) * len(judge.rubrics)) as progress:
            pair = (given["weights"], weights) if weights else None
            run, failed = run_evaluation(judge, items, plan, source=source, weights=pair, progress=progress)
        show.evaluated(judge.counts, failed)
    return run


@click.command("eval")
@click.argument("labelled", metavar="LABELLED")
@weighted_options
@click.option("--cv", type=click.IntRange(2), help="Folds, split by group.  [default: 5]")
@click.option(
    "--kind", multiple=True, type=click.Choice(WEIGHT_KINDS), help="Weights to fit; repeat for several.  [default: all]"
)
@click.option("--by-criterion", is_flag=True, help="Add weights per criterion, drawn toward the common ones.")
@click.option("--like", multiple=True, type=click.Choice(list(PRESETS)), help="Add weights fitted as published.")
@click.option("--group", metavar="FIELD", help="Field of the rows that must stay on one side of a split.")
@reason_options
@click.option("-n", "--limit", type=click.IntRange(1), help="Only the first N items.")
@shard_option
@click.option("--report", type=click.Path(dir_okay=False), help="Write a page with figures (HTML).")
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, allow_dash=True), help="Write all figures; - prints them."
)
@data_options
def command(labelled: str, limit: int | None, json_path: str | None, **given: Any) -> None:
    """Compare the methods with the human scores of LABELLED.

    direct, e_score, uniform, and each kind of fitted weights, cross-validated: no weights score an
    item of a group (same source text or prompt) that they were fitted on. With -w the given
    weights are used as they are. MAE is in points of the scale, before and after calibration.
    --reason evaluates twice, direct and with feedback before every score, and sets both side by side;
    all other figures, --json and --report are of the second (with -w there is no other).
    --shard reads a part into the store and shows no figures: when all stores are one (`store merge`),
    the same command without it reads them from there.
    """
    figures = ("report", "cv", "kind", "by_criterion", "like", "weights", "json_path")
    check_shard({**given, "json_path": json_path}, figures)
    plan = _plan(given)
    weights = load_weights(given["weights"]) if given["weights"] else None
    dataset = read_items(labelled, mapping=parse_map(given["mapping"]), layout=given["layout"])
    click.echo(dataset.message, err=True)
    items = regroup(dataset.items[:limit], given["group"]) if given["group"] else dataset.items[:limit]
    if given["shard"]:
        return _fill(given, [item for item in items if given["shard"].holds(item)])
    direct = _run(given, None, items, plan, labelled, reasoning=None) if given["reason"] and not weights else None
    run = _run(given, weights, items, plan, labelled)
    if json_path == "-":
        click.echo(run_json(run), nl=False)
    else:
        _show(run.evaluation)
    if direct and json_path != "-":
        _show_reasoning(direct, run, compare(direct, run, seed=given["seed"]))
    for warning in run.evaluation.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if json_path not in (None, "-"):
        save_run(json_path, run)
    if given["report"]:
        write_report(given["report"], run.evaluation, run.origin)
