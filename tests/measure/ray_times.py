"""A Ray cluster on this machine against one process with as many threads, on the demo set and the default model.

Both judge in turn, without a store, and the workers are kept. Then one worker is killed in the middle of a run. A
command, not a test, which needs the extra `ray`:

    python -m tests.measure.ray_times --rounds 5
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from lager_lite.backbones.locate import locate_model
from lager_lite.data.items import load_demo
from lager_lite.judging.judge import Judge
from lager_lite.llama.options import BackendOptions
from lager_lite.records import Counts, Item, Judgment
from lager_lite.scaleout.ray_workers import Cluster, spread

MARK = "LAGER_LITE_TEST_MARK"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    os.environ[MARK] = mark = uuid.uuid4().hex
    # Ray gives its workers the lowest priority, which another program's spinning threads starve.
    os.environ.setdefault("RAY_worker_niceness", "0")
    model, items = locate_model(given.model).path, load_demo().items
    alone, cluster = BackendOptions(threads=given.workers), Cluster(given.workers)
    with Judge(model, rubric="faithfulness", options=alone) as one:
        one_by_round, many_by_round = [], []
        with (
            Judge(model, rubric="faithfulness", options=cluster.here(alone)) as many,
            spread(many, cluster, BackendOptions()),
        ):
            for number in range(given.rounds + 1):
                expected, tokens, seconds = _run(one, items)
                found, spread_tokens, spread_seconds = _run(many, items)
                apart = max(
                    abs(a.score - b.score)
                    for a, b in zip(found, expected)
                    if a.score is not None and b.score is not None
                )
                print(
                    f"{'warm up' if number == 0 else f'round {number}'}: one process {tokens} tokens in {seconds:.2f} s, "
                    f"{given.workers} workers {spread_tokens} in {spread_seconds:.2f} s, largest difference {apart:.2g} points",
                    flush=True,
                )
                if number:
                    one_by_round.append(len(items) / seconds)
                    many_by_round.append(len(items) / spread_seconds)
            ratio = statistics.median(b / a for a, b in zip(one_by_round, many_by_round))
            print(
                f"tokens {spread_tokens / tokens:.3f} of one process's, judgments per second {ratio:.3f}, median of {given.rounds} rounds"
            )
            killed: list[int] = []

            def kill_one(counts: Counts) -> None:
                if not killed and counts.done > done and (running := workers(mark)):
                    killed.append(running[0])
                    os.kill(running[0], signal.SIGKILL)

            done = many.counts.done
            found = list(many.score(items, progress=kill_one))
            same = all(a.id == b.id and a.score == b.score for a, b in zip(found, expected, strict=True))
            print(
                f"worker {killed[0] if killed else None} killed in the middle: {len(found)} judgments, {'the same' if same else 'NOT THE SAME'} scores"
            )


def _run(judge: Judge, items: Sequence[Item]) -> tuple[list[Judgment], int, float]:
    start, before = time.perf_counter(), judge.counts.evaluated_tokens
    found = list(judge.score(items))
    return found, judge.counts.evaluated_tokens - before, time.perf_counter() - start


def workers(mark: str) -> list[int]:
    """Process ids of this run's Ray workers, by their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"ReadBatch" in (folder / "cmdline").read_bytes() and mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            pass
    return found


if __name__ == "__main__":
    main()
