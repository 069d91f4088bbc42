"""The weights files that ship with the program, found by backbone and rubric."""

from __future__ import annotations

from pathlib import Path

from ..system import shipped_folder
from .weights import Provenance, WeightsFile, differences, load_weights


def shipped_weights(now: Provenance) -> WeightsFile | None:
    """The shipped weights for this backbone, rubric and scale; None where there are none.

    Raises WeightsError for a shipped file that is corrupt.
    """
    folder = shipped_folder()
    for path in sorted(folder.glob("*.json")) if folder else []:
        file = load_weights(path)
        if differences(file, now) == ([], []):
            return file
    return None


def shipped_path(name: str) -> Path | None:
    """The shipped weights file of this name (its file name without .json); None where there is none."""
    folder = shipped_folder()
    return next((path for path in folder.glob("*.json") if path.stem == name), None) if folder else None
