"""Errors that cross the border of a process arrive as they were."""

from __future__ import annotations

import pytest

from lager_lite.errors import DataError, LagerError, error_from_json, error_to_json
from lager_lite.system.offline import OfflineError


@pytest.mark.parametrize("kind", [LagerError, DataError, OfflineError])
def test_an_error_arrives_with_its_kind_message_and_hint(kind):
    sent = kind("line one\nline two, “é”", "do this")
    told = error_to_json(sent)
    assert "\n" not in told
    found = error_from_json(told)
    assert (type(found), found.message, found.hint) == (kind, sent.message, sent.hint)


def test_a_kind_that_is_not_known_here_is_a_plain_error():
    found = error_from_json('{"kind": "OSError", "message": "m", "hint": "h"}')
    assert (type(found), found.message, found.hint) == (LagerError, "m", "h")
