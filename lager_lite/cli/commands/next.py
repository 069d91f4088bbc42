"""lager-lite next"""

from __future__ import annotations

import json
from typing import Any

import click

from ...tasks import next_rows
from ..grammar import command as cli_command
from ..options import (
    items_options,
    judge_options,
    keep_states_option,
    limit_option,
    open_judge,
    read_given,
)
from ..show.progress import show_progress


@cli_command("next", example="lager-lite next labelled.jsonl answers.jsonl -n 20")
@click.argument("labelled", metavar="LABELLED")
@click.argument("unlabelled", metavar="UNLABELLED")
@limit_option("Name N rows.", default=20)
@items_options
@keep_states_option
@judge_options
def command(labelled: str, unlabelled: str, **given: Any) -> None:
    """Name the rows of UNLABELLED that are most worth labelling, where LABELLED has labels already.

    A row is worth its label where its hidden states are like those of many other rows, and unlike those of the labelled
    ones. Each line has the row's id, and `left`: the share of the variance of all predictions that is left once it and
    the rows above it are labelled.
    """
    known, rest = (read_given(path, {**given, "limit": None}, limit=None) for path in (labelled, unlabelled))
    with open_judge(given, states="keep" if given["keep_states"] else True) as judge:
        with show_progress((len(known) + len(rest)) * len(judge.rubrics), "choosing the rows") as progress:
            found = next_rows(judge, known, rest, given["limit"], progress)
    for item, left in zip(found.items, found.left):
        click.echo(json.dumps({"id": item.id, "left": round(left, 4)}))
