"""Ctrl-C and SIGTERM: the first one finishes and stores the current batch, a second one stops immediately.

Outside a batch the first one stops immediately, too. Python's own handlers wait until a call into compiled
code returns, and loading a model or evaluating a batch are such calls; so a thread sees every signal
as it comes, says so, and ends the process where nothing else does.

Compiled code calls back into Python, and there Python runs the handlers of signals. What a handler raises in
a callback is lost, and the callback's answer with it, so nothing is raised until the compiled code has
returned. This holds for the handlers of a program that uses the package, too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

GRACE = 1.0
_NUMBERS = (signal.SIGINT, signal.SIGTERM)
# Signals for which programs have handlers that may raise. SIGINT comes first, so that it is restored last.
_NAMES = ["INT", "TERM", "HUP", "QUIT", "ALRM", "VTALRM", "PROF", "USR1", "USR2", "CHLD", "BREAK"]
_HANDLED = [getattr(signal, f"SIG{name}") for name in _NAMES if hasattr(signal, f"SIG{name}")]
_LATER = "Stopping: the current batch is finished and stored first; a second signal stops immediately."
_KILLED = "Stopped immediately: the current batch is lost; everything stored before it is kept."
_ENDED = "Stopped immediately: the step that was under way is lost; what was finished before it is kept."


class Interrupted(KeyboardInterrupt):
    """The user or the system asked to stop; exit_code: 128 and the signal's number (130 or 143)."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.name = signal.Signals(number).name
        self.exit_code = 128 + number


class _Watch:
    """Answers signals with one Interrupted, and with the end of the process where that does not come in time.

    - `holds`, `inside`: how many blocks of `signals_held` and of `signals_deferred` are open.
    - `later`: what is said of a first signal that comes in a block of `signals_held`.
    - `_first`: the number of the first signal.
    - `_deferred`: whether a signal waits for the end of these blocks; `_patient`: whether a batch is stored meanwhile.
    - `_raised`: whether Interrupted was raised. It is raised once, since a second one could hit the cleaning up.
    - `_received`: how many signals the thread saw, which compiled code cannot keep waiting.
    """

    def __init__(self) -> None:
        # The first block is that of beginning to watch, the last that of ending it.
        self.holds, self.inside = 0, 1
        self.later = _LATER
        self._first = self._received = 0
        self._deferred = self._patient = self._raised = False
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

    @property
    def waits(self) -> bool:
        """Whether a signal came that was not raised yet."""
        return self._deferred and not self._raised

    def raise_pending(self) -> None:
        """Raise Interrupted where a signal waits and no block is left to wait for."""
        if self._deferred and not (self.holds or self.inside or self._raised):
            self._raised = True
            raise Interrupted(self._first)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._first = self._first or number
        self._deferred = True
        self._patient = self._patient or self.holds > 0
        # A compiled module that is being imported answers any exception with an ImportError. The next block raises then,
        # or the thread ends the process.
        if not _is_importing(frame):
            self.raise_pending()

    def _look(self) -> None:
        while (byte := os.read(self._read, 1)) not in (b"", b"\0"):
            if byte[0] not in _NUMBERS:
                continue
            self._received += 1
            if self._received == 1 and self.holds:
                _say(self.later)
            elif not self._over.wait(GRACE) and (self._received > 1 or not self._patient):
                _say(_KILLED if self._patient or self.holds else _ENDED)
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
    with _Watch() as watch:
        _watch = watch
        try:
            watch.inside -= 1
            watch.raise_pending()
            yield
        finally:
            watch.inside += 1
            _watch = None


@contextmanager
def signals_held(later: str = _LATER) -> Iterator[None]:
    """Hold a signal back until the block has ended, and then raise Interrupted; for a batch that is to be stored.

    Outside `watching` the handlers of the program are called when the block has ended, so Ctrl-C raises its
    KeyboardInterrupt there. Does nothing outside the main thread, where Python calls no handlers. later: what is said
    when the signal comes.
    """
    watch = _watch
    if not _in_main_thread() or _noting:
        yield
    elif watch is None:
        with _noted():
            yield
    else:
        watch.holds += 1
        before, watch.later = watch.later, later
        try:
            yield
        finally:
            watch.holds -= 1
            watch.later = before
            watch.raise_pending()


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Raise nothing for a signal until the block has ended; for compiled code that calls back into Python.

    As `signals_held`, but the user has no batch to wait for: where the block does not end within GRACE seconds, the
    process does.
    """
    watch = _watch
    if not _in_main_thread() or _noting:
        yield
    elif watch is None:
        with _noted():
            yield
    else:
        watch.inside += 1
        try:
            yield
        finally:
            watch.inside -= 1
            watch.raise_pending()


def signal_waits() -> bool:
    """Whether a signal waits for the end of a block of `watching`; for a loop that stops by itself."""
    return _watch is not None and _watch.waits


_noting = False


@contextmanager
def _noted() -> Iterator[None]:
    """Note signals in the place of the program's handlers, and call these when the block has ended."""
    global _noting
    came: list[int] = []
    handlers: dict[int, Callable[..., Any]] = {}
    try:
        _noting = True
        for number in _HANDLED:
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
                signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        left = dict(handlers)
        try:
            _restore(left)
        finally:
            _noting = False
            _restore(left)
        for number in came:
            handlers[number](number, sys._getframe())


def _restore(handlers: dict[int, Callable[..., Any]]) -> None:
    """Set handlers, the last one first, and take each out of the dict once it is set: one that is called in between
    may raise, and the next call goes on from there."""
    while handlers:
        number = next(reversed(handlers))
        signal.signal(number, handlers[number])
        del handlers[number]


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _in_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


def _say(text: str) -> None:
    """Write a line on stderr; on a terminal in the place of the line there, which may be a bar and the sign of Ctrl-C."""
    try:
        begin = "\r" + " " * (os.get_terminal_size(2).columns - 1) + "\r"
    except OSError:
        begin = "\n"
    os.write(2, f"{begin}{text}\n".encode())
