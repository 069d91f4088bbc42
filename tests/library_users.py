"""A plugin of pytest that notes which test files use llama.cpp, so that CI runs those on a second library too.

    LAGER_LITE_USERS=users.txt python -m pytest -p tests.library_users
    LLAMA_CPP_LIB_PATH=elsewhere python -m pytest $(sort -u users.txt)

A file uses it where one of its tests, or its import, asks for the library or starts a process, which may do so.
Nobody keeps a list: a test that begins to use llama.cpp is noted in the next run. Each process of a run appends the
files that it has seen, one a line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from typing import TypeVar

import pytest

from lager_lite.llama.library import load

T = TypeVar("T")
_STARTS = ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec")


class _Users:
    """Sees what happens between the beginning and the end of a file's import and of each test."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self._started = 0
        sys.addaudithook(self._count)

    def _count(self, event: str, _arguments: tuple[object, ...]) -> None:
        self._started += event in _STARTS

    def _uses(self) -> tuple[int, ...]:
        asked = load.cache_info()
        return self._started, asked.hits, asked.misses

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, T, T]:
        before = self._uses()
        try:
            return (yield)
        finally:
            self._note(item, before)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, T, T]:
        before = self._uses()
        try:
            return (yield)
        finally:
            if isinstance(collector, pytest.Module):
                self._note(collector, before)

    def _note(self, node: pytest.Item | pytest.Collector, before: tuple[int, ...]) -> None:
        if self._uses() != before:
            self.files.add(node.nodeid.partition("::")[0])

    def pytest_sessionfinish(self) -> None:
        with open(os.environ["LAGER_LITE_USERS"], "a", encoding="utf-8") as file:
            file.write("".join(f"{name}\n" for name in sorted(self.files)))


def pytest_configure(config: pytest.Config) -> None:
    """Begin to note; pytest calls this."""
    config.pluginmanager.register(_Users())
