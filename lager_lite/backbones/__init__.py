"""The GGUF files of this machine: where they are, whether they are sound, and what they hold.

Nothing here loads llama.cpp: headers and tensors are read from the file itself.
"""

from __future__ import annotations

from .catalog import CatalogEntry, read_catalog
from .header import TensorInfo, read_header
from .inventory import MEMORY_TOKENS, LocalModel, list_models
from .locate import locate_model
from .model_file import PRUNED_BLOCKS, PRUNED_FINGERPRINT, PRUNED_OWN, ModelFile, ModelInfo, open_model, parts_of_model
from .tensors import fingerprint

__all__ = [
    "CatalogEntry",
    "LocalModel",
    "MEMORY_TOKENS",
    "ModelFile",
    "ModelInfo",
    "PRUNED_BLOCKS",
    "PRUNED_FINGERPRINT",
    "PRUNED_OWN",
    "TensorInfo",
    "fingerprint",
    "list_models",
    "locate_model",
    "open_model",
    "parts_of_model",
    "read_catalog",
    "read_header",
]
