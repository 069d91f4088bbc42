"""One thread that judges for many callers: what waits is judged together, so that prompts share their prefixes."""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ..errors import LagerError
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


class Worker:
    """Judges what `submit` is given, in a thread of its own; a context manager.

    - `judge`: what it judges with, and what nobody else should use meanwhile. It stays open.
    - `most`: the number of judgments that may wait.

    An Ask that fails fails alone: what was judged together with it is judged once more without it.
    """

    def __init__(self, judge: Judge, *, most: int = 4096) -> None:
        self.judge, self.most = judge, most
        self._views: OrderedDict[Hashable, Judge] = OrderedDict()
        self._waiting: deque[tuple[Ask, Future[Sequence[Any]]]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._load = 0
        self._rate = 0.0
        self._done = 0
        self._thread = threading.Thread(target=self._run, daemon=True, name="worker")
        self._thread.start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        """The number of judgments that wait or are being made."""
        return self._load

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
                raise StoppingError("the server is stopping", "ask again when it runs again")
            if self._load + ask.judgments > self.most:
                self._drop_cancelled()
            if self._load and self._load + ask.judgments > self.most:
                raise BusyError(
                    f"{self._load} judgments are waiting, and at most {self.most} may",
                    "ask again later",
                    self._room_in(),
                )
            future: Future[Sequence[Any]] = Future()
            self._waiting.append((ask, future))
            self._load += ask.judgments
            self._changed.notify()
            return future

    def close(self, patience: float = 0.0) -> None:
        """Take nothing more, and finish what waits within `patience` seconds; what is left gets a StoppingError.

        What was evaluated by then is in the judge's store. The judge is closed where it must be stopped in the middle
        of a batch.
        """
        end = time.monotonic() + patience
        with self._changed:
            self._stopping = True
            self._changed.notify()
        # Without work the thread ends at once, and the judge stays open for others.
        self._thread.join(max(0.0, end - time.monotonic()) if self._load else _PATIENCE)
        if not self._thread.is_alive():
            return
        with self._changed:
            left = list(self._waiting)
            self._waiting.clear()
        for _, future in left:
            _fail(future, StoppingError("the server is stopping", "ask again when it runs again"))
        self.judge.close()
        self._thread.join(_PATIENCE)

    def _drop_cancelled(self) -> None:
        for ask, future in [one for one in self._waiting if one[1].cancelled()]:
            self._waiting.remove((ask, future))
            self._load -= ask.judgments

    def _room_in(self) -> int:
        """The seconds until half of what waits is done, from 1 to 60."""
        return int(min(60, max(1, self._load / 2 / self._rate))) if self._rate else 1

    def _run(self) -> None:
        while batch := self._next():
            start = time.monotonic()
            alive = [(ask, future) for ask, future in batch if future.set_running_or_notify_cancel()]
            groups: dict[Hashable, list[tuple[Ask, Future[Sequence[Any]]]]] = {}
            for ask, future in alive:
                groups.setdefault(ask.key, []).append((ask, future))
            for group in groups.values():
                self._answer(group)
            made = sum(ask.judgments for ask, _ in alive)
            with self._changed:
                self._load -= sum(ask.judgments for ask, _ in batch)
                self._done += made
            if made:
                self._rate = made / max(1e-6, time.monotonic() - start)

    def _next(self) -> list[tuple[Ask, Future[Sequence[Any]]]]:
        """Wait for something to do; empty where there is nothing left to do."""
        with self._changed:
            while not self._waiting and not self._stopping:
                self._changed.wait()
            taken: list[tuple[Ask, Future[Sequence[Any]]]] = []
            judgments = 0
            while self._waiting and (not taken or judgments + self._waiting[0][0].judgments <= TOGETHER):
                taken.append(self._waiting.popleft())
                judgments += taken[-1][0].judgments
            return taken

    def _answer(self, group: Sequence[tuple[Ask, Future[Sequence[Any]]]]) -> None:
        first = group[0][0]
        try:
            judge = self._view(first)
            items = [item for ask, _ in group for item in ask.items]
            answers = iter(first.answers(judge, items))
            dealt = [list(itertools.islice(answers, len(ask.items))) for ask, _ in group]
        except Exception as error:
            if len(group) == 1 or self._stopping:
                for _, future in group:
                    future.set_exception(error)
                return
            for one in group:
                self._answer([one])
            return
        for (_, future), own in zip(group, dealt):
            future.set_result(own)

    def _view(self, ask: Ask) -> Judge:
        if ask.key not in self._views:
            self._views[ask.key] = ask.view(self.judge)
            while len(self._views) > _VIEWS:
                self._views.popitem(last=False)
        self._views.move_to_end(ask.key)
        return self._views[ask.key]


def _fail(future: Future[Sequence[Any]], error: Exception) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(error)
