"""How long a person waits before anything is computed: for a help text, and for llama.cpp's first decode. A command:

    python -m tests.measure.start_times -m model.gguf

The first run of each kind is not counted. It tries a file that is new to this machine in a child process, brings the file
into the page cache, and writes the bytecode of modules, which an installed package has.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lager_lite.backbones import locate_model

ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = [sys.executable, "-m", "lager_lite"]
_CHILD = [sys.executable, str(Path(__file__).with_name("first_decode.py"))]
_ITEMS = (
    '{"instruction": "Name a colour.", "response": "Blue."}\n{"instruction": "Name a fruit.", "response": "Pear."}\n'
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    model = locate_model(given.model).path
    print(f"{model.name}, {model.stat().st_size / 1e6:.0f} MB; medians of {given.rounds} rounds, in seconds")
    with tempfile.TemporaryDirectory() as folder:
        items = Path(folder) / "items.jsonl"
        items.write_text(_ITEMS, encoding="utf-8")
        score = [
            "score",
            str(items),
            "-m",
            str(model),
            "-o",
            f"{folder}/scores.jsonl",
            "--store",
            f"{folder}/store",
            "-q",
        ]
        sides = {
            "lager-lite --help": [*_PROGRAM, "--help"],
            "lager-lite score --help": [*_PROGRAM, "score", "--help"],
            "score two items": [*_CHILD, "command", *score],
            "Judge(model)": [*_CHILD, "python", str(model)],
        }
        for name, command in sides.items():
            runs = [seconds(command) for _ in range(given.rounds + 1)][1:]
            wall, processor = (statistics.median(column) for column in zip(*runs))
            until = "its end" if "--help" in command else "the first decode"
            print(f"{name}: {wall:.3f} to {until}, {processor:.3f} of the processor")


def seconds(command: Sequence[str]) -> tuple[float, float]:
    """Seconds that pass, and processor time, until a command ends, or until it says that it decodes."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = os.times()
    begun = time.monotonic()
    told = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
    ended, after = time.monotonic(), os.times()
    if "--help" in command:
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return ended - begun, used
    moment, processor = map(float, told.splitlines()[-1].split())
    return moment - begun, processor


if __name__ == "__main__":
    main()
