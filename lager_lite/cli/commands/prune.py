"""lager-lite prune"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from ...backbones import locate_model
from ...performance import prune_for
from ...scoring import load_weights
from ..grammar import command as cli_command
from ..options import WEIGHTS, backend_options, backend_settings, json_option
from ..outputs import OutputFile
from ..show.progress import show_stage
from ..show.speed import show_pruned
from ..show.terminal import present


@cli_command("prune", example="lager-lite prune -w weights.json -o judge.gguf")
@click.option("-w", "--weights", required=True, type=WEIGHTS, help="Weights that do not need every state.")
@click.option("-o", "--output", required=True, type=OutputFile((".gguf",)), help="Write to this GGUF file.")
@click.option("--force", is_flag=True, help="Allow weights of another backbone where they can work.")
@backend_options
@json_option
def command(weights: str, output: str, force: bool, json_file: str | None, **given: Any) -> None:
    """Write a copy of the model without the upper blocks that the weights never read.

    The copy judges with these weights, or with any that read no more states. It gives the same scores and needs less
    disk space and memory. It cannot write text, and its judgments have neither `direct` nor `e_score`.
    """
    model = locate_model(given["model"]).path
    with show_stage("writing the copy"):
        found = prune_for(model, load_weights(weights), output, backend_settings(given), force=force)
    present(json_file, lambda: {**asdict(found), "path": str(found.path)}, lambda: show_pruned(found))
