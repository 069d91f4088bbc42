"""lager-lite rank"""

from __future__ import annotations

from typing import Any

import click

from ...data import read_items, write_rows
from ...evaluation import origin_of
from ...report import check_report, write_ranking
from ...tasks import RANK_METHODS, Accuracy, Preferences, first_contests, preferences, rank, read_responses
from .. import show
from ..options import data_options, open_weighted, report_option, weighted_options
from .score import parse_map


def _row(method: Accuracy) -> tuple[str, ...]:
    span, gain = method.interval, method.gain_interval
    return (
        method.method,
        f"{method.accuracy:.3f}",
        f"[{span.low:.3f}, {span.high:.3f}]" if span else "-",
        str(method.ties),
        "" if method.gain is None else f"{method.gain:+.3f}",
        f"[{gain.low:+.3f}, {gain.high:+.3f}]" if gain else "",
    )


def _show(result: Preferences, err: bool) -> None:
    fitted = f"; simplex, signed and full weights fitted in {result.folds} folds" if result.folds else ""
    click.echo(f"{result.pairs} pairs of {result.contests} instructions, {result.groups} groups{fitted}\n", err=err)
    head = ("method", "accuracy", "95% interval", "ties", "gain on e_score", "95% interval")
    click.echo(show.table(head, [_row(m) for m in result.methods]), err=err)


@click.command("rank")
@click.argument("data", metavar="DATA")
@weighted_options
@click.option("--by", type=click.Choice(RANK_METHODS), help="Method that orders. Default: tuned with -w, else uniform.")
@click.option("--cv", "folds", type=click.IntRange(2), help="Fit weights on the pairs in so many folds, too.")
@click.option("-s", "--seed", type=int, default=0, show_default=True)
@click.option(
    "-o", "--output", help="The ranks as JSONL or CSV, - for stdout. Default: stdout where nothing is graded."
)
@click.option("-n", "--limit", type=click.IntRange(1), help="Only the first N instructions.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False), help="Write the accuracies to this file, too.")
@report_option
@data_options
def command(
    data: str, by: str | None, folds: int | None, seed: int, output: str | None, limit: int | None, **given: Any
) -> None:
    """Order the responses to each instruction of DATA, best first.

    Responses are rows with the same instruction (and source and group), or a row's list `responses`, or its
    `chosen` and `rejected`. Where people graded them, the table says how often the better of two
    comes first, ties counted as half. --cv fits to the pairs: the best response to an
    instruction counts as the top label, the worst as the bottom one, and groups are never split.
    """
    if by == "tuned" and not given["weights"]:
        raise click.UsageError("--by tuned needs weights: give -w")
    dataset = read_items(data, mapping=parse_map(given["mapping"]), layout=given["layout"])
    click.echo(dataset.message, err=True)
    items = first_contests(dataset.items, limit)
    if (folds or given["json_path"] or given["report"]) and not any(item.human for item in items):
        raise click.UsageError("--cv, --json and --report need responses that people graded, and there are none")
    if given["report"]:
        check_report()
    with open_weighted(given) as judge, show.progress(len(items) * len(judge.rubrics)) as progress:
        responses = read_responses(judge, items, progress)
        show.evaluated(judge.counts, responses.failed)
        origin = origin_of(judge, data, weights=given["weights"])
    result = preferences(responses, folds=folds, seed=seed)
    if output or result is None:
        write_rows(output or "-", rank(responses, by))
    if result is None:
        return
    _show(result, err=output == "-")
    if given["json_path"]:
        write_rows(given["json_path"], [result.to_dict()])
    if given["report"]:
        write_ranking(given["report"], result, origin)
