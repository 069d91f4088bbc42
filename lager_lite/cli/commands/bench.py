"""lager-lite bench"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ...backbones import locate_model, open_model
from ...data import counted, load_demo
from ...errors import DataError
from ...judging import Judge, Reasoning
from ...llama import Backbone, gpu_layers, lack_of_asking, load
from ...performance import WritingCost, apart, check_peer, measure_peer, measure_workload, tap_cost, writing_cost
from ...records import Item
from ..grammar import command as cli_command
from ..options import (
    Given,
    backend_settings,
    items_options,
    json_option,
    judge_options,
    limit_option,
    open_judge,
    read_given,
)
from ..outputs import STDOUT
from ..show.progress import say, show_stage, show_steps
from ..show.speed import show_peers, show_tap_cost, show_workload, show_writing
from ..show.terminal import present

ALONE = 10  # items judged one by one as well
TEXT = 48  # tokens of feedback that --generate writes


def _check(given: Given, items: str | None) -> None:
    if items is None and (given["max_state"] is not None or given["peer"]):
        raise click.UsageError("--max-state and --peer need ITEMS")
    if given["generate"] and (given["max_state"] is not None or given["peer"] or given["limit"]):
        raise click.UsageError("--generate K measures writing alone: leave out --max-state, --peer and -n")
    if given["peer"]:
        check_peer()


def _prompts(judge: Judge, items: tuple[Item, ...]) -> list[Any]:
    """The tokens of every prompt that can be judged."""
    tasks = [judge.encode(item, rubric) for item in items for rubric in judge.rubrics]
    prompts = [task.prompt.tokens for task in tasks if task.prompt]
    if not prompts:
        raise DataError(f"none of {counted(len(items), 'item')} can be judged: {tasks[0].error}")
    return prompts


def _writing(given: Given, items: str | None) -> WritingCost:
    chosen = read_given(items, given) if items else load_demo().items
    with open_judge(given, reasoning=Reasoning(TEXT)) as judge, show_stage("writing feedback"):
        prompts = _prompts(judge, chosen)[: given["generate"]]
        return writing_cost(judge.backbone, prompts, most=TEXT, rounds=given["rounds"])


def _cost(given: Given, model: Path, shown: bool) -> dict[str, object]:
    quantization = open_model(model).info.quantization
    with show_stage(f"loading {model.name}"):
        opened = Backbone(model, backend_settings(given))
    with opened as backbone, show_steps("measuring the taps") as progress:
        cost = tap_cost(backbone, tokens=given["tokens"], rounds=given["rounds"], progress=progress)
    if shown:
        click.echo(
            f"{model.name}, {quantization}, {counted(cost.tokens, 'token')}, medians of {counted(cost.rounds, 'round')}"
        )
        show_tap_cost(cost)
    return {"model": model.name, "quantization": quantization, **cost.to_dict()}


def _work(given: Given, model: Path, items: str, shown: bool) -> dict[str, object]:
    """What judging the items costs. Each part is shown at once: the next one may take as long again, or fail."""
    chosen = read_given(items, given, limit=given["limit"])
    with open_judge(given) as judge:
        with show_stage(f"judging {counted(len(chosen), 'item')}"):
            found = measure_workload(judge, chosen, max_state=given["max_state"], alone=ALONE)
        if shown:
            show_workload(found)
        prompts = _prompts(judge, chosen) if given["peer"] else []
    exact = None if given["exact"] else _exactly(given, model, chosen[:ALONE], shown)
    with show_stage("measuring transformers"):
        times = measure_peer(model, prompts) if given["peer"] else None
    if shown and times:
        show_peers(times, found)
    return {"workload": found.to_dict(), "exact_difference": exact, "peer": times and times.to_dict()}


def _exactly(given: Given, model: Path, chosen: tuple[Item, ...], shown: bool) -> float | None:
    """How far scores lie apart with --exact; None where it cannot be had for less than was asked for."""
    exactly = {**given, "exact": True}
    options = backend_settings(exactly)
    if lack := lack_of_asking(load(), options, model, gpu_layers(load(), options.gpu_layers, model)):
        say(f"the same with --exact: left out, since {lack}")
        return None
    with open_judge(exactly) as judge, show_stage("judging some of them with --exact"):
        found = apart(judge, chosen)
    if shown:
        click.echo(f"the same with --exact: {found:.2g} points")
    return found


@cli_command("bench", example="lager-lite bench items.jsonl -n 50")
@click.argument("items", metavar="[ITEMS]", required=False)
@click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="How often each speed is measured."
)
@click.option("--tokens", type=click.IntRange(65), default=512, show_default=True, help="Length of the prompt.")
@click.option("--max-state", type=click.IntRange(0), help="Judge ITEMS a second time, stopping after this state.")
@click.option(
    "--generate", type=click.IntRange(1), metavar="K", help="Only measure how fast feedback for K judgments is written."
)
@click.option(
    "--peer", type=click.Choice(["transformers"]), help="Compare with transformers on a sample (extra parity)."
)
@limit_option()
@items_options
@judge_options
@json_option
def command(items: str | None, json_file: str | None, **given: Any) -> None:
    """Measure what reading all states costs and what stopping early saves, on this machine.

    With ITEMS (any file that `score` takes), also measure how fast they are judged: against plain prefill, which is
    the most that this machine can do, and with --peer against transformers. With --generate K, only measure how fast
    feedback is written for K judgments together and one at a time, by default of the demo set. The store is not used.
    """
    _check(given, items)
    given["no_store"], given["store_path"] = True, None
    if given["generate"]:
        writing = _writing(given, items)
        return present(json_file, writing.to_dict, lambda: show_writing(writing))
    model = locate_model(given["model"]).path
    shown = json_file != STDOUT
    nothing: Mapping[str, object] = {"workload": None, "exact_difference": None, "peer": None}
    measured = {**_cost(given, model, shown), **(nothing if items is None else _work(given, model, items, shown))}
    present(json_file, lambda: measured)
