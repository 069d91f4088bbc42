"""How often tests repeat what they repeat: as often as they say, or a little where every instruction is emulated."""

from __future__ import annotations

import os

FEW = os.environ.get("LAGER_LITE_FEW", "") == "1"
"""Set by tests.emulated, where a second of a processor takes about twenty."""


def repeated(times: int) -> int:
    """Return `times`, or a twentieth of it and at least 2 where FEW is set."""
    return max(2, times // 20) if FEW else times


def patience(seconds: float) -> float:
    """Return how long to wait for a child process: ten times as long where FEW is set."""
    return 10 * seconds if FEW else seconds
