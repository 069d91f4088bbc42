"""lager-lite score"""

from __future__ import annotations

from typing import Any

import click

from ...data import Source, open_items
from ...judging import JudgmentRows, score_file
from ...scaleout import Shard
from ...scoring import load_weights
from .. import show
from ..options import cluster_options, cluster_settings, judge_options, open_judge, reason_options, shard_option


def parse_map(pairs: tuple[str, ...]) -> dict[str, str]:
    """The pairs of `--map field=key` as a dict."""
    mapping = {}
    for pair in pairs:
        field, equals, key = pair.partition("=")
        if not (field and equals and key):
            raise click.UsageError(f"--map {pair!r}: expected field=key, for instance response=answer")
        mapping[field] = key
    return mapping


def open_source(
    items: str, mapping: tuple[str, ...], layout: str | None, limit: int | None = None, shard: Shard | None = None
) -> Source:
    """The items to score from parsed options, with what was found shown."""
    source = open_items(items, parse_map(mapping), layout, limit=limit, keep=shard.holds if shard else None)
    click.echo(source.message, err=True)
    if shard:
        click.echo(f"shard {shard}: {source.count} items", err=True)
    return source


@click.command("score")
@click.argument("items", metavar="ITEMS")
@judge_options
@click.option("-w", "--weights", type=click.Path(dir_okay=False), help="Weights file made by lager-lite fit.")
@click.option("--force", is_flag=True, help="Use weights of another backbone or rubric where that can work.")
@click.option("-o", "--output", default="-", show_default=True, help="JSONL or CSV file, - for stdout.")
@click.option("-n", "--limit", type=click.IntRange(1), help="Only the first N items.")
@click.option("--map", "mapping", multiple=True, metavar="FIELD=KEY", help="Where a field stands in your rows.")
@click.option("--layout", help="Layout of the file. Default: detected.")
@shard_option
@cluster_options
@reason_options
@click.option("--per-layer", is_flag=True, help="Add the expected score of every layer.")
@click.option("--flag-injection", is_flag=True, help="Mark responses that speak to the judge, in `flagged`.")
@click.pass_context
def command(ctx: click.Context, items: str, output: str, **given: Any) -> None:
    """Score every item of ITEMS (JSONL, JSON, CSV, Parquet; - for stdin).

    One row per item and rubric: score, probabilities, the baselines direct, e_score and uniform, and
    the probability mass that the labels hold. A run that was stopped goes on where it was: what is
    in the store is not evaluated again. With --reason rows carry the `feedback` that was written.
    """
    cluster = cluster_settings(given)
    source = open_source(items, *(given[name] for name in ("mapping", "layout", "limit", "shard")))
    weights = load_weights(given["weights"]) if given["weights"] else None
    with open_judge(given, weights, cluster=cluster, force=given["force"]) as judge:
        with show.progress(source.count * len(judge.rubrics)) as progress:
            rows = JudgmentRows(details=given["per_layer"], flag=given["flag_injection"])
            result = score_file(judge, source.items, output, row=rows, progress=progress)
    show.summary(result)
    if given["flag_injection"]:
        click.echo(f"{rows.flagged} judgments are of responses with signs of injection (see `flagged`)", err=True)
    ctx.exit(1 if result.failed else 0)
