"""lager-lite prompt"""

from __future__ import annotations

from typing import Any

import click

from ..grammar import command as cli_command
from ..options import items_options, judge_options, limit_option, open_judge, read_given
from ..show.prompts import show_prompt


@cli_command("prompt", example="lager-lite prompt items.jsonl -r helpfulness")
@click.argument("items", metavar="ITEMS")
@limit_option(default=1)
@items_options
@judge_options
def command(items: str, **given: Any) -> None:
    """Show the prompts of the first items: their text, token counts, untrusted parts and score tokens.

    Untrusted parts (everything that comes from the item) stand between ⟦ and ⟧. They are tokenized without control
    tokens, so that a response cannot end its turn and write its own score.
    """
    chosen = read_given(items, given, limit=given["limit"])
    with open_judge(given) as judge:
        for item in chosen:
            for rubric in judge.rubrics:
                show_prompt(judge, item, rubric)
