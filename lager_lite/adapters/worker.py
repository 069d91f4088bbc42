"""One thread that judges for many callers: what waits is judged together, so that prompts share their prefixes."""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ..errors import REQUEST, LagerError, through
from ..judging import Judge, under
from ..prompts import Rubric
from ..records import Judgment

TOGETHER = 256
"""The most judgments that are read together: more would keep a caller waiting for the answers of others."""

_VIEWS = 32
_PATIENCE = 60


class BusyError(LagerError):
    """Too much is waiting already.

    - `retry_after`: the seconds after which there should be room.
    """

    def __init__(self, message: str, hint: str, retry_after: int) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class StoppingError(LagerError):
    """The worker is being closed."""


@dataclass(frozen=True)
class Ask:
    """What one caller wants to have judged.

    - `key`: names the judge that `view` gives; what waits under one key is judged together.
    - `view`: from the worker's judge to the one that answers; called in the worker's thread. May raise LagerError.
    - `answers`: from that judge and some items to the answers to each of them, in their order.
    - `items`: what is judged.
    - `judgments`: how many judgments it takes.
    """

    key: Hashable
    view: Callable[[Judge], Judge]
    answers: Callable[[Judge, Sequence[Any]], Sequence[Any]]
    items: tuple[Any, ...]
    judgments: int


def scoring(rubrics: tuple[Rubric, ...] | None, items: Sequence[Any], n_rubrics: int) -> Ask:
    """Return the Ask for the judgments of items; each item is answered by a tuple of them, one for each rubric.

    rubrics: None for those of the worker's judge; n_rubrics: how many there are.
    """
    view = (lambda judge: judge) if rubrics is None else (lambda judge: under(judge, rubrics))
    return Ask(rubrics, view, judgments_of, tuple(items), len(items) * n_rubrics)


def judgments_of(judge: Judge, items: Sequence[Any]) -> list[tuple[Judgment, ...]]:
    """Judge items; returns the judgments of each, one for every rubric."""
    found = iter([judgment for _, judgment in judge.judged(items, quiet=True)])
    return [tuple(itertools.islice(found, len(judge.rubrics))) for _ in items]


@dataclass
class _Job:
    """An Ask, the future of its answers, and those that there are."""

    ask: Ask
    future: Future[Sequence[Any]]
    answers: list[Any] = field(default_factory=list)

    @property
    def each(self) -> int:
        """The judgments that an item takes."""
        return max(1, self.ask.judgments // max(1, len(self.ask.items)))

    @property
    def left(self) -> int:
        """The judgments that are still to be made."""
        return (len(self.ask.items) - len(self.answers)) * self.each

    def part(self, room: int) -> tuple[Any, ...]:
        """The next items, for about `room` judgments."""
        done = len(self.answers)
        return self.ask.items[done : done + max(1, room // self.each)]

    def end(self, error: Exception | None = None) -> None:
        """Give the future its answers, or an error, unless nobody waits any more."""
        if not self.future.set_running_or_notify_cancel():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(self.answers)


class Worker:
    """Judges what `submit` is given, in a thread of its own; a context manager.

    - `judge`: what it judges with, and what nobody else should use meanwhile. It stays open.
    - `most`: the number of judgments that may wait.

    A long Ask is answered in parts, between which others have their turns. An Ask that fails fails alone: what was
    judged together with it is judged once more without it.
    """

    def __init__(self, judge: Judge, *, most: int = 4096) -> None:
        self.judge, self.most = judge, most
        self._views: OrderedDict[Hashable, Judge] = OrderedDict()
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._stopping = self._given_up = False
        self._rate = 0.0
        self._done = self._busy = 0
        self._thread = threading.Thread(target=self._run, daemon=True, name="worker")
        self._thread.start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        """The number of judgments that wait or are being made."""
        with self._changed:
            return self._load()

    @property
    def done(self) -> int:
        """The number of judgments that were made."""
        return self._done

    def submit(self, ask: Ask) -> Future[Sequence[Any]]:
        """Return the future of the answers to an Ask, one for each item; to cancel it takes it from the queue.

        Raises BusyError where too much waits, and StoppingError after `close` was called. The future raises what
        judging raises, and StoppingError.
        """
        with self._changed:
            if self._stopping:
                raise _stopping()
            load = self._load()
            if load and load + ask.judgments > self.most:
                raise BusyError(
                    f"{load} judgments are waiting, and at most {self.most} may", "ask again later", self._room_in(load)
                )
            job = _Job(ask, Future())
            self._jobs.append(job)
            self._changed.notify()
            return job.future

    def close(self, patience: float = 0.0) -> None:
        """Take nothing more, and finish what waits within `patience` seconds; what is left gets a StoppingError.

        What was evaluated by then is in the judge's store. The judge is closed where it must be stopped in the middle
        of a batch.
        """
        end = time.monotonic() + patience
        with self._changed:
            self._stopping = True
            self._changed.notify()
            idle = self._load() == 0
        # Without work the thread ends at once, and the judge stays open for others.
        self._thread.join(_PATIENCE if idle else max(0.0, end - time.monotonic()))
        if not self._thread.is_alive():
            return
        with self._changed:
            self._given_up = True
            left = list(self._jobs)
            self._jobs.clear()
        for job in left:
            job.end(_stopping())
        self.judge.close()
        self._thread.join(_PATIENCE)

    def _load(self) -> int:
        return self._busy + sum(job.left for job in self._jobs if not job.future.cancelled())

    def _room_in(self, load: int) -> int:
        """The seconds until half of what waits is done, from 1 to 60."""
        return int(min(60, max(1, load / 2 / self._rate))) if self._rate else 1

    def _run(self) -> None:
        with through(REQUEST):
            self._work()

    def _work(self) -> None:
        while parts := self._next():
            start = time.monotonic()
            groups: dict[Hashable, list[tuple[_Job, tuple[Any, ...]]]] = {}
            for job, items in parts:
                groups.setdefault(job.ask.key, []).append((job, items))
            unfinished = [job for group in groups.values() for job in self._answer(group)]
            with self._changed:
                made, self._busy = self._busy, 0
                self._done += made
                # Behind the others, which have waited meanwhile.
                self._jobs.extend(unfinished)
                stopped = list(self._jobs) if self._given_up else []
            for job in stopped:
                job.end(_stopping())
            if stopped:
                return
            self._rate = made / max(1e-6, time.monotonic() - start)

    def _next(self) -> list[tuple[_Job, tuple[Any, ...]]]:
        """Wait for something to do, and return it; empty where nothing is left to do."""
        with self._changed:
            taken: list[tuple[_Job, tuple[Any, ...]]] = []
            while not taken:
                while not self._jobs and not self._stopping:
                    self._changed.wait()
                if not self._jobs:
                    return []
                while self._jobs and self._busy < TOGETHER:
                    job = self._jobs.popleft()
                    if not job.future.cancelled():
                        items = job.part(TOGETHER - self._busy)
                        taken.append((job, items))
                        self._busy += len(items) * job.each
            return taken

    def _answer(self, group: Sequence[tuple[_Job, tuple[Any, ...]]]) -> list[_Job]:
        """Answer parts of jobs with one key; returns the jobs that are not finished."""
        try:
            ask = group[0][0].ask
            answers = iter(ask.answers(self._view(ask), [item for _, items in group for item in items]))
            dealt = [list(itertools.islice(answers, len(items))) for _, items in group]
            if len(dealt[-1]) < len(group[-1][1]):
                raise RuntimeError("there are fewer answers than items")
        except Exception as error:
            if len(group) > 1 and not self._stopping:
                return [job for one in group for job in self._answer([one])]
            for job, _ in group:
                job.end(error)
            return []
        for (job, _), own in zip(group, dealt):
            job.answers += own
            if not job.left:
                job.end()
        return [job for job, _ in group if job.left]

    def _view(self, ask: Ask) -> Judge:
        if ask.key not in self._views:
            self._views[ask.key] = ask.view(self.judge)
            while len(self._views) > _VIEWS:
                self._views.popitem(last=False)
        self._views.move_to_end(ask.key)
        return self._views[ask.key]


def _stopping() -> StoppingError:
    return StoppingError("the server is stopping", "ask again when it runs again")
