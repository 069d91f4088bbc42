"""The short version of `python -m tests.measure.volume --items 200000`."""

from __future__ import annotations

import os
import sys

import pytest

from tests.measure import volume

LONG = os.environ.get("LAGER_LITE_LONG") == "1"

if sys.platform == "win32":
    pytest.skip("no SIGKILL, no /proc", allow_module_level=True)


def test_killed_runs_lose_nothing_and_double_nothing(tmp_path):
    """Short: 1,200 items; LAGER_LITE_LONG=1: 200,000."""
    items, per_file, every = (200_000, 20_000, 4000) if LONG else (1200, 600, 250)
    found = volume.run(tmp_path, items, per_file, every)
    print("\n" + "\n".join(found.lines()))
    assert found.kills >= (items // every // 2 if LONG else 1)
    assert (found.missing, found.doubled, found.redone) == (0, 0, 0)
    assert found.same and found.items == items
    if LONG:
        for name, (early, late) in found.memory.items():
            assert late[1] - early[1] < 32, f"memory grew by more than 32 MB: {name}"


def test_a_store_that_forgets_is_noticed(tmp_path):
    """A reading deleted between two runs must show, or the counts above say nothing."""
    import sqlite3

    run = volume.Volume(tmp_path, 40, 40)
    process = run.start("0.jsonl", "killed")
    assert process.communicate()[0] is None and process.returncode == 0
    with sqlite3.connect(tmp_path / "killed") as db:
        db.execute("DELETE FROM readings WHERE rowid = 7")
    db.close()
    kills, redone = volume.killed_until_done(run, "0.jsonl", 10_000, volume.random.Random(0))
    assert (kills, redone) == (0, 1)
