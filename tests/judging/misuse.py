"""Random uses and misuses of a judge, to be run in a process of their own: it may die.

    python -m tests.judging.misuse MODEL FOLDER FIRST COUNT

Every sequence opens judges, scores, abandons, closes, forks, and sends SIGINT, from several threads. Prints the
outcomes as JSON: how often what happened, and in "wrong" every exception or score that must not be.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import json
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from lager_lite.errors import JudgeWarning, MisuseError
from lager_lite.judging import Judge, Store
from lager_lite.llama import BackendOptions
from lager_lite.prompts import make_rubric
from lager_lite.records import Item

OPTIONS = BackendOptions.exact(threads=1, batch_size=32, ubatch_size=32)
RUBRIC = make_rubric("short", "Is it good?", template="{sections} {criterion}")
ITEMS = [Item(str(i), {"response": f"{i} " + "word " * (i % 7)}) for i in range(40)]
# What --exact promises of a stock library, whose sums depend on company in the last digits.
TOLERANCE = 1e-4


class Sequence:
    """One sequence: its judge, its store, and what came out."""

    def __init__(self, model: str, folder: Path, seed: int, expected: dict[str, float]) -> None:
        self.model, self.folder, self.rng, self.expected = model, folder, random.Random(seed), expected
        self.counts: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.left: list[Iterator] = []
        self.closed = False
        self.store = Store(folder / f"{seed}.sqlite") if self.rng.random() < 0.5 else None
        self.judge = self.open()

    def open(self) -> Judge:
        judge = Judge(self.model, rubric=RUBRIC, options=OPTIONS, store=self.store)
        judge.window = self.rng.choice((3, 10, 2048))
        return judge

    def guarded(self, name: str, use: Callable[[], None], *, may_refuse: bool, may_stop: bool = False) -> None:
        """Do something; note how it ended, and whether it may end so."""
        try:
            use()
            self.counts[name] += 1
        except MisuseError as error:
            self.counts[f"{name}: refused"] += 1
            if not may_refuse:
                self.wrong.append(f"{name}: {error.message}")
        except KeyboardInterrupt:
            self.counts[f"{name}: stopped"] += 1
            if not may_stop:
                self.wrong.append(f"{name}: KeyboardInterrupt")
        except BaseException as error:
            self.wrong.append(f"{name}: {error!r}")

    def score(self, items: list[Item], progress: Callable | None = None) -> None:
        """Score some items, and compare."""
        found = list(self.judge.score(items, progress=progress))
        if [judgment.id for judgment in found] != [item.id for item in items]:
            self.wrong.append(f"{len(found)} judgments for {len(items)} items")
        self.compare(found)

    def compare(self, judgments: list) -> None:
        """Note scores that differ from those of an undisturbed judge."""
        for judgment in judgments:
            if judgment.score is None or abs(judgment.score - self.expected[judgment.id]) > TOLERANCE:
                self.wrong.append(f"{judgment.id}: {judgment.score}, not {self.expected[judgment.id]}")

    def some(self) -> list[Item]:
        """A few items."""
        return self.rng.sample(ITEMS, self.rng.randint(1, 12))

    def whole(self) -> None:
        """Score to the end."""
        self.guarded("score", lambda: self.score(self.some()), may_refuse=self.closed)

    def part(self) -> None:
        """Score, and leave the iterator where it is."""
        iterator = self.judge.score(self.some())
        self.left.append(iterator)
        self.guarded("begin", lambda: self.compare([next(iterator)]), may_refuse=self.closed)

    def more(self) -> None:
        """Go on with an iterator that was left."""
        if self.left:
            iterator = self.left.pop()
            self.guarded("go on", lambda: self.compare(list(iterator)), may_refuse=self.closed)

    def abandon(self) -> None:
        """Drop the judge and what was left, and open another one."""
        self.left.clear()
        self.judge = self.open()
        self.closed = False
        gc.collect()

    def close(self) -> None:
        """Close, perhaps twice."""
        for _ in range(self.rng.randint(1, 2)):
            self.guarded("close", self.judge.close, may_refuse=False)
        self.closed = True

    def inside(self) -> None:
        """Score in the progress callback."""
        items = self.some()
        self.guarded("nested", lambda: self.score(items, lambda _: self.score(items[:1])), may_refuse=True)

    def threads(self) -> None:
        """Score in several threads, and perhaps close meanwhile."""
        ends = self.closed or self.rng.random() < 0.4
        drawn = [self.some() for _ in range(3)]
        works = [
            threading.Thread(
                target=self.guarded, args=("thread", lambda d=d: self.score(d)), kwargs={"may_refuse": ends}
            )
            for d in drawn
        ]
        for work in works:
            work.start()
        if ends:
            time.sleep(self.rng.uniform(0, 0.02))
            self.judge.close()
            self.closed = True
        for work in works:
            work.join()

    def interrupt(self) -> None:
        """SIGINT at a random moment of scoring, perhaps two."""
        delays = [self.rng.uniform(0, 0.03) for _ in range(self.rng.randint(1, 2))]
        begun, over = threading.Event(), threading.Event()

        def send() -> None:
            begun.wait()
            for delay in delays:
                time.sleep(delay)
                os.kill(os.getpid(), signal.SIGINT)
            over.set()

        def disturbed() -> None:
            begun.set()
            while not over.is_set():
                self.score(self.some())

        sender = threading.Thread(target=send)
        sender.start()
        # The second signal may come while the first one's end is noted.
        with contextlib.suppress(KeyboardInterrupt):
            self.guarded("interrupt", disturbed, may_refuse=self.closed, may_stop=True)
        while True:
            try:
                # Not with join: in Python 3.11 one that was interrupted takes a running thread for an ended one.
                over.wait()
                # The last signal may still be on its way.
                signal.signal(signal.SIGINT, lambda *_: None)
                time.sleep(0.005)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                return
            except KeyboardInterrupt:
                continue

    def fork(self) -> None:
        """Use it in a forked process."""
        child = os.fork()
        if not child:
            code = 1
            try:
                list(self.judge.score(ITEMS[:2]))
            except MisuseError:
                self.judge.close()
                code = 0
            finally:
                os._exit(code)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.005)
        else:
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
        self.counts["fork"] += 1
        if status:
            self.wrong.append(f"fork: status {status}")

    def run(self) -> None:
        """Do a dozen random things."""
        uses = [self.whole, self.part, self.more, self.close, self.inside, self.threads, self.interrupt, self.fork]
        for _ in range(12):
            self.rng.choice([*uses, self.abandon, self.whole, self.part, self.abandon])()
        self.judge.close()
        if self.store is not None:
            self.store.close()
            with Store(self.store.path) as again:
                if again.notice or again._db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                    self.wrong.append(f"the store is damaged: {again.notice}")


def main() -> None:
    """Run COUNT sequences from seed FIRST on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("ignore", JudgeWarning)
    model, folder, first, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    with Judge(model, rubric=RUBRIC, options=OPTIONS) as judge:
        expected = {judgment.id: float(judgment.score or 0) for judgment in judge.score(ITEMS)}
    counts: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    for seed in range(first, first + count):
        one = Sequence(model, folder, seed, expected)
        one.run()
        counts += one.counts
        wrong += [f"seed {seed}: {text}" for text in one.wrong]
    print(json.dumps({"counts": counts, "wrong": wrong}))


if __name__ == "__main__":
    main()
