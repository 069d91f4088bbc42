"""lager-lite score"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from ...data import counted
from ...judging import Judge, JudgmentRows, Panel, score_file
from ...scaleout import Cluster
from ..grammar import command as cli_command
from ..options import (
    Given,
    check_panel_options,
    chosen_weights,
    cluster_options,
    cluster_settings,
    is_panel,
    items_options,
    limit_option,
    open_given,
    open_judge,
    output_option,
    panel_of,
    panel_options,
    panel_weights,
    reason_options,
    seed_option,
    shard_option,
    unit_option,
    weights_options,
)
from ..show.progress import say, show_progress
from ..show.terminal import show_summary


def _opened(given: Given, cluster: Cluster | None) -> AbstractContextManager[Judge | Panel]:
    """The judge, or the panel where there are several models."""
    if not is_panel(given):
        return open_judge(given, chosen_weights(given), cluster=cluster, force=given["force"])
    panel = panel_of(given, panel_weights(given))
    if panel.weights is None:
        say("no weights (-w): the score is the mean of the members' e_scores")
    return nullcontext(panel)


def _both_tables(items: str, output: str) -> bool:
    return all(Path(name.lower().removesuffix(".gz")).suffix in (".csv", ".tsv") for name in (items, output))


@cli_command("score", example="lager-lite score items.jsonl -r helpfulness -o scores.jsonl")
@click.argument("items", metavar="ITEMS")
@output_option
@click.option(
    "--keep/--no-keep",
    default=None,
    help="Write the keys of ITEMS beside the scores. By default this is done where both files are tables (CSV, TSV).",
)
@click.option("--per-layer", is_flag=True, help="Add the expected score of every layer to each row.")
@click.option(
    "--flag-injection", is_flag=True, help="List among the `flags` how a response speaks to the judge, if it does."
)
@limit_option()
@items_options
@unit_option
@shard_option
@weights_options
@reason_options
@seed_option
@panel_options
@cluster_options
def command(items: str, output: str, **given: Any) -> None:
    """Score every item of ITEMS (JSONL, JSON, CSV, TSV or Parquet; - is stdin).

    Each item and rubric gives one row: the score, its probabilities, the baselines direct, e_score and uniform, and
    the probability mass that the labels hold. A run that was stopped resumes where it stopped, because what is in
    the store is not evaluated again. With --reason, rows carry the `feedback` that was written.

    Several -m make a panel: each model reads in turn, and -w takes the weights that `fit` makes with the same models.
    Without weights the score is the mean of the members' e_scores. With --unit turn every row also has the mean, the
    lowest and the last score of its conversation's turns.
    """
    if is_panel(given):
        check_panel_options(given, ("per_layer", "ray", "workers"))
    cluster = cluster_settings(given)
    keep = _both_tables(items, output) if given["keep"] is None else given["keep"]
    source = open_given(items, given, with_rows=keep, need_scores=False)
    rows = JudgmentRows(details=given["per_layer"], injection=given["flag_injection"])
    with _opened(given, cluster) as judge:
        models = len(judge.models) if isinstance(judge, Panel) else 1
        with show_progress(source.count * len(judge.rubrics) * models, rows_to=output) as progress:
            result = score_file(judge, source.items, output, row=rows, progress=progress, unit=given["unit"])
    show_summary(result, flagged=True, models=models)
    if given["flag_injection"]:
        with_signs = f"{counted(rows.injected, 'judgment')} of responses with signs of injection (see `flags`)"
        say(with_signs)
    click.get_current_context().exit(1 if result.failed else 0)
