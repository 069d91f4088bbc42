"""The workload bench counts what it ran; its figures are never checked against a clock."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lager_lite.cli import main
from lager_lite.errors import BackendError, DataError
from lager_lite.judging.judge import Judge
from lager_lite.llama.library import load
from lager_lite.llama.native_tap import available
from lager_lite.llama.options import BackendOptions
from lager_lite.performance.peers import measure_peer
from lager_lite.performance.workload import measure_workload
from lager_lite.prompts import make_rubric
from lager_lite.records import Item

RUBRIC = make_rubric("short", "Is it short?", template="{sections}\n{criterion}")
ITEMS = [Item(str(i), {"response": f"answer number {i}"}) for i in range(12)]


def test_a_workload_evaluates_every_node_of_the_prefix_tree_once(tiny_model):
    # Batches so small that plain prefill at the same depth has tokens before it.
    with Judge(tiny_model, rubric=RUBRIC, options=BackendOptions.exact(batch_size=16)) as judge:
        found = measure_workload(judge, ITEMS, max_state=1, alone=3)
        assert judge.max_state is None
    assert (found.judgments, found.alone) == (12, 3)
    assert found.prompt_tokens > found.unique_tokens == found.whole.evaluated_tokens == found.early.evaluated_tokens
    assert (found.early.max_state, found.whole.max_state) == (1, 3)
    assert found.whole.share == pytest.approx(found.whole.tokens_per_second / found.plain)
    assert found.early.share_at_depth == pytest.approx(found.early.tokens_per_second / found.plain_at_depth)
    # Evaluated tokens stand at the ends of the prompts, behind what these share.
    assert found.median_tokens / 2 < found.mean_depth < found.median_tokens
    assert (
        found.prepare_share == pytest.approx(found.prepare_seconds / found.whole.seconds) and found.prepare_seconds > 0
    )
    assert 0 < found.whole.first_score <= found.whole.seconds
    # Sums of a float model differ in their last digits beside other prompts.
    assert found.largest_difference < 1e-4
    assert found.peak_mb is None or found.peak_mb > 10


def test_a_workload_of_items_that_cannot_be_judged_is_an_error(tiny_model):
    with (
        Judge(tiny_model, rubric=RUBRIC) as judge,
        pytest.raises(DataError, match="no item of the workload can be judged"),
    ):
        measure_workload(judge, [Item("1", {})])


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(BackendError, match="the peer needs torch and transformers") as caught:
        measure_peer("model.gguf", [])
    assert caught.value.hint == "pip install 'lager-lite[parity]'"


def test_bench_prints_a_table_and_json_with_the_workload(tmp_path, tiny_model):
    rows = tmp_path / "items.jsonl"
    rows.write_text("".join(json.dumps({"id": i.id, "response": i.fields["response"]}) + "\n" for i in ITEMS))
    arguments = [
        "bench",
        str(rows),
        "-m",
        str(tiny_model),
        "-r",
        "fluency",
        "--tokens",
        "65",
        "--rounds",
        "1",
        "-b",
        "128",
    ]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    assert "evaluated/unique" in shown.output and "1.000" in shown.output
    assert (
        "of plain at the same depth" in shown.output and "tokens on average; plain prefill at the same" in shown.output
    )
    assert "\nthe same with --exact: " in shown.output
    found = json.loads(CliRunner().invoke(main, [*arguments, "--max-state", "1", "--json"]).stdout)
    assert found["workload"]["judgments"] == 12 and found["workload"]["early"]["max_state"] == 1
    assert 0 <= found["exact_difference"] < 1e-4
    assert [t["tap"] for t in found["taps"]] == list(available(load()))
    refused = CliRunner().invoke(main, ["bench", "--peer", "transformers"])
    assert refused.exit_code == 2 and "--max-state and --peer need ITEMS" in refused.output
