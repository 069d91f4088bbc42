"""lager-lite estimate"""

from __future__ import annotations

from typing import Any

import click

from ...fitting import check_human_scores
from ...tasks import estimate_mean
from ..grammar import command as cli_command
from ..options import (
    chosen_rubrics,
    chosen_weights,
    items_options,
    json_option,
    judge_options,
    limit_option,
    open_judge,
    read_given,
    read_labelled,
    weights_options,
)
from ..show.progress import show_progress
from ..show.terminal import present, warn
from ..show.uses import show_estimated


@cli_command("estimate", example="lager-lite estimate labelled.jsonl answers.jsonl -r helpfulness -w w.json")
@click.argument("labelled", metavar="LABELLED")
@click.argument("items", metavar="ITEMS")
@limit_option()
@items_options
@weights_options
@judge_options
@json_option
def command(labelled: str, items: str, **given: Any) -> None:
    """Estimate the mean score that people would give to ITEMS, from the scores of LABELLED.

    The mean of the judgments is corrected by how far people's scores lie from the judgments of the same items
    (prediction-powered inference). LABELLED must be drawn like ITEMS. Labels that the weights of -w were fitted on
    are left out. The interval is a 95% interval; errors within a group count as one.
    """
    people = read_labelled(labelled, {**given, "group": None, "limit": None})
    check_human_scores(people, chosen_rubrics(given))
    others = read_given(items, given, limit=given["limit"])
    weights = chosen_weights(given)
    with open_judge(given, weights, force=given["force"]) as judge:
        with show_progress((len(people) + len(others)) * len(judge.rubrics), "estimating") as progress:
            fit = weights.provenance.fit if weights else None
            found = estimate_mean(judge, people, others, fit=fit, progress=progress)
    warn(found.warnings)
    present(given["json_file"], found.to_dict, lambda: show_estimated(found))
