"""A run that is killed again and again ends as if it had never been disturbed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lager_lite.backbones.locate import locate_model
from lager_lite.errors import LagerError

pytestmark = pytest.mark.model
ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("LAGER_LITE_KILLS", "10"))
ITEMS = 24


def start(folder: Path, store: str, output: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "lager_lite", "score", "in.jsonl", "-r", "r.toml", "-b", "128", "-ub", "128"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*command, "--store", store, "-o", output], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )


def stored(folder: Path, name: str) -> int:
    if not (folder / name).exists():
        return 0
    with sqlite3.connect(folder / name) as db:
        found = db.execute("SELECT count(*) FROM sqlite_master WHERE name='readings'").fetchone()[0]
        return db.execute("SELECT count(*) FROM readings").fetchone()[0] if found else 0


def _wait(process: subprocess.Popen, folder: Path, readings: int, longest: float) -> None:
    """Wait until the store holds so many readings, and where it does already, for a part of the time of a whole run.

    A clock alone kills nothing once the store holds most readings and a run ends early.
    """
    if stored(folder, "b.sqlite") >= readings:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=longest)
    while process.poll() is None and stored(folder, "b.sqlite") < readings:
        time.sleep(0.005)


def test_a_run_killed_many_times_ends_byte_identical_and_evaluates_nothing_twice(tmp_path):
    try:
        locate_model(None)
    except LagerError as error:
        pytest.skip(f"the default model is not installed: {error.hint}")
    rng = random.Random(7)
    words = ["river", "stone", "lamp", "green", "seven", "walks", "under", "music", "paper", "bright"]
    with open(tmp_path / "in.jsonl", "w") as file:
        for i in range(ITEMS):
            file.write(json.dumps({"id": i, "response": f"{i} " + " ".join(rng.choices(words, k=30))}) + "\n")
    (tmp_path / "r.toml").write_text('scale = "1-5"\ncriterion = "Good?"\ntemplate = "{sections} {criterion}"\n')
    begin = time.monotonic()
    undisturbed = start(tmp_path, "a.sqlite", "a.jsonl")
    assert undisturbed.communicate()[0] is None and undisturbed.returncode == 0
    whole = time.monotonic() - begin
    expected = (tmp_path / "a.jsonl").read_bytes()

    before, interrupted = 0, 0
    for _ in range(KILLS):
        (tmp_path / "b.jsonl").unlink(missing_ok=True)
        begin = time.monotonic()
        process = start(tmp_path, "b.sqlite", "b.jsonl")
        _wait(process, tmp_path, before + rng.choice((0, 1, 1, 2)), rng.uniform(0.0, whole * 0.8))
        process.kill()
        process.wait()
        process.stderr.close()
        if process.returncode == -signal.SIGKILL:
            interrupted += 1
        else:  # A run that finds most readings in the store is shorter: the next ones are killed within its time.
            whole = min(whole, time.monotonic() - begin)
        if (tmp_path / "b.jsonl").exists():
            # A kill may also come between the output's arrival and the end of the process.
            assert (tmp_path / "b.jsonl").read_bytes() == expected, "an output must be complete or absent"
        now = stored(tmp_path, "b.sqlite")
        assert now >= before, "a stored reading was lost"
        before = now
    assert interrupted >= min(KILLS, 3)
    last = start(tmp_path, "b.sqlite", "b.jsonl")
    _, text = last.communicate()
    assert last.returncode == 0, text
    assert int(re.search(r"(\d+) from the store", text).group(1)) == before, "a stored item was evaluated again"
    assert (tmp_path / "b.jsonl").read_bytes() == expected
