"""lager-lite promptfoo"""

from __future__ import annotations

import json
from typing import Any

import click

from ...adapters import grade
from ..grammar import command as cli_command
from ..options import judge_options_with, open_weighted, weights_options


@cli_command(
    "promptfoo",
    example="""lager-lite promptfoo -r helpfulness -- 'prompt' '{}' '{"vars": {"output": "Plums.", "rubric": "helpfulness"}}'""",
)
@click.argument("prompt")
@click.argument("options")
@click.argument("context")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Least share of the scale that passes: 0 is its lowest score, 1 its highest.",
)
@weights_options
@judge_options_with("default", repeat=False)
def command(prompt: str, options: str, context: str, threshold: float, **given: Any) -> None:
    """Grade one output for promptfoo, as the provider `exec: lager-lite promptfoo --` of an llm-rubric assertion.

    promptfoo calls it with three arguments, of which the CONTEXT holds the output and the rubric. The rubric is the
    name of one, or a criterion in words. The answer on stdout is JSON with `pass`, `score` from 0 to 1, and `reason`.
    """
    with open_weighted(given) as judge:
        click.echo(json.dumps(grade(judge, context, threshold=threshold), allow_nan=False))
