"""How a CPU computes matrix products, so that a prompt's numbers do not depend on what is computed beside it.

Our patched library unpacks a quantized matrix and multiplies it there (patches/README.md). On a stock library some
files need settings of their own: two of llama.cpp's ways to multiply K- and IQ-quants choose their kernels by the
number of rows. `choose_products` says what a model gets.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import BackendError
from .library import Library
from .ways import LEAST_ROWS, has_ways, kinds_of, recall_least_rows, recall_ways

UNPACK = {"off": 0, "fastest": 1, "f32": 2}
"""How matrices are unpacked, as in ggml's enum ggml_cpu_unpack."""

TILED = "GGML_CPU_TILED_MM_FORCE"
"""llama.cpp multiplies tiles of K- and IQ-quants at any number of rows where this environment variable is 1. It is read
once, at the first product of the process."""


@dataclass(frozen=True)
class Products:
    """How matrix products are computed.

    - `unpack`: the value for the library's switch, one of UNPACK's.
    - `extra_buffers`: whether llama.cpp may keep matrices in a layout of its own.
    - `least_rows`: the fewest rows that are multiplied together, so that a row's bits do not depend on their number.
    - `name`: what the numbers follow from, in words, as it stands in the keys of the store and of the guard.
    """

    unpack: int
    extra_buffers: bool
    least_rows: int
    name: str


def choose_products(library: Library, wanted: str, path: Path) -> Products:
    """Return how the products of a model file are computed for a value of `BackendOptions.unpack`.

    A library without our patch has no other kernels than llama.cpp's own, whatever is wanted. Raises BackendError for a
    value that is neither "auto" nor in UNPACK.
    """
    if wanted not in ("auto", *UNPACK):
        raise BackendError(f"unknown way to unpack {wanted!r}", f"use one of auto, {', '.join(UNPACK)}")
    version = library.unpack_version()
    if wanted == "auto":
        ways = recall_ways(library, path) if version is not None and has_ways(library, path) else None
        wanted = ways.best if ways else "fastest"
    if version is not None and wanted != "off":
        kind = library.unpack_type() if wanted == "fastest" else "f32"
        return Products(UNPACK[wanted], False, 1, f"unpacked to {kind}, version {version}")
    rows = recall_least_rows(library, path) if kinds_of(path) else LEAST_ROWS
    company = "" if rows == LEAST_ROWS else f", at least {rows} rows"
    if not _has_tiles(path):
        return Products(UNPACK["off"], True, rows, f"llama.cpp's{company}")
    tiled = os.environ.setdefault(TILED, "1") == "1"
    return Products(UNPACK["off"], False, rows, f"llama.cpp's{' in tiles' if tiled else ''}{company}")


def _has_tiles(path: Path) -> bool:
    return any(kind.endswith("_K") or kind.startswith("IQ") for kind in kinds_of(path))
