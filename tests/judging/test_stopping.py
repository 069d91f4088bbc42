"""SIGINT at any moment of a run, once or twice: exit code 130, no traceback, and a store that is sound."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lager_lite.backbones.locate import locate_model
from lager_lite.errors import LagerError
from tests.effort import patience

pytest.importorskip("resource", reason="signals of POSIX")
ROOT = Path(__file__).resolve().parents[2]
LONG = os.environ.get("LAGER_LITE_LONG") == "1"
MOMENTS = int(os.environ.get("LAGER_LITE_MOMENTS", "200" if LONG else "8"))
SETTINGS = ["-r", "r.toml", "-b", "32", "-ub", "32", "-t", "1", "--no-guard", "--store", "s.sqlite", "-o", "out.jsonl"]


def start(model: Path, folder: Path) -> subprocess.Popen:
    """Begin a run in a process group of its own, as a shell does; returns once the program runs."""
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        "-m",
        "lager_lite",
        "score",
        "in.jsonl",
        "-m",
        str(model),
        *SETTINGS,
    ]
    # Some shells have their background jobs ignore SIGINT, and a child inherits that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    # Until Python has run the program's first lines, a signal is Python's own affair.
    while process.poll() is None and not _answers_term(process.pid):
        time.sleep(0.001)
    return process


def _answers_term(number: int) -> bool:
    """Whether a process has a handler for SIGTERM; Python itself has none."""
    try:
        lines = Path(f"/proc/{number}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return True
    caught = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")), 0)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def sound(path: Path) -> int:
    """Check a store; return the number of its readings."""
    if not path.exists():
        return 0
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = db.execute("SELECT count(*) FROM sqlite_master WHERE name='readings'").fetchone()[0]
        return db.execute("SELECT count(*) FROM readings").fetchone()[0] if tables else 0


@pytest.fixture(params=["tiny", pytest.param("default", marks=pytest.mark.model)])
def model(request, tiny_model) -> Path:
    """The tiny model and, in the long run, the default one."""
    if request.param == "tiny":
        return tiny_model
    if not LONG:
        pytest.skip("the default model takes LAGER_LITE_LONG=1")
    try:
        return locate_model(None).path
    except LagerError as error:
        pytest.skip(f"the default model is not installed: {error.hint}")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see when the program runs")
def test_a_run_that_is_stopped_at_any_moment_ends_with_130(model, tiny_model, tmp_path):
    """Short: 8 moments; LAGER_LITE_LONG=1: 200 (10 minutes on a busy machine), or LAGER_LITE_MOMENTS."""
    rng = random.Random(11)
    items = 400 if model == tiny_model else 30
    with open(tmp_path / "in.jsonl", "w") as file:
        for i in range(items):
            file.write(json.dumps({"id": i, "response": f"{i} " + "word " * rng.randrange(20)}) + "\n")
    (tmp_path / "r.toml").write_text('scale = "1-5"\ncriterion = "Good?"\ntemplate = "{sections} {criterion}"\n')
    begin = time.monotonic()
    process = start(model, tmp_path)
    assert process.wait(patience(120)) == 0, process.stderr.read()
    process.stderr.close()
    whole = time.monotonic() - begin
    expected = (tmp_path / "out.jsonl").read_bytes()
    stopped = 0
    for number in range(MOMENTS):
        (tmp_path / "s.sqlite").unlink()
        (tmp_path / "out.jsonl").unlink(missing_ok=True)
        process = start(model, tmp_path)
        time.sleep(rng.uniform(0, whole))
        for again in range(1 + number % 2):
            time.sleep(again * rng.uniform(0, 0.1))
            if number % 4 < 2 and process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            else:
                process.send_signal(signal.SIGINT)
        _, text = process.communicate(timeout=patience(60))
        assert process.returncode in (0, 130), (number, process.returncode, text)
        for sign in ("Traceback", "ignored", "Error", "Fatal"):
            assert sign not in text, (number, text)
        stopped += process.returncode == 130
        if process.returncode == 0:
            whole *= 0.8  # Other work on this machine made the first run slow.
        if process.returncode == 130:
            assert "Stop" in text, (number, text)
        assert sound(tmp_path / "s.sqlite") <= items
        if (tmp_path / "out.jsonl").exists():
            assert (tmp_path / "out.jsonl").read_bytes() == expected
        else:
            assert process.returncode == 130
        (tmp_path / "s.sqlite").touch()
    assert stopped >= MOMENTS // 2, f"{stopped} of {MOMENTS} came before the end"
