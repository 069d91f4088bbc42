"""The browser that the tests of pages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.report.browser import CHROMIUM, Browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A page in headless Chromium; the test is skipped on a machine without it."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found
