"""lager-lite select"""

from __future__ import annotations

from typing import Any

import click

from ...evaluation import origin_of
from ...report import check_report, selection_notes, write_selected
from ...tasks import COMBINE, CRITERIA, open_pool, score_pool, select, write_selection
from ..grammar import command as cli_command
from ..options import (
    RUBRIC_NUMBER,
    TOP,
    Given,
    check_shard,
    chosen_rubrics,
    fill_shard,
    items_options,
    json_option,
    judge_options,
    limit_option,
    mapped_keys,
    open_weighted,
    report_option,
    scale_labels,
    shard_option,
    weights_options,
)
from ..outputs import ROW_FILES, OutputFile
from ..show.progress import show_progress, show_stage
from ..show.terminal import present, show_summary, warn
from ..show.understood import show_understood, shown_fields
from ..show.uses import selection_rule, show_selection


def _side(given: Given) -> str | None:
    """The file of the scores, None where nothing is written."""
    unnamed = f"{given['output']}.scores.jsonl" if given["output"] else None
    return given["side"] or unnamed


_KEPT = OutputFile((".json", ".jsonl", ".ndjson"))
_SIDE = OutputFile(ROW_FILES, unnamed=_side)


def _shares(pairs: tuple[tuple[str, float], ...], names: list[str], combine: str) -> list[float] | None:
    """The shares of all rubrics, in their order, from `--share RUBRIC=NUMBER`."""
    if (combine == "weights") != bool(pairs):
        raise click.UsageError("--combine weights and --share RUBRIC=NUMBER belong together")
    if not pairs:
        return None
    given = dict(pairs)
    if set(given) - set(names) or not 0 < sum(given.values()) < float("inf") or min(given.values()) < 0:
        name, number = pairs[0]
        raise click.UsageError(
            f"--share {name}={number:g}: name rubrics of this run ({', '.join(names)}) with numbers from 0, not all 0"
        )
    return [given.get(name, 0.0) for name in names]


def _checked(given: Given) -> list[float] | None:
    """The shares of the rubrics; what is wrong in the options is said before a model loads."""
    check_shard(given, ("top", "min_score", "output", "side", "json_file", "report", "share"))
    if given["shard"]:
        return None
    if (given["top"] is None) == (given["min_score"] is None):
        raise click.UsageError("give either --top or --min-score")
    if not given["output"]:
        raise click.UsageError("Missing option '-o' / '--output'.")
    if given["report"]:
        check_report()
    return _shares(given["share"], [rubric.name for rubric in chosen_rubrics(given)], given["combine"])


@cli_command("select", example="lager-lite select alpaca.json --top 0.1 -o best.json")
@click.argument("data", metavar="DATA")
@click.option("--top", type=TOP, help="Keep this many rows (1000), or this share of all rows (0.1 or 10%).")
@click.option("--min-score", type=float, help="Keep the rows whose combined score is at least this high.")
@click.option(
    "--combine",
    type=click.Choice(COMBINE),
    default="mean",
    show_default=True,
    help="How the scores of several rubrics become one.",
)
@click.option(
    "--share",
    multiple=True,
    type=RUBRIC_NUMBER,
    help="With --combine weights: how much this rubric counts. Rubrics that are not named count 0. May be repeated.",
)
@click.option(
    "--dedupe",
    is_flag=True,
    help="Leave out a row whose text occurred before, whatever its case, spacing and (if it is long) punctuation.",
)
@click.option("-o", "--output", type=_KEPT, help="Write the kept rows to this file.  [required, unless --shard]")
@click.option(
    "--scores", "side", type=_SIDE, help="Write the scores of all rows to this file.  [default: OUTPUT.scores.jsonl]"
)
@limit_option("rows")
@items_options
@shard_option
@weights_options
@judge_options
@json_option
@report_option
def command(data: str, **given: Any) -> None:
    """Keep the best rows of a training set (Alpaca, messages or ShareGPT, prompt and response).

    DATA is a JSON list or JSON Lines. Kept rows are copied unchanged, in their order. Without -r, the seven criteria
    for data selection are judged (see `rubrics list`). A run that was stopped resumes where it stopped, because what
    is in the store is not evaluated again. --shard only reads a part into the store; merge the stores with
    `store merge`, then run the same command without --shard.
    """
    given["rubrics"] = given["rubrics"] or tuple(CRITERIA)
    shares = _checked(given)
    how = {name: given[name] for name in ("limit", "dedupe", "encoding", "ignore", "keep_thoughts")}
    with show_stage(f"reading {data}"):
        pool = open_pool(
            data, mapped_keys(given), given["layout"], labels=scale_labels(given), need_scores=False, **how
        )
    show_understood(pool.understood, shown_fields(chosen_rubrics(given)))
    if given["shard"]:
        return fill_shard(given, tuple(pool.items), [open_weighted(given)])
    with open_weighted(given) as judge, show_progress(pool.judged * len(judge.rubrics)) as progress:
        scores = score_pool(judge, pool, progress)
        origin = origin_of(judge, data, weights=given["weights"])
    rule = {name: given[name] for name in ("top", "min_score", "combine")}
    with show_stage("writing the rows"):
        found = select(pool, scores, shares=shares, **rule)
        write_selection(pool, scores, found, given["output"], str(_side(given)))
    show_summary(scores.summary)
    present(given["json_file"], found.to_dict, lambda: show_selection(found))
    warn(selection_notes(found))
    if given["report"]:
        write_selected(given["report"], found, scores, origin, selection_rule(given))
    click.get_current_context().exit(1 if found.failed else 0)
