"""A local judge: continuous scores from every layer of a frozen GGUF model.

    from lager_lite import Item, Judge, make_rubric

A name is loaded when it is first used, so that importing the package loads no library.
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Functions that stand in a module of their own name are taken from there: the room has both under one
    # name, and while mypy works through this circle of imports it may see the module.
    from .data import read_items
    from .errors import JudgeWarning, LagerError
    from .evaluation.evaluate import evaluate
    from .fitting import fit_panel, gather
    from .fitting.fit_weights import fit_weights
    from .judging import Judge, Panel, Store, score_frame
    from .llama import BackendOptions
    from .prompts import Rubric, load_rubric, make_rubric, pairwise_rubric
    from .records import Item, Judgment
    from .report import write_view
    from .scaleout import ScoreBatch
    from .scoring import load_panel, load_weights, save_panel, save_weights
    from .tasks import (
        compare_pairs,
        inspect_item,
        open_pool,
        open_view,
        rank,
        read_pairs,
        read_responses,
        score_pool,
        select,
    )
    from .tasks.pair_figures import pair_figures
    from .tasks.tournament import tournament

__version__ = "0.1.0"

__all__ = [
    "BackendOptions",
    "Item",
    "Judge",
    "JudgeWarning",
    "Judgment",
    "LagerError",
    "Panel",
    "Rubric",
    "ScoreBatch",
    "Store",
    "__version__",
    "compare_pairs",
    "evaluate",
    "fit_panel",
    "fit_weights",
    "gather",
    "inspect_item",
    "load_panel",
    "load_rubric",
    "load_weights",
    "make_rubric",
    "open_pool",
    "open_view",
    "pair_figures",
    "pairwise_rubric",
    "rank",
    "read_items",
    "read_pairs",
    "read_responses",
    "save_panel",
    "save_weights",
    "score_frame",
    "score_pool",
    "select",
    "tournament",
    "write_view",
]

_ROOMS = {
    "data": ("read_items",),
    "errors": ("JudgeWarning", "LagerError"),
    "evaluation": ("evaluate",),
    "fitting": ("fit_panel", "fit_weights", "gather"),
    "judging": ("Judge", "Panel", "Store", "score_frame"),
    "llama": ("BackendOptions",),
    "prompts": ("Rubric", "load_rubric", "make_rubric", "pairwise_rubric"),
    "records": ("Item", "Judgment"),
    "report": ("write_view",),
    "scaleout": ("ScoreBatch",),
    "scoring": ("load_panel", "load_weights", "save_panel", "save_weights"),
    "tasks": (
        "compare_pairs",
        "inspect_item",
        "open_pool",
        "open_view",
        "pair_figures",
        "rank",
        "read_pairs",
        "read_responses",
        "score_pool",
        "select",
        "tournament",
    ),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        found = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = found
        return found
    near = difflib.get_close_matches(name, _HOME, 1)
    advice = f"did you mean {near[0]!r}? See" if near else "see"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; {advice} {__name__}.__all__")


def __dir__() -> list[str]:
    return sorted(__all__)
