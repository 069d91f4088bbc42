"""lager-lite view"""

from __future__ import annotations

from typing import Any

import click

from ...data import counted
from ...prompts import Rubric
from ...records import Item
from ...report import LARGE, view_path, write_view
from ...tasks import open_view
from ..grammar import command as cli_command
from ..options import (
    Given,
    chosen_rubrics,
    items_options,
    limit_option,
    option_name,
    read_given,
    scale_option,
    unit_option,
)
from ..outputs import STDOUT, OutputFile
from ..show.progress import say
from ..show.terminal import warn


def _rubrics(given: Given) -> list[Rubric]:
    if given["scale"] and not given["named"]:
        raise click.UsageError("--scale puts the rubrics of -r on another scale: give -r too")
    return chosen_rubrics({**given, "rubrics": given["named"]}) if given["named"] else []


def _items(scores: str, items: str | None, given: Given) -> tuple[Item, ...] | None:
    """The items of ITEMS, None without it; what the options say of ITEMS needs it."""
    if items is None:
        about = [name for name in ("mapping", "ignore", "layout", "encoding", "keep_thoughts") if given[name]]
        if about:
            option = {"mapping": "--map"}.get(about[0], option_name(about[0]))
            raise click.UsageError(f"{option} is about ITEMS: give ITEMS too")
        return None
    if scores == items == STDOUT:
        raise click.UsageError("SCORES and ITEMS cannot both come from stdin: give one of them as a file")
    named = {"rubrics": given["named"]} if given["named"] else {}
    return read_given(items, {**given, **named}, require=(), need_scores=False)


@cli_command("view", example="lager-lite view scores.jsonl answers.jsonl -o view.html")
@click.argument("scores", metavar="SCORES")
@click.argument("items", metavar="[ITEMS]", required=False)
@click.option(
    "-o",
    "--output",
    type=OutputFile((".html", ".htm"), unnamed=lambda params: view_path(params["scores"])),
    help="Write the page to this file.  [default: SCORES with the ending .view.html]",
)
@click.option(
    "-r",
    "--rubric",
    "named",
    multiple=True,
    metavar="RUBRIC",
    help="Name or TOML file of a rubric of SCORES. The page takes its question and the worth of its labels from it. "
    "May be repeated. Shipped rubrics are found by their names.",
)
@scale_option
@limit_option()
@items_options
@unit_option
def command(scores: str, items: str | None, **given: Any) -> None:
    """Write an HTML page to look through SCORES, an output of `score`, and to label the items by hand.

    The page is one file that works without a network and makes no request. It lists the judgments, which can be
    sorted, filtered and searched, and shows each with its texts, its distribution over the labels and, where `score`
    had --per-layer, its layers. The texts and the human scores are those of ITEMS, the file that was scored, joined
    by id; without it, those that `score --keep` wrote. Labels are given without seeing the judge's scores, stay in
    the browser, and are downloaded as rows that `fit` and `eval` read.
    """
    read, rubrics = _items(scores, items, given), _rubrics(given)
    view = open_view(scores, read, rubrics=rubrics, limit=given["limit"], unit=given["unit"])
    warn(view.warnings)
    path = given["output"] or view_path(scores)
    size = write_view(path, view)
    if size > LARGE:
        warn([f"the page has {size / 1e6:.0f} MB, which a browser opens slowly: -n N takes the first N items"])
    judged = f"{counted(len(view.judgments), 'judgment')} of {counted(len({one.id for one in view.judgments}), 'item')}"
    say(f"{judged}, {counted(len(view.items), 'item')} with texts, written to {path}")
