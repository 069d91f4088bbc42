"""What llama.cpp hands out: a pointer that is used only while it is valid, and freed once.

A pointer that was freed, or that another thread frees meanwhile, ends the process. After a fork the threads of
llama.cpp are missing, so that the first call in the child would never return. All three are refused in words.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

from ..errors import MisuseError
from ..system import signals_deferred


class Owned:
    """A pointer with the function that frees it.

    - `what`: what it is, in words, for messages.
    - `owner`: the object that frees it when it is no longer used, or at the end of the process.

    What is opened from it with `open` is freed before it.
    """

    def __init__(self, pointer: Any, free: Callable[[Any], object], what: str, owner: object) -> None:
        self.what = what
        self._pointer = pointer
        self._free = free
        self._process = os.getpid()
        self._closing = False
        self._lock = threading.RLock()
        self._opened: set[Owned] = set()
        weakref.finalize(owner, self.free)

    @property
    def lock(self) -> threading.RLock:
        """Held while the pointer is used, one thread at a time. Raises MisuseError in a forked process, where the
        thread that held it may be missing."""
        if os.getpid() != self._process:
            raise MisuseError(
                f"{self.what} was opened before this process was forked, and cannot be used in it",
                "open it in the new process, or start processes with multiprocessing's method 'spawn'",
            )
        return self._lock

    @property
    def pointer(self) -> Any:
        """The pointer. Raises as `check`."""
        self.check()
        return self._pointer

    def check(self) -> None:
        """Raise MisuseError where the pointer is being freed, or belongs to another process."""
        with self.lock:
            if self._closing:
                raise MisuseError(
                    f"{self.what} is closed", "open it again, or do everything with it before it is closed"
                )

    def open(self, make: Callable[[Any], Any], free: Callable[[Any], object], what: str, owner: object) -> Owned | None:
        """Return what `make` makes of the pointer; None where it makes nothing. Raises MisuseError as `pointer`."""
        with self.lock:
            made = make(self.pointer)
            if not made:
                return None
            found = Owned(made, free, what, owner)
            self._opened.add(found)
            return found

    def free(self) -> None:
        """Free the pointer, and before it whatever was opened from it; does nothing the second time, or after a fork.

        Waits for the thread that uses it.
        """
        if os.getpid() != self._process:
            return
        self._closing = True
        # Without the lock: whoever uses one of these may need this one, too, before it is done.
        while self._opened:
            self._opened.pop().free()
        with self._lock, signals_deferred():
            pointer, self._pointer = self._pointer, None
            if pointer:
                self._free(pointer)
