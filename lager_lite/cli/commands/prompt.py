"""lager-lite prompt"""

from __future__ import annotations

from typing import Any

import click

from ...data import read_items
from ...judging import tokenize_prompt
from ...prompts import describe_scale
from ..options import judge_options, open_judge
from .score import parse_map


@click.command("prompt")
@click.argument("items", metavar="ITEMS")
@judge_options
@click.option("-n", "--limit", type=click.IntRange(1), default=1, show_default=True, help="Show the first N items.")
@click.option("--map", "mapping", multiple=True, metavar="FIELD=KEY", help="Where a field stands in your rows.")
@click.option("--layout", help="Layout of the file. Default: detected.")
def command(items: str, limit: int, **given: Any) -> None:
    """Show the prompts of the first items: text, token counts, untrusted parts, score tokens.

    Untrusted parts (everything that comes from the item) stand between the marks and are tokenized
    without control tokens.
    """
    dataset = read_items(items, mapping=parse_map(given["mapping"]), layout=given["layout"])
    with open_judge(given) as judge:
        for item in dataset.items[:limit]:
            for rubric in judge.rubrics:
                labels = judge.labels[rubric.name]
                prompt = judge.rendered(item, rubric)
                tokens = tokenize_prompt(judge.backbone, prompt, labels.lead)
                click.echo(f"=== item {item.id}, rubric {rubric.name}, scale {describe_scale(rubric.scale)}")
                for segment in prompt.segments:
                    click.echo(segment.text if segment.trusted else f"⟦{segment.text}⟧", nl=False)
                click.echo(f"{prompt.lead}▮")
                click.echo(
                    f"--- {len(tokens.tokens)} tokens, {int(tokens.untrusted.sum())} of them untrusted (between ⟦ and ⟧)"
                )
                pairs = ", ".join(f"{label!r}={i}" for label, i in zip(rubric.scale.labels, labels.ids))
                click.echo(f"--- score tokens at ▮: {pairs}")
