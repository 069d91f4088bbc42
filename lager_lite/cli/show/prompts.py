"""Prompts as the judge reads them."""

from __future__ import annotations

import click

from ...data import counted
from ...errors import PromptError
from ...judging import Judge, tokenize_prompt
from ...prompts import Rubric, describe_scale
from ...records import Item


def show_prompt(judge: Judge, item: Item, rubric: Rubric) -> None:
    """Print the prompt of one item under one rubric, untrusted parts marked, with its tokens and score tokens.

    Raises PromptError where the item cannot be judged.
    """
    labels = judge.labels[rubric.name]
    prompt = judge.rendered(item, rubric)
    task = judge.encode(item, rubric)
    if task.error is not None:
        raise PromptError(task.error)
    tokens = tokenize_prompt(judge.backbone, prompt, labels.lead)
    click.echo(f"=== item {item.id}, rubric {rubric.name}, scale {describe_scale(rubric.scale)}")
    for segment in prompt.segments:
        click.echo(segment.text if segment.trusted else f"⟦{segment.text}⟧", nl=False)
    click.echo(f"{prompt.lead}▮")
    click.echo(
        f"--- {counted(len(tokens.tokens), 'token')}, {int(tokens.untrusted.sum())} of them untrusted (between ⟦ and ⟧)"
    )
    if task.item.flags:
        click.echo(f"--- {', '.join(task.item.flags)}")
    pairs = ", ".join(f"{label!r}={i}" for label, i in zip(rubric.scale.labels, labels.ids))
    click.echo(f"--- score tokens at ▮: {pairs}")
