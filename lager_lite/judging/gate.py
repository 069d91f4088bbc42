"""Who may use a judge now: one thread at a time, nobody after it was closed, and no other process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MisuseError


class Gate:
    """Lets the users of something in, one after the other.

    - `what`: what it is, in words, for messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._closed = self._busy = False

    def check(self) -> None:
        """Raise MisuseError where it is closed, and in a forked process."""
        if os.getpid() != self._process:
            raise MisuseError(
                f"{self._what} was opened before this process was forked, and cannot be used in it",
                "open one in the new process, or start processes with multiprocessing's method 'spawn'",
            )
        if self._closed:
            raise MisuseError(
                f"{self._what} is closed",
                "read all judgments before it is closed: `score` gives them one by one, `list(judge.score(items))` at once",
            )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turns of other threads. Raises as `check`, and for a turn inside a turn of this thread."""
        self.check()
        with self._lock:
            self.check()
            if self._busy:
                raise MisuseError(
                    f"{self._what} is in the middle of a batch",
                    "do not use it in its own progress callback; score afterwards, or with a judge of its own",
                )
            self._busy = True
            try:
                yield
            finally:
                self._busy = False

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Let nobody in any more, and wait for the one inside, who must call `check` often."""
        self._closed = True
        if os.getpid() != self._process:
            yield  # A thread that has the lock may be missing here.
            return
        with self._lock:
            yield
