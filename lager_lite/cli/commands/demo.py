"""lager-lite demo"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

import click

from ...data import load_demo
from ...judging import judgment_row, ordering, score_items
from ...scoring import shipped_weights
from .. import show
from ..options import judge_options, open_judge

# The legacy kinds for which llama.cpp has no repacked kernels on any CPU.
SLOW = ("Q4_1", "Q5_0", "Q5_1")
_MEANING = {
    "direct": "the last layer's most likely score",
    "e_score": "the last layer's expected score",
    "uniform": "all layers, equal weights",
    "tuned": "all layers, fitted weights",
}


@click.command("demo")
@judge_options
@click.option("--json", "as_json", is_flag=True)
def command(as_json: bool, **given: Any) -> None:
    """Score 50 summaries of 10 texts, each text with five summaries of constructed quality.

    The summaries were written for this project, and their grades are what they were written for,
    nobody's judgment.
    """
    start = time.monotonic()
    dataset = load_demo()
    given["rubrics"] = given["rubrics"] or ("faithfulness",)
    with open_judge(given) as judge:
        click.echo(f"{dataset.message}\nmodel: {judge.info.name}, {judge.info.quantization}", err=True)
        slow = judge.info.quantization in SLOW and not judge.backbone.gpu_layers
        weights = shipped_weights(judge.provenance())
        if weights:
            judge.use_weights(weights)
        with show.progress(len(dataset.items)) as progress:
            judgments, result = score_items(judge, dataset.items, progress)
    found = ordering(dataset.items, judgments, weights is not None)
    if as_json:
        click.echo(json.dumps({**asdict(found), "judgments": [judgment_row(j) for j in judgments]}))
        return
    click.echo(
        f"\nHow often the better of two summaries of one text gets the higher score ({found.pairs} pairs; chance 50%):\n"
    )
    rows = [(name, _MEANING[name], f"{share:.0%}") for name, share in found.right.items()]
    click.echo(show.table(("method", "what it reads", "right"), rows))
    first = [(i, j) for i, j in zip(dataset.items, judgments) if i.group == dataset.items[0].group]
    click.echo("\nThe summaries of the first text, best first:\n")
    ranked = sorted(first, key=lambda pair: -pair[0].human[""][0])
    rows = [(i.fields["response"][:60].replace("\n", " "), f"{i.human[''][0]:g}", f"{j.score:.2f}") for i, j in ranked]
    click.echo(show.table(("summary", "written as", "score"), rows))
    evaluated = result.counts.evaluated_tokens
    click.echo(
        f"\n{len(judgments)} judgments in {time.monotonic() - start:.1f} s, loading included; "
        f"{evaluated} of {result.counts.prompt_tokens} prompt tokens evaluated, the rest was shared or stored."
    )
    if slow:
        click.echo(
            f"Files of kind {judge.info.quantization} are slow on many CPUs: `lager-lite models tune` measures others here, "
            "and keeps the fastest with --apply."
        )
