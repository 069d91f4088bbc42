"""Signals stop a run at once, or when the current batch is stored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lager_lite.system.interrupts import watching

pytest.importorskip("resource", reason="signals of POSIX")
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300
WAIT = "import hashlib, sys\nprint('ready', flush=True)\nhashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)\n"


@pytest.mark.parametrize(
    ("block", "signals", "said"),
    [
        ("watching()", 1, "Stopped immediately"),
        (
            "watching(), signals_held()",
            2,
            "Stopping: the current batch is finished and stored first; a second signal stops immediately.",
        ),
    ],
    ids=["one outside a batch", "two inside"],
)
def test_compiled_code_that_does_not_return_is_left_within_seconds(block, signals, said):
    """The digest takes minutes and lets Python's signal handlers wait all that time."""
    program = f"from lager_lite.system.interrupts import signals_held, watching\nwith {block}:\n" + "".join(
        f"    {line}\n" for line in WAIT.splitlines()
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    for _ in range(signals):
        time.sleep(0.5)
        assert process.poll() is None, "it must not have ended before the last signal"
        process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and said in err, err
    assert time.monotonic() - begin < 30


def test_one_signal_inside_a_batch_waits_for_its_end():
    program = (
        "import os, signal, time\nfrom lager_lite.system.interrupts import Interrupted, signals_held, watching\n"
        "try:\n    with watching():\n        with signals_held():\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n            time.sleep(1.5)\n            print('stored')\n"
        "        print('never')\nexcept Interrupted as error:\n    print(error.name, error.exit_code)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "stored\nSIGTERM 143\n"
    assert (
        found.stderr
        == "\nStopping: the current batch is finished and stored first; a second signal stops immediately.\n"
    )


def test_handlers_are_as_before_when_the_block_has_ended():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with watching(), watching():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
