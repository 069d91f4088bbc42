"""The cost of an item does not grow with their number (short; `python -m tests.measure.growth` goes to 100,000)."""

from __future__ import annotations

import sys

import pytest

from lager_lite.llama.schedule import plan, unique_tokens
from tests.measure import growth


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak memory")
def test_memory_stays_flat_after_the_first_thousand_items(tmp_path):
    found = growth.alone(growth.grow, str(tmp_path), 4000)
    assert found.items == 4000
    assert found.peak_mb - found.first_mb < 50
    # Loose, since machines are busy: what grows with the number of items would show as a multiple.
    assert found.late < 3 * found.early


def test_faked_readings_come_from_the_plan_and_reach_the_output(tmp_path):
    found = growth.grow(str(tmp_path), 100)
    rows = (tmp_path / "100.out.jsonl").read_text().splitlines()
    assert found.items == len(rows) == 100 and len(set(rows)) == 100


def test_a_driver_of_faked_workers_writes_what_one_process_writes(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    outputs = []
    for name, spread in (("one", False), ("many", True)):
        (tmp_path / name).mkdir()
        growth.grow(str(tmp_path / name), 300, spread)
        outputs.append((tmp_path / name / "300.out.jsonl").read_bytes())
    assert outputs[0] == outputs[1]


def test_a_plan_visits_each_unique_token_once():
    found = growth.plan_only(400, 80, 60)
    # Two prompts may begin with the same random token by chance.
    assert found.tokens == 32_000 and 0 <= 50 * 60 + 400 * 20 - found.unique < 10
    prompts = growth.prompts_of(400, 80, 60)
    assert unique_tokens(prompts) == sum(len(step.tokens) for step in plan(prompts, 512, 64))
