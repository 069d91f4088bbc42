"""llama.cpp, as llama-cpp-python installs it: the only room that touches ctypes.

It loads the library and a backbone, plans decodes so that prompts share their prefixes, reads the hidden
states out of the running graph, writes texts, and builds the patched library.
"""

from __future__ import annotations

from .about import about
from .asked import unmet
from .backbone import Backbone
from .beside import ContextsBeside, evaluate_beside
from .build import BACKENDS, BuildRequest, build
from .company import say_company, warn_company
from .context import Context, Group
from .copies import WOULD_UNPACK, copy_kind, has_room, lack_of_asking, say_new_copy, say_weights
from .copy_files import UNFINISHED, UnpackedCopy, copies_of, delete_copies, list_copies
from .first_load import check_library
from .generate import Generator, Request
from .guard import check_loads, known_company
from .instructions import instructions
from .library import load
from .native_tap import available
from .options import (
    CACHE_TYPES,
    CPU_BATCH,
    FLASH_ATTENTION,
    GPU_BATCH,
    MOST_THREADS,
    SPLIT_MODES,
    WEIGHTS_AS,
    BackendOptions,
)
from .placing import gpu_layers, lack_of_room
from .quantize import FILE_TYPES, requantize
from .rpc import parse_servers, serve
from .sampling import Sampling
from .schedule import cut_sorted, sort_prompts, unique_tokens
from .ways import recall_ways

__all__ = [
    "BackendOptions",
    "BACKENDS",
    "Backbone",
    "BuildRequest",
    "CACHE_TYPES",
    "CPU_BATCH",
    "Context",
    "ContextsBeside",
    "FILE_TYPES",
    "FLASH_ATTENTION",
    "GPU_BATCH",
    "MOST_THREADS",
    "Generator",
    "Group",
    "Request",
    "SPLIT_MODES",
    "Sampling",
    "UNFINISHED",
    "UnpackedCopy",
    "WEIGHTS_AS",
    "WOULD_UNPACK",
    "about",
    "available",
    "build",
    "check_library",
    "check_loads",
    "copies_of",
    "copy_kind",
    "cut_sorted",
    "delete_copies",
    "evaluate_beside",
    "gpu_layers",
    "has_room",
    "instructions",
    "known_company",
    "lack_of_asking",
    "lack_of_room",
    "list_copies",
    "load",
    "parse_servers",
    "recall_ways",
    "requantize",
    "say_company",
    "say_new_copy",
    "say_weights",
    "serve",
    "sort_prompts",
    "unique_tokens",
    "unmet",
    "warn_company",
]
