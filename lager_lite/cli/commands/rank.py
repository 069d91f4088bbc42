"""lager-lite rank"""

from __future__ import annotations

from typing import Any

import click

from ...data import write_rows
from ...errors import DataError
from ...evaluation import origin_of
from ...records import Item
from ...report import check_report, write_ranking
from ...scoring import WeightsFile
from ...tasks import (
    RANK_METHODS,
    Preferences,
    Responses,
    check_pairs,
    first_contests,
    preferences,
    rank,
    read_responses,
)
from ..grammar import command as cli_command
from ..options import (
    Given,
    chosen_rubrics,
    chosen_weights,
    folds_option,
    hold_out_option,
    items_options,
    json_option,
    judge_options,
    limit_option,
    open_judge,
    read_given,
    report_option,
    seed_option,
    weights_options,
)
from ..outputs import ROW_FILES, STDOUT, OutputFile
from ..show.progress import show_progress, show_stage
from ..show.terminal import present, show_evaluated, show_unjudged, warn
from ..show.uses import show_ranking


def _contests(data: str, given: Given) -> tuple[Item, ...]:
    """The items to rank; what is wrong in the options is said before a model loads."""
    if given["by"] == "tuned" and not given["weights"]:
        raise click.UsageError("--by tuned needs weights: give -w")
    items = first_contests(read_given(data, given), given["limit"])
    rubric, *_ = chosen_rubrics(given)
    if given["hold_out"] and not given["folds"]:
        raise click.UsageError("--hold-out is about weights that are fitted in folds: give --cv")
    if given["folds"] or given["json_file"] or given["report"]:
        if not any(item.human for item in items):
            raise click.UsageError("--cv, --json and --report need responses that people graded, and there are none")
        check_pairs(items, rubric.name, given["folds"], given["hold_out"])
    if given["report"]:
        check_report()
    return tuple(items)


@cli_command("rank", example="lager-lite rank responses.jsonl -r helpfulness -o ranks.jsonl")
@click.argument("data", metavar="DATA")
@click.option(
    "--by",
    type=click.Choice(RANK_METHODS),
    help="Method that orders the responses.  [default: tuned with -w, else e_score]",
)
@click.option(
    "-o",
    "--output",
    type=OutputFile(ROW_FILES, stdout=True),
    help="Write the ranks to this JSONL or CSV file; - is stdout, the default without graded responses.",
)
@limit_option("instructions")
@items_options
@weights_options
@folds_option(None, "Also fit weights on the pairs, cross-validated in this many folds.")
@hold_out_option(
    "With --cv: field of which the weights have seen the value of neither response, for instance the system."
)
@seed_option
@judge_options
@json_option
@report_option
def command(data: str, **given: Any) -> None:
    """Order the responses to each instruction of DATA, best first.

    The responses to compare are rows with the same instruction (and source and group), or a row's list `responses`,
    or its `chosen` and `rejected`. Where people graded them, the table says how often the better of two comes first;
    ties count as half. --cv fits weights to the pairs: the best response to an instruction counts as the top label,
    the worst as the bottom one, and groups are never split. With --hold-out both responses of a pair are scored by
    weights that have seen neither of their systems; this needs four systems or more. A response that cannot be judged is named and has no
    rank; the exit code is then 1.
    """
    items = _contests(data, given)
    weights = chosen_weights(given)
    with (
        open_judge(given, weights, force=given["force"]) as judge,
        show_progress(len(items) * len(judge.rubrics)) as progress,
    ):
        responses = read_responses(judge, items, progress)
        show_evaluated(judge.counts)
        show_unjudged([DataError(f"{one.where}: item {one.id}: {one.error}") for one in responses.failed])
        origin, doubts = origin_of(judge, data, weights=given["weights"]), judge.doubts()
    with show_stage("comparing the methods"):
        result, doubts = _figures(responses, weights, given, doubts)
    if given["output"] or result is None:
        write_rows(given["output"] or STDOUT, rank(responses, given["by"]))
    if result is None:
        warn(doubts)  # Grades would show what the scores are worth.
        click.get_current_context().exit(1 if responses.failed else 0)
    present(given["json_file"], result.to_dict, lambda: show_ranking(result, err=given["output"] == STDOUT))
    warn(result.warnings)
    if given["report"]:
        write_ranking(given["report"], result, origin)
    click.get_current_context().exit(1 if responses.failed else 0)


def _figures(
    responses: Responses, weights: WeightsFile | None, given: Given, doubts: tuple[str, ...]
) -> tuple[Preferences | None, tuple[str, ...]]:
    """How well the order agrees with people, and what to say where nothing shows that: there are rows all the same."""
    fit = weights.provenance.fit if weights else None
    try:
        how = {name: given[name] for name in ("folds", "hold_out", "seed")}
        return preferences(responses, fit=fit, **how), doubts
    except DataError as error:
        if given["json_file"] or given["report"] or given["folds"]:
            raise
        return None, (error.message,)
