"""How many blocks of a model go to GPUs, and what is said where not all of them fit there."""

from __future__ import annotations

from pathlib import Path

from ..backbones import open_model
from .asked import gpus_of
from .library import Library

# What a GPU needs beside a small model: workspaces, and the KV cache.
_BESIDE = 2**29


def gpu_layers(library: Library, wanted: int | str, path: Path) -> int:
    """Return the number of blocks to put on GPUs for a value of `BackendOptions.gpu_layers`; -1 for the whole model.

    "auto" means all blocks where the free memory of the devices holds the file, a fifth more, and half a GiB for what
    a GPU needs beside a small model; otherwise as many blocks as fit. The number is 0 where the library has no GPU.
    Raises what `open_model` raises.
    """
    # A library with RPC says that it can put blocks elsewhere although there is no device.
    if not library.api.llama_supports_gpu_offload() or not gpus_of(library):
        return 0
    info = open_model(path).info
    # The output matrix counts as one more block.
    whole = info.n_blocks + 1
    if wanted == "auto":
        free = sum(d.memory_free for d in gpus_of(library))
        wanted = int(whole * max(0, free - _BESIDE) / (1.2 * info.size_bytes))
    elif wanted == "all":
        return -1
    return int(wanted) if 0 <= int(wanted) < whole else -1


def lack_of_room(library: Library, wanted: int | str, path: Path) -> str:
    """Return in words that "auto" leaves blocks to the CPU although there is a GPU; "" where it does not.

    To be asked before the model is loaded, since that takes memory. Raises what `open_model` raises.
    """
    gpus = gpus_of(library)
    layers = gpu_layers(library, wanted, path)
    if wanted != "auto" or layers == -1 or not gpus:
        return ""
    names, free = " and ".join(d.description for d in gpus), sum(d.memory_free for d in gpus) / 2**30
    if not layers:
        return f"{names} has no room for {path.name} ({free:.1f} GiB free), so the CPU computes it"
    of = f"{layers} of {open_model(path).info.n_blocks} blocks"
    return f"{names} has room for {of} of {path.name} ({free:.1f} GiB free); the CPU computes the others"
