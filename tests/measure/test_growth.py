"""The cost of an item does not grow with the number of items, and planning does not either.

Work is counted in lines of the program that are run, not in seconds: the count is the same on every machine.
`python -m tests.measure.growth` measures seconds, up to 100,000 items.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import lager_lite
from lager_lite.llama.schedule import plan, unique_tokens
from tests.measure import growth

PACKAGE = str(Path(lager_lite.__file__).parent)


class Lines:
    """Counts the lines of the package that are run inside the `with` block."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Lines:
        self._before = sys.gettrace()
        threading.settrace(self._call)
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)
        threading.settrace(self._before)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.count += 1
        return self._line


def test_the_work_for_an_item_does_not_grow_with_their_number(tmp_path):
    counts = []
    for number in (1000, 4000):
        with Lines() as lines:
            assert growth.grow(str(tmp_path), number).items == number
        counts.append(lines.count / number)
    assert counts[1] < 1.05 * counts[0]


@pytest.mark.parametrize("shared", [60, 0])
def test_the_work_of_a_plan_is_proportional_to_its_prompts(shared):
    counts = []
    for number in (400, 1600):
        prompts = growth.prompts_of(number, 80, shared)
        with Lines() as lines:
            assert sum(len(step.outputs) for step in plan(prompts, 512, 64)) == number
        counts.append(lines.count / number)
    assert counts[1] < 1.1 * counts[0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak memory")
def test_memory_stays_flat_after_the_first_thousand_items(tmp_path):
    found = growth.alone(growth.grow, str(tmp_path), 4000)
    assert found.items == 4000
    assert found.peak_mb - found.first_mb < 50


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
