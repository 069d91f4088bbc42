"""What planning and bookkeeping cost as work grows, with the model's arithmetic faked. A command:

    python -m tests.measure.growth
    python -m tests.measure.growth --items 1000 10000 100000 --prompts 100000

Items of a generated file are scored from first to last line by the program itself: read, rendered, tokenized,
planned, stored and written; only the decodes are faked. This is done once as in one process and once as the driver
of a cluster whose workers are faked. Then only the plan is made, for prompts that share prefixes and for prompts that
share none. Every line is measured in a process of its own. Times are processor times, so that other work on the
machine does not count. The driver's part needs the extra `parquet`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lager_lite.data.source import open_items
from lager_lite.judging.judge import Judge
from lager_lite.judging.score_file import score_file
from lager_lite.judging.store import Store
from lager_lite.llama.options import BackendOptions
from lager_lite.llama.schedule import plan, unique_tokens
from lager_lite.performance.workload import peak_megabytes
from lager_lite.prompts import make_rubric
from lager_lite.records import Counts, Part, Pending, Reading
from lager_lite.scaleout import ray_workers as scaleout

STATES, LABELS = 5, 5
FIRST = 1000
GROUP = 8
RUBRIC = make_rubric(name="good", criterion="Is it good?", template="{sections} {criterion}")


@dataclass(frozen=True)
class Grown:
    """What scoring some items cost.

    - `items`: how many were scored.
    - `early`, `late`: microseconds of processor time per item over the first and the last half.
    - `first_mb`: peak memory of the process in 10^6 bytes after the first FIRST items (a driver: the first window).
    - `peak_mb`: peak memory of the process in 10^6 bytes at the end.
    """

    items: int
    early: float
    late: float
    first_mb: float
    peak_mb: float


@dataclass(frozen=True)
class Planned:
    """What planning some prompts cost.

    - `prompts`: how many were planned.
    - `tokens`: tokens of all of them.
    - `unique`: nodes of their prefix tree.
    - `steps`: decodes of the plan.
    - `seconds`: processor time.
    - `peak_mb`: peak memory of the process in 10^6 bytes.
    """

    prompts: int
    tokens: int
    unique: int
    steps: int
    seconds: float
    peak_mb: float


def write_items(path: Path, count: int) -> None:
    """Short items, GROUP of one source after another."""
    with open(path, "w", encoding="utf-8") as file:
        for n in range(count):
            row = {
                "id": n,
                "source": f"This is the source number {n // GROUP}.",
                "response": f"It says {n * 7919 % 1000003}.",
            }
            file.write(json.dumps(row) + "\n")


def read_faked(pending: Sequence[Pending], capacity: int = 512, leaves: int = 64) -> Iterator[Part]:
    """As `Judge.evaluate`, without the arithmetic: layer logits follow from a prompt's last tokens."""
    for step in plan([one.tokens for one in pending], capacity, leaves):
        found = {}
        for _, index in step.outputs:
            one = pending[index]
            seed = one.tokens[-STATES * LABELS :].astype(np.float32)
            logits = np.resize(seed % 7 - 3, (STATES, LABELS))
            found[one.key] = Reading(raw=logits, norm=logits, mass=0.9, tokens=len(one.tokens))
        yield Part(found, True, len(step.tokens))


class FakeWorker:
    """As `scaleout.ReadBatch`, with faked readings."""

    def __init__(self, **_: Any) -> None:
        self.judge = types.SimpleNamespace(evaluate=read_faked)
        self._failure = ""

    __call__ = scaleout.ReadBatch.__call__


class FakeRay:
    """Ray Data in this process."""

    exceptions = types.SimpleNamespace(RayError=ZeroDivisionError, RayTaskError=ZeroDivisionError)

    def __init__(self) -> None:
        self.data = types.SimpleNamespace(from_arrow=self.from_arrow, ActorPoolStrategy=lambda **_: None)

    def from_arrow(self, tables: list[Any]) -> FakeRay:
        self.tables = tables
        return self

    def map_batches(self, *_: Any, **__: Any) -> FakeRay:
        return self

    def iter_batches(self, **_: Any) -> Iterator[Any]:
        worker = FakeWorker()
        yield from (worker(table) for table in self.tables)


def grow(folder: str, count: int, spread: bool = False) -> Grown:
    """Score `count` items, as in one process or (spread) as the driver of a cluster."""
    from tests.model_files.tiny import write_tiny_model

    path, model = Path(folder) / f"{count}.jsonl", Path(folder) / f"{count}.gguf"
    write_items(path, count)
    write_tiny_model(model, "llama", n_blocks=STATES - 1)
    marks: list[tuple[int, float, float]] = []

    def progress(counts: Counts) -> None:
        if counts.done >= len(marks) * max(1, min(FIRST, count // 10)):
            marks.append((counts.done, time.process_time(), peak_megabytes() or 0.0))

    with Store(Path(folder) / f"{count}.sqlite") as store:
        with Judge(model, rubric=RUBRIC, options=BackendOptions(threads=1), store=store) as judge:
            judge.evaluator = read_faked
            if spread:
                cluster = scaleout.Cluster(4)
                judge.window = scaleout.DRIVER_WINDOW
                judge.evaluator = scaleout._Spread(FakeRay(), judge, cluster, cluster.there(judge.options))
            source = open_items(path)
            marks.append((0, time.process_time(), 0.0))
            result = score_file(judge, source.items, Path(folder) / f"{count}.out.jsonl", progress=progress)
            settled = min(count, judge.window if spread else FIRST)
    assert result.scored == count and result.failed == 0
    marks.append((count, time.process_time(), peak_megabytes() or 0.0))
    first = next(mb for done, _, mb in marks if done >= settled)
    return Grown(count, _rate(marks, 0, count // 2), _rate(marks, count // 2, count), first, marks[-1][2])


def _rate(marks: list[tuple[int, float, float]], low: int, high: int) -> float:
    """Microseconds of processor time per item, between the marks at or next after two numbers of items."""
    a, b = (next(m for m in marks if m[0] >= at) for at in (low, high))
    return (b[1] - a[1]) / max(1, b[0] - a[0]) * 1e6


def prompts_of(count: int, length: int, shared: int) -> list[np.ndarray]:
    """Prompts in groups of GROUP, which share their first `shared` tokens."""
    rng = np.random.default_rng(0)
    prompts: list[np.ndarray] = []
    for _ in range(0, count, GROUP):
        head = rng.integers(0, 50_000, shared, dtype=np.int32)
        for _ in range(min(GROUP, count - len(prompts))):
            prompts.append(np.concatenate([head, rng.integers(0, 50_000, length - shared, dtype=np.int32)]))
    return prompts


def plan_only(count: int, length: int, shared: int) -> Planned:
    """Plan `count` prompts of `prompts_of`, and do nothing else with them."""
    prompts = prompts_of(count, length, shared)
    start = time.process_time()
    steps = found = 0
    for step in plan(prompts, 512, 64):
        steps += 1
        found += len(step.outputs)
    seconds = time.process_time() - start
    assert found == count
    peak = peak_megabytes() or 0.0
    return Planned(count, count * length, unique_tokens(prompts), steps, seconds, peak)


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """A call in a process of its own, whose peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--length", type=int, default=800)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        for spread in (False, True):
            print("as the driver of a cluster" if spread else "in one process")
            for count in given.items:
                g = alone(grow, folder, count, spread)
                Path(folder, f"{count}.sqlite").unlink()
                print(
                    f"{g.items:8} items: {g.early:6.0f} us each in the first half, {g.late:6.0f} us in the second; "
                    f"memory {g.first_mb:.0f} MB at first, {g.peak_mb:.0f} MB at last",
                    flush=True,
                )
    for shared in (given.length * 7 // 8, 0):
        p = alone(plan_only, given.prompts, given.length, shared)
        print(
            f"plan of {p.prompts} prompts of {given.length} tokens, {shared} shared by {GROUP}: {p.seconds:.1f} s, "
            f"{p.steps} steps, {p.tokens / p.unique:.2f} tokens per unique one; memory {p.peak_mb:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
