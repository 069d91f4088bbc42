"""What is set before llama.cpp loads, and what is said when it ends the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lager_lite.llama.library import ENDING

ROOT = Path(__file__).resolve().parents[2]
GRAPHS = "import os; from lager_lite.llama import load; load(); print(repr(os.environ.get('GGML_CUDA_DISABLE_GRAPHS')))"
DEATH = """
from lager_lite.llama import load
library = load()
library.log.clear()
for line in (b"CUDA error: an illegal instruction\\n", b"  current device: 0, in function f at g.cu:7\\n", b"  call()\\n"):
    library.log.write(4, line, None)
library.base.ggml_abort(b"g.cu", 9, b"CUDA error")
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    chosen = ("GGML_CUDA_DISABLE_GRAPHS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    kept = {k: v for k, v in os.environ.items() if k not in chosen}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("given", "seen"),
    [({}, "'1'"), ({"GGML_CUDA_DISABLE_GRAPHS": "yes"}, "'yes'"), ({"GGML_CUDA_DISABLE_GRAPHS": "0"}, "None")],
    ids=["unset", "set", "zero"],
)
def test_cuda_graphs_are_off_unless_the_user_says_so(given, seen) -> None:
    assert run(GRAPHS, **given).stdout.strip() == seen


@pytest.mark.parametrize(
    ("given", "seen"),
    [({}, "'200'"), ({"GOMP_SPINCOUNT": "7"}, "'7'"), ({"OMP_WAIT_POLICY": "active"}, "None")],
    ids=["unset", "count", "policy"],
)
def test_waiting_threads_soon_sleep_unless_the_user_says_so(given, seen) -> None:
    assert run(GRAPHS.replace("GGML_CUDA_DISABLE_GRAPHS", "GOMP_SPINCOUNT"), **given).stdout.strip() == seen


def test_the_whole_text_of_an_error_that_ends_the_process_is_told_in_one_line() -> None:
    done = run(DEATH)
    assert done.returncode < 0
    told = "CUDA error: an illegal instruction; current device: 0, in function f at g.cu:7; call(); g.cu:9: CUDA error"
    # An emulator says something of its own behind it.
    assert ENDING + told in done.stderr.splitlines()
