"""What contexts know about their model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from .library import Library
from .options import BackendOptions
from .owned import Owned
from .products import Products


class Loaded(Protocol):
    """What a context needs to know about its loaded model.

    - `path`: the model's file.
    - `options`: the settings.
    - `library`: the library that loaded it.
    - `api`: llama_cpp's low-level module.
    - `handle`: the llama_model; `open` makes something of it that is freed before it (see `Owned.open`).
    - `n_blocks`, `n_embd`, `n_vocab`: the blocks, the width of a state and the size of the vocabulary.
    - `gpu_layers`: the blocks that lie on GPUs; -1 for all.
    - `products`: how the CPU computes matrix products.
    - `can_share`: whether prompts can share a prefix; false for recurrent and hybrid models.
    """

    path: Path
    options: BackendOptions
    library: Library
    api: Any
    n_blocks: int
    n_embd: int
    n_vocab: int
    gpu_layers: int
    can_share: bool
    products: Products

    @property
    def handle(self) -> Any: ...

    def open(
        self, make: Callable[[Any], Any], free: Callable[[Any], object], what: str, owner: object
    ) -> Owned | None: ...
