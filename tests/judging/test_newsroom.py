"""Real human-scored items through the whole program, on the default model."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lager_lite.backbones.locate import locate_model
from lager_lite.data.items import read_items
from lager_lite.errors import LagerError
from lager_lite.judging.judge import Judge
from lager_lite.llama.schedule import unique_tokens

pytestmark = pytest.mark.model
RUBRICS = Path(__file__).parents[1] / "newsroom"
# All 100 items take some minutes on two cores; the short run takes the first of them.
ITEMS = int(os.environ.get("LAGER_LITE_AGREE_ITEMS", "4"))


def test_newsroom_items_agree_one_by_one_and_in_one_run(data_folder, capsys):
    try:
        model = locate_model(None).path
    except LagerError as error:
        pytest.skip(f"the default model is not installed: {error.hint}")
    dataset = read_items(data_folder / "judge_bench_newsroom.json")
    assert (len(dataset.items), len({i.group for i in dataset.items}), dataset.layout) == (420, 60, "judge-bench")
    shortest = sorted(dataset.items, key=lambda i: len(i.fields["source"]))[:ITEMS]
    with Judge(model, rubric=RUBRICS / "fluency.toml") as judge:
        prompts = [judge.encode(i, judge.rubrics[0]).prompt.tokens for i in shortest]
        together = list(judge.score(shortest))
        assert judge.counts.evaluated_tokens == unique_tokens(prompts) < 0.6 * sum(map(len, prompts))
        alone = [next(judge.score([item])) for item in shortest]
    assert all(j.error is None for j in together)
    worst = {}
    for name in ("score", "e_score", "uniform"):
        gaps = [abs(getattr(a, name) - getattr(b, name)) for a, b in zip(together, alone)]
        worst[name] = max(gaps)
    layers = np.abs(np.array([a.per_layer for a in together]) - np.array([b.per_layer for b in alone])).max()
    with capsys.disabled():
        print(f"\n{len(shortest)} items, largest difference in points: {worst}, any single layer {layers:.4f}")
    # The promise of the README: sharing and batching move no score by more than 0.01 of a point.
    assert max(worst.values()) <= 0.01
    assert len({round(j.score, 4) for j in together}) > len(together) / 2, "different items get different scores"
