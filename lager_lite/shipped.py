"""Weights files that ship with the program, found by backbone and rubric."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from .weights import Provenance, WeightsFile, differences, load_weights


def shipped_folder() -> Path | None:
    """The folder of shipped weights: `models/` of an installed package, or of a checkout."""
    spec = importlib.util.find_spec("lager_lite.models")
    places = [Path(p) for p in spec.submodule_search_locations or []] if spec else []
    places.append(Path(__file__).resolve().parent.parent / "models")
    return next((p for p in places if (p / "catalog.toml").is_file()), None)


def shipped_weights(now: Provenance) -> WeightsFile | None:
    """The shipped weights that belong to this backbone, rubric and scale; None where none do."""
    folder = shipped_folder()
    for path in sorted(folder.glob("*.json")) if folder else []:
        file = load_weights(path)
        if differences(file, now) == ([], []):
            return file
    return None
