"""lager-lite models tune"""

from __future__ import annotations

import json
from typing import Any

import click

from ...backbones import locate_model
from ...data import load_demo
from ...performance import QUANTIZATIONS, Tuning, tune
from ...prompts import load_rubric
from ...system import copies_folder
from .. import show
from ..options import backend_options, backend_settings


def _show(found: Tuning) -> None:
    head = ("quantization", "MB", "tokens/s", "speed", "state drift", "layer drift", "uniform drift")
    rows = [
        (
            c.kind,
            f"{c.bytes / 1e6:.0f}",
            f"{c.tokens_per_second:.0f}",
            f"{c.ratio:.2f}",
            f"{c.state_drift:.1e}",
            f"{c.layer_drift:.3f}",
            f"{c.uniform_drift:.3f}",
        )
        for c in found.candidates
        if c.error is None
    ]
    click.echo(f"{found.model}, {found.prompts} prompts; speed and drift against the file as it is (first row)\n")
    click.echo(show.table(head, rows))
    for candidate in found.candidates:
        if candidate.error:
            click.echo(f"Warning: {candidate.error}", err=True)
    best = found.fastest
    click.echo(f"\nfastest here: {best.kind}, {best.ratio:.2f} of the file as it is")
    if found.kept:
        click.echo(
            f"kept as {found.kept}\nuse it with -m, or LAGER_LITE_MODEL; weights fitted on the source need --force, or a new fit"
        )


@click.command("tune")
@backend_options
@click.option(
    "--kind", "kinds", multiple=True, help=f"Quantization to try; repeat. [default: {', '.join(QUANTIZATIONS)}]"
)
@click.option("-n", "--limit", type=click.IntRange(2), default=20, show_default=True, help="Prompts of the demo set.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--apply", "apply_", is_flag=True, help="Keep the fastest copy in the cache folder.")
@click.option("--json", "as_json", is_flag=True)
def command(limit: int, rounds: int, apply_: bool, as_json: bool, **given: Any) -> None:
    """Measure the model as it is and re-quantized, on this machine.

    Speed is that of judging, states read; drift is what the quantization changes: states (relative),
    expected scores of single layers and of equal weights (points).
    """
    path = locate_model(given["model"]).path
    found = tune(
        path,
        load_rubric("faithfulness"),
        load_demo().items[:limit],
        kinds=given["kinds"] or QUANTIZATIONS,
        options=backend_settings(given),
        rounds=rounds,
        keep=copies_folder() if apply_ else None,
        progress=lambda text: click.echo(text, err=True),
    )
    if as_json:
        click.echo(json.dumps(found.to_dict()))
        return
    _show(found)
