"""Sides of a comparison on the same items, in turn, each in processes of its own. A command:

    python -m tests.measure.side_by_side ITEMS -r RUBRIC --limit 7 \\
        --side patched library=FOLDER --side published library=FOLDER
    python -m tests.measure.side_by_side ITEMS -r RUBRIC --limit 28 \\
        --side judging --side plain model=BF16.gguf measure=plain
    python -m tests.measure.side_by_side ITEMS -r RUBRIC --limit 14 --seconds 20 \\
        --side one threads=2 --side two threads=1 processes=2

A side is a name and what is special about it:

- library=FOLDER: the folder of llama.cpp's libraries; by default the library that is installed.
- model=FILE: the GGUF file; by default the default model.
- weights=unpacked or weights=file: how a quantized file is multiplied; by default what is chosen by itself.
- threads=N: threads of each process.
- processes=N: how many processes judge the same items beside each other. Their speeds are added up.
- measure=plain: plain prefill of one prompt of the items' median length, in place of judging.
- VARIABLE=VALUE: an environment variable, in capitals.

Before each measurement the command waits until other programs use less than a twentieth of the machine, for `--patience`
seconds at most. Each process loads its model and judges two items before the clock starts. The last column tells how many
cores other programs used meanwhile: figures are of a quiet machine where it is near 0.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lager_lite.data import counted, read_items
from lager_lite.judging import Judge
from lager_lite.llama import BackendOptions
from lager_lite.llama.options import WEIGHTS_AS
from lager_lite.performance.workload import plain_speed

QUIET = 0.05
MEASURES = ("judging", "plain")


@dataclass(frozen=True)
class Side:
    """One side of the comparison.

    - `name`: what the table calls it.
    - `library`: folder of llama.cpp's libraries. None: the installed ones.
    - `model`: GGUF file. None: the default model.
    - `weights`: a key of WEIGHTS_AS.
    - `threads`: threads of a process. None: one for each core.
    - `processes`: how many processes work beside each other.
    - `measure`: one of MEASURES.
    - `environment`: environment variables of the processes.
    """

    name: str
    library: str | None = None
    model: str | None = None
    weights: str = "auto"
    threads: int | None = None
    processes: int = 1
    measure: str = "judging"
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What every process does.

    - `items`: path of the items' file.
    - `rubrics`: names or files.
    - `first`: number of the first item, from 0.
    - `limit`: how many items are judged.
    - `seconds`: the items are judged again and again for so long, at least once.
    """

    items: str
    rubrics: tuple[str, ...]
    first: int
    limit: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """One measurement of a side, all its processes together.

    - `tokens_per_second`: evaluated tokens per second of wall time.
    - `judgments_per_second`: judgments per second of wall time; 0 for plain prefill.
    - `others`: cores that other programs used meanwhile. None where the system does not tell.
    """

    tokens_per_second: float
    judgments_per_second: float
    others: float | None


def parse_side(words: Sequence[str]) -> Side:
    """A side from its name and its `key=value` words. Raises SystemExit for others."""
    name, *rest = words
    found: dict[str, Any] = {}
    environment: dict[str, str] = {}
    for word in rest:
        key, equals, value = word.partition("=")
        if key.isupper() and equals:
            environment[key] = value
        elif key in ("threads", "processes") and value.isdigit() and int(value) > 0:
            found[key] = int(value)
        elif key in ("library", "model") and Path(value).exists():
            found[key] = str(Path(value).resolve())
        elif (key == "weights" and value in WEIGHTS_AS) or (key == "measure" and value in MEASURES):
            found[key] = value
        else:
            raise SystemExit(f"side {name}: {word!r} is unknown, out of range or a file that does not exist")
    return Side(name, environment=environment, **found)


def busy_seconds() -> float | None:
    """Seconds that the cores have worked since the machine began, all added up. None where the system does not tell."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(number) for number in file.readline().split()[1:9]]
    except OSError:
        return None
    user, nice, system, _, _, *interrupts = ticks
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def wait_until_quiet(patience: float) -> None:
    """Wait until other programs leave the machine alone for two seconds, for `patience` seconds at most."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        before, start = busy_seconds(), time.monotonic()
        if before is None:
            return
        time.sleep(2)
        used = ((busy_seconds() or before) - before) / (time.monotonic() - start)
        if used < QUIET * (os.cpu_count() or 1):
            return


def measure(side: Side, work: Work, *, patience: float = 0.0, beside: int = 0) -> Measured:
    """Measure a side once, `beside` programs that only use a core each running meanwhile. Raises SystemExit where a
    process fails."""
    asked = json.dumps([asdict(side), asdict(work)])
    environment = os.environ | ({"LLAMA_CPP_LIB_PATH": side.library} if side.library else {}) | side.environment
    command = [sys.executable, "-m", "tests.measure.side_by_side", "--child", asked]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(side.processes)
    ]
    others: list[subprocess.Popen[bytes]] = []
    try:
        if any(_line(one) != "ready" for one in running):
            raise SystemExit(f"side {side.name}: a process ended before it had measured")
        wait_until_quiet(patience)
        others += [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(beside)]
        before, start = busy_seconds(), time.monotonic()
        for one in running:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        found = [json.loads(_line(one) or "null") for one in running]
        after, wall = busy_seconds(), time.monotonic() - start
    finally:
        ending: list[subprocess.Popen[Any]] = [*running, *others]
        for process in ending:
            process.kill()
            process.wait()
    if None in found:
        raise SystemExit(f"side {side.name}: a process ended before it had measured")
    own = sum(one["processor"] for one in found)
    used = None if before is None or after is None else max(0.0, (after - before - own) / wall)
    return Measured(sum(one["tokens"] for one in found), sum(one["judgments"] for one in found), used)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def child(side: Side, work: Work) -> None:
    """What a process does: load, judge two items, say "ready", and measure after a line on stdin."""
    warnings.simplefilter("ignore")
    options = BackendOptions(threads=side.threads, unpack=WEIGHTS_AS[side.weights])
    items = list(itertools.islice(read_items(work.items).items, work.first, work.first + work.limit))
    with Judge(side.model, rubric=list(work.rubrics), options=options, store=None) as judge:
        for _ in judge.judged(items[:2], quiet=True):
            pass
        encoded = [judge.encode(item, rubric).prompt for item in items for rubric in judge.rubrics]
        length = int(statistics.median(len(prompt.tokens) for prompt in encoded if prompt is not None))
        print("ready", flush=True)
        sys.stdin.readline()
        start, processor = time.perf_counter(), time.process_time()
        speeds: list[float] = []
        judgments, before = 0, judge.counts.evaluated_tokens
        while not (judgments or speeds) or time.perf_counter() - start < work.seconds:
            if side.measure == "plain":
                speeds.append(plain_speed(judge, 0, length))
            else:
                judgments += sum(1 for _ in judge.judged(items, quiet=True))
        seconds, tokens = time.perf_counter() - start, judge.counts.evaluated_tokens - before
        found = {
            "tokens": statistics.median(speeds) if speeds else tokens / seconds,
            "judgments": judgments / seconds,
            "processor": time.process_time() - processor,
        }
    print(json.dumps(found), flush=True)


def table(sides: Sequence[Side], found: Sequence[Sequence[Measured]]) -> list[str]:
    """The lines of the table, for each side its measurements in the order of the rounds."""
    lines = ["| side | tokens/s | from, to | judgments/s | of the first | other programs, cores |", "|" + " --- |" * 6]
    for side, rows in zip(sides, found):
        speeds = [row.tokens_per_second for row in rows]
        judgments = statistics.median(row.judgments_per_second for row in rows)
        ratios = [row.tokens_per_second / first.tokens_per_second for row, first in zip(rows, found[0])]
        others = [row.others for row in rows if row.others is not None]
        lines.append(
            f"| {side.name} | {statistics.median(speeds):.0f} | {min(speeds):.0f}, {max(speeds):.0f} | "
            f"{f'{judgments:.1f}' if judgments else '-'} | {statistics.median(ratios):.2f} | "
            f"{f'{min(others):.2f} to {max(others):.2f}' if others else 'not known'} |"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each side, Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items")
    parser.add_argument("-r", "--rubric", action="append", help="A name or a file; may be repeated.")
    parser.add_argument("--side", nargs="+", action="append", required=True, metavar=("NAME", "KEY=VALUE"))
    parser.add_argument("--first", type=int, default=0, help="Number of the first item, from 0.")
    parser.add_argument("-n", "--limit", type=int, default=7, help="How many items.  [default: 7]")
    parser.add_argument("--seconds", type=float, default=0.0, help="Judge them again and again for so long.")
    parser.add_argument("--rounds", type=int, default=3, help="How often each side is measured.  [default: 3]")
    parser.add_argument("--patience", type=float, default=60.0, help="Longest wait for a quiet machine, in seconds.")
    parser.add_argument("--busy", type=int, default=0, help="Programs that use a core each meanwhile.")
    given = parser.parse_args(arguments)
    sides = [parse_side(words) for words in given.side]
    work = Work(given.items, tuple(given.rubric or ["default"]), given.first, given.limit, given.seconds)
    print(
        f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores ({platform.machine()}), medians of {counted(given.rounds, 'round')} in turn"
    )
    found: list[list[Measured]] = [[] for _ in sides]
    for _ in range(given.rounds):
        for side, rows in zip(sides, found):
            rows.append(measure(side, work, patience=given.patience, beside=given.busy))
            print(f"{side.name}: {rows[-1].tokens_per_second:.0f} tokens/s", file=sys.stderr, flush=True)
    print("\n".join(table(sides, found)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        of_side, of_work = json.loads(sys.argv[2])
        child(Side(**of_side), Work(**{**of_work, "rubrics": tuple(of_work["rubrics"])}))
    else:
        main()
