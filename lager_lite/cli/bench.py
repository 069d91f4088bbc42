"""lager-lite bench"""

from __future__ import annotations

import json
from typing import Any

import click

from ..bench import tap_cost
from ..gguf_file import open_model
from ..llama.runtime import Backbone
from ..locate import locate_model
from . import show
from .options import backend_options, backend_settings


@click.command("bench")
@backend_options
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--tokens", type=click.IntRange(65), default=512, show_default=True, help="Length of the prompt.")
@click.option("--json", "as_json", is_flag=True)
def command(rounds: int, tokens: int, as_json: bool, **given: Any) -> None:
    """Measure what reading all states costs, and what stopping early saves, on this machine."""
    path = locate_model(given["model"]).path
    info = open_model(path).info
    with Backbone(path, backend_settings(given)) as backbone:
        cost = tap_cost(backbone, tokens=tokens, rounds=rounds)
    if as_json:
        click.echo(json.dumps({"model": path.name, "quantization": info.quantization, **cost.row()}))
        return
    click.echo(f"{path.name}, {info.quantization}, {cost.tokens} tokens, medians of {cost.rounds} rounds")
    rows = [
        ("prefill, tokens/s", f"{cost.prefill_plain:.1f}", f"{cost.prefill_tapped:.1f}", f"{cost.prefill_ratio:.3f}"),
        ("one-token decode, tokens/s", f"{cost.decode_plain:.1f}", f"{cost.decode_tapped:.1f}", f"{cost.decode_ratio:.3f}"),
    ]
    rows += [(f"stop after block {name}, share of the time", "", "", f"{ratio:.3f}") for name, ratio in cost.early.items()]
    click.echo(show.table(("", "plain", "callback tap", "ratio"), rows))
