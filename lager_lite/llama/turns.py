"""One use at a time of what threads share: a use that was left is ended, and never goes on beside a newer one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, suppress
from typing import Any, TypeVar

from ..errors import MisuseError
from .ahead import ahead
from .owned import Owned

Element = TypeVar("Element")


class Turns:
    """The uses of one pointer, each an iterator whose steps have the pointer for themselves."""

    def __init__(self, owned: Owned) -> None:
        self._owned = owned
        self._number = 0
        # A generator or None; the type of generators in `collections.abc` has no gi_running.
        self._latest: Any = None

    def begin(self) -> int:
        """End the use that was begun before, and return the number of a new one. Raises MisuseError as `pointer`."""
        with self._owned.lock:
            self._owned.check()
            self._number += 1
            number, left = self._number, self._latest
            self._latest = None
        if left is not None:
            # Without the lock, because its thread may need it to end. Where another thread is reading it, it is refused at
            # its next step: CPython 3.11 may end the process when a generator is closed that is running elsewhere.
            with suppress(ValueError):
                if not left.gi_running:
                    left.close()
        return number

    def run(
        self, source: Generator[Element, None, None], number: int, *, threaded: bool = False
    ) -> Generator[Element, None, None]:
        """Return what `source` yields as use `number`: no step of it runs beside another call.

        threaded: whether to run ahead of the reader (see `ahead`). The iterator raises MisuseError where a newer use
        was begun before `source` had ended, and as `Owned.check`.
        """
        ended: list[bool] = []
        steps = self._steps(source, number, ended)
        self._latest = ahead(steps) if threaded else steps
        return self._checked(self._latest, number, ended)

    def _checked(
        self, steps: Generator[Element, None, None], number: int, ended: list[bool]
    ) -> Generator[Element, None, None]:
        # Not closed by the next use, but refused: an iterator that just ended would seem to have read everything.
        with closing(steps):
            yield from steps
            if not ended:
                self._check(number)

    def _steps(
        self, source: Generator[Element, None, None], number: int, ended: list[bool]
    ) -> Generator[Element, None, None]:
        with closing(source):
            while True:
                with self._owned.lock:
                    self._check(number)
                    try:
                        element = next(source)
                    except StopIteration:
                        ended.append(True)
                        return
                yield element

    def _check(self, number: int) -> None:
        self._owned.check()
        if self._number != number:
            raise MisuseError(
                f"another use of {self._owned.what} was begun before this one had ended",
                "read one to its end before the next one begins, or open one for each",
            )
