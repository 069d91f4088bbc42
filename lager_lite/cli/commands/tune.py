"""lager-lite models tune"""

from __future__ import annotations

from typing import Any

import click

from ...backbones import locate_model
from ...data import load_demo
from ...performance import QUANTIZATIONS, tune
from ...prompts import load_rubric
from ...system import copies_folder
from ..grammar import command as cli_command
from ..options import backend_options, backend_settings, json_option, limit_option
from ..show.progress import say, show_steps
from ..show.speed import show_tuning
from ..show.terminal import present


@cli_command("tune", example="lager-lite models tune --kind Q4_0 --kind BF16 -n 10")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help=f"Quantization to try. May be repeated.  [default: {', '.join(QUANTIZATIONS)}]",
)
@click.option(
    "--rounds", type=click.IntRange(1), default=3, show_default=True, help="How often each speed is measured."
)
@click.option("--apply", "apply_", is_flag=True, help="Keep the fastest copy in the cache folder.")
@limit_option("prompts of the demo set", at_least=2, default=20)
@backend_options
@json_option
def command(limit: int, rounds: int, apply_: bool, json_file: str | None, **given: Any) -> None:
    """Measure the model on this machine, as it is and re-quantized.

    Speed is the speed of judging, with all states read. Drift is what the quantization changes: the states (relative),
    and the expected scores of single layers and of equal weights (in points).
    """
    with show_steps("measuring") as progress:
        found = tune(
            locate_model(given["model"]).path,
            load_rubric("faithfulness"),
            load_demo().items[:limit],
            kinds=given["kinds"] or QUANTIZATIONS,
            options=backend_settings(given),
            rounds=rounds,
            keep=copies_folder() if apply_ else None,
            say=say,
            progress=progress,
        )
    present(json_file, found.to_dict, lambda: show_tuning(found))
