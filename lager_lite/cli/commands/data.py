"""lager-lite data"""

from __future__ import annotations

from typing import Any

import click

from ...backbones import locate_model, parts_of_model
from ...data import check_file, convert, counted, read_items
from ...prompts import resolve_chat
from ..grammar import group
from ..options import (
    chat_options,
    chat_settings,
    chosen_rubrics,
    items_options,
    json_option,
    mapped_keys,
    output_option,
    quiet_option,
    rubric_option,
    scale_labels,
    scale_option,
    table_options,
    unit_option,
)
from ..outputs import NamedFile
from ..show.progress import say, show_stage
from ..show.terminal import present
from ..show.understood import checked_document, show_checked, show_understood

_EXAMPLE = "lager-lite data convert judge_bench.json -o items.jsonl"


@group("data", example=_EXAMPLE)
def command() -> None:
    """Check files of items, and convert those of public layouts."""


@command.command("convert", example=_EXAMPLE)
@click.argument("source", metavar="FILE")
@output_option
@rubric_option
@scale_option
@table_options
@quiet_option
def convert_(source: str, output: str, **given: Any) -> None:
    """Write the items of FILE as rows with the keys of lager-lite: id, fields, score(s), group.

    Scores that are labels, such as PASS, become the numbers that the rubric (-r) or --scale gives them.
    """
    how = {name: given[name] for name in ("layout", "encoding", "ignore")}
    with show_stage(f"reading {source}"):
        dataset = read_items(source, mapping=mapped_keys(given), labels=scale_labels(given), keep_thoughts=True, **how)
    if dataset.understood:
        show_understood(dataset.understood)
    say(f"{counted(convert(dataset, output), 'row')} written")


@command.command("check", example="lager-lite data check items.jsonl -r helpfulness")
@click.argument("source", metavar="FILE")
@items_options
@unit_option
@rubric_option
@scale_option
@chat_options
@click.option(
    "-m",
    "--model",
    type=NamedFile(lambda name: parts_of_model(locate_model(name).path)),
    help="Show the prompt in the chat template of this model. By default it is shown as plain text.",
)
@json_option
def check(source: str, json_file: str | None, **given: Any) -> None:
    """Show how FILE is read, what is odd about it, and the first item as the judge reads it.

    Every field stands with the key that it was taken from. Repeated responses, for instance, are odd, and so
    are scores that never differ, and fields that look like another. No model is needed. Texts of the item stand between
    ⟦ and ⟧, and ▮ marks where the score is read. The exit code is 1 where rows cannot be judged.
    """
    rubrics = chosen_rubrics(given)
    if given["model"]:
        chat = chat_settings(given, str(locate_model(given["model"]).path))
    else:
        chat = resolve_chat(None, text=given["chat_template"], file=given["chat_template_file"])
    how = {name: given[name] for name in ("layout", "encoding", "ignore", "keep_thoughts", "unit")}
    checked = check_file(source, mapped_keys(given), rubrics=rubrics, labels=scale_labels(given), **how)
    present(
        json_file,
        lambda: checked_document(checked, rubrics, chat),
        lambda: show_checked(checked, rubrics, chat),
    )
    click.get_current_context().exit(1 if checked.errors else 0)
