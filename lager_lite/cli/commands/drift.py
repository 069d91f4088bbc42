"""lager-lite drift"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ...backbones import locate_model
from ...llama import check_loads, gpu_layers, lack_of_asking, load
from ...performance import measure_drift
from ..grammar import command as cli_command
from ..options import (
    Given,
    backend_options,
    backend_settings,
    chosen_rubrics,
    json_option,
    limit_option,
    read_given,
    rubric_option,
    scale_option,
    table_options,
)
from ..show.progress import say, show_stage, show_steps
from ..show.speed import show_drift
from ..show.terminal import present


@cli_command("drift", example="lager-lite drift items.jsonl -r helpfulness -n 10")
@click.argument("items", metavar="ITEMS")
@limit_option(at_least=2, default=20)
@table_options
@rubric_option
@scale_option
@backend_options
@json_option
def command(items: str, json_file: str | None, **given: Any) -> None:
    """Measure how far the scores of ITEMS move with threads, batches, order and the other prompts of a batch.

    Every change is measured with the settings as given and with --exact, without a store. Scores may move more
    between machines, because other processors compute differently.
    """
    chosen = read_given(items, given, limit=given["limit"])
    model, options = locate_model(given["model"]).path, backend_settings(given)
    if given["guard"]:
        with show_stage(f"loading {model.name}"):
            check_loads(model, options)
    with show_steps("measuring") as progress:
        found = measure_drift(
            model,
            chosen_rubrics(given),
            chosen,
            options,
            settings=_settings(given, model),
            say=say,
            progress=progress,
        )
    present(json_file, found.to_dict, lambda: show_drift(found))


def _settings(given: Given, model: Path) -> Sequence[str]:
    """What is measured: --exact too, unless it was not asked for and has no room here for the copy that it reads."""
    if given["exact"]:
        return ("exact",)
    options = backend_settings({**given, "exact": True})
    if lack := lack_of_asking(load(), options, model, gpu_layers(load(), options.gpu_layers, model)):
        say(f"--exact: left out, since {lack}")
        return ("default",)
    return ("default", "exact")
