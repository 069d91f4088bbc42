"""lager-lite demo"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from ...data import load_demo
from ...fitting import log_length
from ...judging import judgment_row, ordering, score_items
from ...scoring import shipped_weights
from ..grammar import command as cli_command
from ..options import json_option, judge_options_with, open_judge
from ..show.demo import show_demo
from ..show.progress import say, show_progress
from ..show.terminal import present


@cli_command("demo", example="lager-lite demo")
@judge_options_with("faithfulness")
@json_option
def command(json_file: str | None, **given: Any) -> None:
    """Score 50 summaries of 10 texts, each text with five summaries of constructed quality.

    The summaries were written for this project. Their grades say what each was written to be; nobody judged them.
    The demo shows how the program works, and not that the default model can judge: compare every method with
    `length`, which prefers the longer summary and reads no model.
    """
    start = time.monotonic()
    dataset = load_demo()
    given["rubrics"] = given["rubrics"] or ("faithfulness",)
    with open_judge(given) as judge:
        say(f"{dataset.message}\nmodel: {judge.info.name}, {judge.info.quantization}")
        weights = shipped_weights(judge.provenance())
        if weights:
            judge.use_weights(weights)
        with show_progress(len(dataset.items)) as progress:
            judgments, result = score_items(judge, dataset.items, progress)
        llamas_own = not (judge.backbone.gpu_layers or judge.backbone.products.unpack)
        on_cpu = judge.info.quantization if llamas_own else None
    found = ordering(
        dataset.items,
        judgments,
        weights is not None,
        baselines={"length": [log_length(item) for item in dataset.items]},
    )
    seconds = time.monotonic() - start
    present(
        json_file,
        lambda: {**asdict(found), "judgments": [judgment_row(j) for j in judgments]},
        lambda: show_demo(found, dataset.items, judgments, result, seconds=seconds, on_cpu=on_cpu),
    )
