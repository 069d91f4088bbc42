"""What tests of reading share: advice is in the words of a command, where a test says nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lager_lite.errors import COMMAND, through


@pytest.fixture(autouse=True)
def advice_of_commands() -> Iterator[None]:
    with through(COMMAND):
        yield
