"""Where the time of judging goes, in processor time of one thread. A command:

    python -m tests.measure.time_shares ITEMS -r RUBRIC --limit 28

The items are judged without a store, and every decode is timed. Its processor time is fitted, by least squares without
negative numbers, as so much for every token, so much for every token that a token attends to, so much for every output,
and so much for the decode itself. What is left of the whole time is spent outside of llama.cpp.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
from scipy.optimize import nnls

from lager_lite.data import read_items
from lager_lite.judging import Judge
from lager_lite.llama import BackendOptions, Context
from lager_lite.llama.schedule import Step
from lager_lite.records import Item

PARTS = ("tokens", "attention", "outputs", "batches")


def measure(judge: Judge, items: Sequence[Item]) -> tuple[dict[str, float], float]:
    """Shares of the processor time of judging by part, those of PARTS and "outside llama.cpp", which sum up to 1, and
    the mean number of tokens that an evaluated token attends to."""
    counts: list[tuple[int, int, int, int]] = []
    costs: list[float] = []
    decode = Context._run

    def timed(context: Context, step: Step, flags: np.ndarray) -> None:
        start = time.process_time()
        decode(context, step, flags)
        costs.append(time.process_time() - start)
        counts.append((len(step.tokens), int(step.positions.sum()) + len(step.tokens), int(flags.sum()), 1))

    _judge(judge, items[:2])  # The first decodes take longer.
    with patch.object(Context, "_run", timed):
        start = time.process_time()
        _judge(judge, items)
        whole = time.process_time() - start
    given = np.array(counts, dtype=np.float64)
    size = given.max(axis=0)
    coefficients, _ = nnls(given / size, np.array(costs))
    spent = dict(zip(PARTS, coefficients / size * given.sum(axis=0)))
    spent["outside llama.cpp"] = whole - sum(costs)
    total = sum(spent.values())
    return {name: float(part / total) for name, part in spent.items()}, given[:, 1].sum() / given[:, 0].sum()


def _judge(judge: Judge, items: Sequence[Item]) -> None:
    for _ in judge.judged(items, quiet=True):
        pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items")
    parser.add_argument("-m", "--model")
    parser.add_argument("-r", "--rubric", action="append", help="A name or a file; may be repeated.")
    parser.add_argument("-n", "--limit", type=int, default=28, help="How many items.  [default: 28]")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    items = list(itertools.islice(read_items(given.items).items, given.limit))
    with Judge(given.model, rubric=given.rubric or "default", options=BackendOptions(threads=1), store=None) as judge:
        shares, depth = measure(judge, items)
    print(f"{len(items)} items, mean depth {depth:.0f} tokens")
    for name, share in shares.items():
        print(f"{name}: {100 * share:.0f}%")


if __name__ == "__main__":
    main()
