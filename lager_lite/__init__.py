"""lager_lite: a local judge that scores from every layer of a frozen GGUF model.

    from lager_lite import Item, Judge, make_rubric

Names are loaded on first use, so that importing the package loads no library.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "BackendOptions": ".llama.runtime",
    "Item": ".records",
    "Judge": ".judge",
    "Judgment": ".records",
    "LagerError": ".errors",
    "Rubric": ".rubric",
    "Store": ".store",
    "load_rubric": ".rubric",
    "load_weights": ".weights",
    "make_rubric": ".rubric",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lager_lite' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name], __name__), name)
