"""A local judge: continuous scores from every layer of a frozen GGUF model.

    from lager_lite import Item, Judge, make_rubric

Names are loaded when they are first used, so that importing the package loads no library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import read_items
    from .errors import LagerError
    from .evaluation import evaluate
    from .fitting import fit_weights, gather
    from .judging import Judge, Store
    from .llama import BackendOptions
    from .prompts import Rubric, load_rubric, make_rubric
    from .records import Item, Judgment
    from .scaleout import ScoreBatch
    from .scoring import load_weights, save_weights
    from .tasks import inspect_item, rank, select

__version__ = "0.1.0"

__all__ = [
    "BackendOptions",
    "Item",
    "Judge",
    "Judgment",
    "LagerError",
    "Rubric",
    "ScoreBatch",
    "Store",
    "__version__",
    "evaluate",
    "fit_weights",
    "gather",
    "inspect_item",
    "load_rubric",
    "load_weights",
    "make_rubric",
    "rank",
    "read_items",
    "save_weights",
    "select",
]

_ROOMS = {
    "data": ("read_items",),
    "errors": ("LagerError",),
    "evaluation": ("evaluate",),
    "fitting": ("fit_weights", "gather"),
    "judging": ("Judge", "Store"),
    "llama": ("BackendOptions",),
    "prompts": ("Rubric", "load_rubric", "make_rubric"),
    "records": ("Item", "Judgment"),
    "scaleout": ("ScoreBatch",),
    "scoring": ("load_weights", "save_weights"),
    "tasks": ("inspect_item", "rank", "select"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lager_lite' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
