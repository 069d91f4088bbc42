"""lager-lite prune"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from ...backbones import locate_model
from ...performance import prune_for
from ...scoring import load_weights
from ..options import backend_options, backend_settings


@click.command("prune")
@backend_options
@click.option(
    "-w", "--weights", required=True, type=click.Path(dir_okay=False), help="Weights that need not every state."
)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="The GGUF file to write.")
@click.option("--force", is_flag=True, help="Use weights of another backbone where that can work.")
@click.option("--json", "as_json", is_flag=True)
def command(weights: str, output: str, force: bool, as_json: bool, **given: Any) -> None:
    """Write a copy of the model without the upper blocks that the weights never read.

    The copy judges with these weights, or with any that read as few states; it gives the same scores,
    and needs less disk and memory. It cannot write text, and has neither `direct` nor `e_score`.
    """
    model = locate_model(given["model"]).path
    found = prune_for(model, load_weights(weights), output, backend_settings(given), force=force)
    if as_json:
        click.echo(json.dumps(asdict(found), default=str))
        return
    click.echo(
        f"{found.path}: {found.blocks} of {found.whole_blocks} blocks, states 0 to {found.max_state}, checked bit by bit\n"
        f"{found.bytes_before / 1e6:.1f} MB before, {found.bytes_after / 1e6:.1f} MB after"
    )
