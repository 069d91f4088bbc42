"""Ctrl-C and SIGTERM: the first one finishes and stores the current batch, a second one stops immediately.

Outside a batch the first one stops immediately, too. Python's own handlers wait until a call into compiled
code returns, and loading a model or evaluating a batch are such calls; so a thread sees every signal
as it comes, says so, and ends the process where nothing else does.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

GRACE = 1.0
_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_LATER = "Stopping: the current batch is finished and stored first; a second signal stops immediately."
_KILLED = "Stopped immediately: the current batch is lost; everything stored before it is kept."


class Interrupted(KeyboardInterrupt):
    """The user or the system asked to stop; exit_code: 128 and the signal's number (130 or 143)."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.name = signal.Signals(number).name
        self.exit_code = 128 + number


class _Watch:
    """Counts signals, in the handler (`seen`) and in a thread that compiled code cannot keep waiting
    (`received`); first: the number of the first one."""

    def __init__(self) -> None:
        self.first = 0
        self.seen = self.received = 0
        self.holds = 0
        self.deferred = False
        self._read, self._write = os.pipe()
        if os.name == "posix":
            os.set_blocking(self._write, False)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True, name="interrupts")

    def __enter__(self) -> _Watch:
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, self._handle) for number in _NUMBERS}
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for number, handler in self._handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        signal.set_wakeup_fd(self._wakeup)
        os.write(self._write, b"\0")
        self._thread.join()
        os.close(self._read)
        os.close(self._write)

    def raise_pending(self) -> None:
        """Raise Interrupted where a signal was held back and no hold is left."""
        if self.deferred and not self.holds:
            raise Interrupted(self.first)

    def _handle(self, number: int, _frame: object) -> None:
        self.first = self.first or number
        self.seen += 1
        self.deferred = bool(self.holds)
        # Signals that come while compiled code runs are handed on as one.
        if max(self.seen, self.received) > 1 or not self.holds:
            raise Interrupted(self.first)

    def _look(self) -> None:
        while (byte := os.read(self._read, 1)) not in (b"", b"\0"):
            if byte[0] not in _NUMBERS:
                continue
            self.received += 1
            if self.received == 1 and self.holds:
                _say(_LATER)
            elif not self._over.wait(GRACE) and (self.received > 1 or not self.deferred):
                _say(_KILLED)
                os._exit(128 + byte[0])


_watch: _Watch | None = None


@contextmanager
def watching() -> Iterator[None]:
    """Answer SIGINT and SIGTERM with Interrupted until the block ends.

    Does nothing outside the main thread, where Python allows no handlers, and inside another block.
    """
    global _watch
    if _watch is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    with _Watch() as _watch:
        try:
            yield
        finally:
            _watch = None


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold a first signal back until the block has ended, and then raise Interrupted."""
    watch = _watch
    if watch is None:
        yield
        return
    watch.holds += 1
    try:
        yield
    finally:
        watch.holds -= 1
    watch.raise_pending()


def _say(text: str) -> None:
    os.write(2, f"\n{text}\n".encode())
