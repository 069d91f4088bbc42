"""What is left behind: with a store of its own, a command leaves nothing beside it and nothing in the working folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SHORT_RUBRIC


@pytest.mark.parametrize(
    ("arguments", "made", "kept"),
    [
        (["score", "in.jsonl", "-r", "good.toml", "-o", "out.jsonl"], {"out.jsonl", "x.sqlite"}, {"loaded"}),
        (["states", "a text", "-o", "out.npz"], {"out.npz"}, set()),
        (["models", "tune", "-n", "2", "--rounds", "1", "--kind", "Q8_0", "--apply"], set(), {"loaded", "models"}),
        (["store", "info"], {"x.sqlite"}, set()),
    ],
    ids=["score", "states", "tune", "store"],
)
def test_nothing_is_left_beside_a_store_that_was_named(tmp_path, tiny_model, arguments, made, kept):
    """In a process of its own, with the guard on: the list of files that were loaded has a place, too."""
    here, cache = tmp_path / "here", tmp_path / "cache"
    here.mkdir()
    (here / "in.jsonl").write_text(json.dumps({"id": "a", "response": "text"}) + "\n")
    (here / "good.toml").write_text(SHORT_RUBRIC)
    root = Path(__file__).resolve().parents[2]
    variables = {"LAGER_LITE_STORE": "x.sqlite", "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(root)}
    model = [] if arguments[0] == "store" else ["-m", str(tiny_model), "-t", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "lager_lite", *arguments, *model],
        cwd=here,
        env={**os.environ, **variables, "LAGER_LITE_GUARD": "on"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert {p.name for p in here.iterdir()} - {"in.jsonl", "good.toml"} == made
    found = {p.relative_to(cache / "lager-lite").parts[0] for p in cache.rglob("*") if p.is_file()}
    # A copy is kept only where it is faster than the file.
    assert found == kept or "--apply" in arguments and found <= kept
