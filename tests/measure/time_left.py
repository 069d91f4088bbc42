"""How right the time left is that a command shows. A command:

    python -m tests.measure.time_left items.jsonl -m model.gguf -r helpfulness -n 40
    python -m tests.measure.time_left items.jsonl -m model.gguf -r helpfulness -n 40 --mixed
    python -m tests.measure.time_left items.jsonl -m model.gguf -r helpfulness -n 20 --reason 60

The items are judged without a store. When a tenth, three tenths and half of the time have passed, the line says
what the whole run was predicted to take then, and how far that is off. --mixed makes a file's responses differ in length:
every other one is repeated five times.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

from lager_lite.cli.show.pace import Pace
from lager_lite.data import read_items
from lager_lite.judging import Judge, Reasoning
from lager_lite.llama import BackendOptions
from lager_lite.records import Counts, Item

SHARES = (0.1, 0.2, 0.3, 0.5, 0.7)


def predictions(judge: Judge, items: Sequence[Item]) -> tuple[float, list[float | None]]:
    """The seconds that judging takes, and what they were predicted to be at each of SHARES; None where nothing was."""
    start = time.monotonic()
    pace = Pace(len(items) * len(judge.rubrics), start)
    told: list[tuple[float, float | None]] = []

    def update(counts: Counts) -> None:
        now = time.monotonic()
        pace.see(counts, now)
        left = pace.left(now)
        told.append((now - start, None if left is None else now - start + left))

    for _ in judge.score(items, progress=update):
        pass
    whole = time.monotonic() - start
    at = [[total for passed, total in told if passed <= share * whole] for share in SHARES]
    return whole, [one[-1] if one else None for one in at]


def mixed(items: Sequence[Item]) -> list[Item]:
    """The items with every other response five times as long."""
    return [
        replace(item, fields={**item.fields, "response": " ".join([item.fields["response"]] * (1 + 4 * (n % 2)))})
        for n, item in enumerate(items)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each of SHARES."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items")
    parser.add_argument("-m", "--model")
    parser.add_argument("-r", "--rubric", nargs="+", default=["default"])
    parser.add_argument("-n", "--limit", type=int)
    parser.add_argument("-t", "--threads", type=int)
    parser.add_argument("--window", type=int, help="items that are planned together")
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--reason", type=int)
    given = parser.parse_args(arguments)
    items: Sequence[Item] = read_items(given.items).items[: given.limit]
    items = mixed(items) if given.mixed else items
    reasoning = Reasoning(given.reason) if given.reason else None
    options = BackendOptions(threads=given.threads)
    with Judge(given.model, rubric=given.rubric, options=options, reasoning=reasoning) as judge:
        judge.window = given.window or judge.window
        whole, found = predictions(judge, items)
    print(f"{len(items) * len(given.rubric)} judgments in {whole:.1f} s")
    for share, total in zip(SHARES, found):
        shown = "nothing" if total is None else f"{total:.1f} s ({100 * (total / whole - 1):+.0f}%)"
        print(f"after {100 * share:.0f}%: {shown}")


if __name__ == "__main__":
    main()
