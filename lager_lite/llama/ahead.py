"""Run an iterator ahead of its reader, in a thread.

Calls into llama.cpp let go of Python's global lock, so a thread that decodes and one that reads what was
decoded keep a GPU and a core busy at once.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Generator
from typing import TypeVar, cast

Element = TypeVar("Element")

# Python lets a waiting thread run after 5 ms by default, which is as long as a decode on a large GPU.
_SWITCH = 2e-4
_PATIENCE = 0.02


class _End(Exception):
    """The source has no more elements."""


class _QuickTurns:
    """Lets waiting threads run sooner, from the first use to the end of the last one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uses = 0
        self._before = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._uses:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(self._before, _SWITCH))
            self._uses += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._uses -= 1
            if not self._uses:
                sys.setswitchinterval(self._before)


_quick_turns = _QuickTurns()


def ahead(source: Generator[Element, None, None], waiting: int = 2) -> Generator[Element, None, None]:
    """Yield what `source` yields, in its order, while a thread computes up to `waiting` elements ahead.

    Whatever `source` raises is raised here after the elements before it. Closing this iterator waits for the element
    that is being computed, and closes `source`, before it returns.
    """
    found: queue.Queue[tuple[Element | None, BaseException | None]] = queue.Queue(waiting)
    stopped = threading.Event()
    thread = threading.Thread(target=_fill, args=(source, found, stopped), daemon=True, name="ahead")
    with _quick_turns:
        thread.start()
        try:
            while True:
                element, error = found.get()
                if isinstance(error, _End):
                    return
                if error is not None:
                    raise error
                yield cast(Element, element)
        finally:
            stopped.set()
            thread.join()


def _fill(
    source: Generator[Element, None, None],
    found: queue.Queue[tuple[Element | None, BaseException | None]],
    stopped: threading.Event,
) -> None:
    try:
        for element in source:
            if not _put(found, (element, None), stopped):
                break
        _put(found, (None, _End()), stopped)
    except BaseException as error:
        _put(found, (None, error), stopped)
    finally:
        source.close()


def _put(
    found: queue.Queue[tuple[Element | None, BaseException | None]],
    entry: tuple[Element | None, BaseException | None],
    stopped: threading.Event,
) -> bool:
    """Wait for room in the queue; return whether the reader is still there."""
    while not stopped.is_set():
        try:
            found.put(entry, timeout=_PATIENCE)
        except queue.Full:
            continue
        return True
    return False
