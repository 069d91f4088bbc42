"""The weights files that ship with the program, found by backbone and rubric."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..system import shipped_folder
from .belonging import differences
from .weights import Provenance, WeightsFile, load_weights


def shipped_weights(now: Provenance) -> WeightsFile | None:
    """The shipped weights for this backbone, rubric and scale; None where there are none.

    Raises WeightsError for a shipped file that is corrupt.
    """
    return next((file for _, file in _fitting(now)), None)


def shipped_name(now: Provenance) -> str | None:
    """The name of `shipped_weights`, as `shipped_path` takes it; None where there are none."""
    return next((path.stem for path, _ in _fitting(now)), None)


def shipped_path(name: str) -> Path | None:
    """The shipped weights file of this name (its file name without .json); None where there is none."""
    folder = shipped_folder()
    return next((path for path in folder.glob("*.json") if path.stem == name), None) if folder else None


def shipped_names() -> tuple[str, ...]:
    """The names of all weights that ship, as `shipped_path` takes them."""
    folder = shipped_folder()
    return tuple(sorted(path.stem for path in folder.glob("*.json"))) if folder else ()


def _fitting(now: Provenance) -> Iterator[tuple[Path, WeightsFile]]:
    folder = shipped_folder()
    for path in sorted(folder.glob("*.json")) if folder else []:
        file = load_weights(path)
        if differences(file, now) == ([], []):
            yield path, file
