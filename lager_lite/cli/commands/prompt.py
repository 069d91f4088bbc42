"""lager-lite prompt"""

from __future__ import annotations

from typing import Any

import click

from ...errors import PromptError
from ..grammar import command as cli_command
from ..options import items_options, judge_options, limit_option, open_judge, read_given, unit_option
from ..show.prompts import show_prompt
from ..show.terminal import show_unjudged


@cli_command("prompt", example="lager-lite prompt items.jsonl -r helpfulness")
@click.argument("items", metavar="ITEMS")
@limit_option("Show the prompts of the first N items that can be judged.", default=1)
@items_options
@unit_option
@judge_options
def command(items: str, **given: Any) -> None:
    """Show the prompts of the first items: their text, token counts, untrusted parts and score tokens.

    Untrusted parts (everything that comes from the item) stand between ⟦ and ⟧. They are tokenized without control
    tokens, so that a response cannot end its turn and write its own score. An item that `score` would refuse is named
    on stderr and passed over; the exit code is then 1.
    """
    chosen = read_given(items, given, need_scores=False)
    shown, problems = 0, list[PromptError]()
    with open_judge(given) as judge:
        for item in chosen:
            if shown == given["limit"]:
                break
            try:
                for rubric in judge.rubrics:
                    show_prompt(judge, item, rubric)
                shown += 1
            except PromptError as error:
                problems.append(
                    PromptError(f"{item.where}: item {item.id} ({rubric.name}): {error.message}", error.hint)
                )
    show_unjudged(problems)
    click.get_current_context().exit(1 if problems else 0)
