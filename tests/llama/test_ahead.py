"""An iterator that runs ahead of its reader gives what it would give without a thread."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from lager_lite.llama.ahead import ahead


def test_elements_come_in_their_order() -> None:
    assert list(ahead(i for i in range(1000))) == list(range(1000))


def test_the_source_runs_in_another_thread_while_the_reader_works() -> None:
    """Twenty elements that take 10 ms each, read by someone who takes 10 ms for each: 0.2 s and not 0.4 s."""

    def slow():
        for i in range(20):
            time.sleep(0.01)
            yield i, threading.current_thread()

    start = time.perf_counter()
    threads = []
    for _, thread in ahead(slow()):
        time.sleep(0.01)
        threads.append(thread)
    assert time.perf_counter() - start < 0.35
    assert threading.current_thread() not in threads and len(set(threads)) == 1


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, StopIteration])
def test_an_error_comes_behind_the_elements_before_it(kind) -> None:
    class Source:
        def __init__(self) -> None:
            self.left = [1, 2]

        def __iter__(self):
            return self

        def __next__(self):
            if self.left:
                return self.left.pop(0)
            raise kind("at the third")

        def close(self) -> None: ...

    seen = []
    if kind is StopIteration:  # how every iterator ends
        assert list(ahead(Source())) == [1, 2]
        return
    with pytest.raises(kind, match="at the third"):
        for element in ahead(Source()):
            seen.append(element)
    assert seen == [1, 2]


def test_a_reader_that_leaves_ends_the_source_and_its_thread() -> None:
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    before, interval = threading.active_count(), sys.getswitchinterval()
    running = ahead(endless())
    assert next(running) == 1
    running.close()
    assert closed.is_set() and threading.active_count() == before and sys.getswitchinterval() == interval


def test_turns_are_quick_until_the_last_of_several_uses_ends() -> None:
    """With the first use to end, the interval would be long again for the others, and short for ever after the last."""
    usual = sys.getswitchinterval()
    one, other = ahead(iter_of(range(3))), ahead(iter_of(range(9)))
    next(one), next(other)
    quick = sys.getswitchinterval()
    assert quick < usual
    assert list(one) == [1, 2] and sys.getswitchinterval() == quick
    assert list(other) == list(range(1, 9)) and sys.getswitchinterval() == usual


def iter_of(numbers):
    yield from numbers
