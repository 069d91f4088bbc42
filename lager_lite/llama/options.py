"""The settings of a backbone, under llama.cpp's own names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

CACHE_TYPES = {"f32": 0, "f16": 1, "bf16": 30, "q8_0": 8, "q4_0": 2, "q4_1": 3, "iq4_nl": 20, "q5_0": 6, "q5_1": 7}
FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
SPLIT_MODES = {"none": 0, "layer": 1, "row": 2}
# llama.cpp keeps sequence sets as bit sets of 256; more leaves per step than this brought nothing.
MAX_LEAVES = 64
CPU_BATCH, GPU_BATCH = 512, 2048
"""Tokens in one decode, and in one graph, where nothing else is asked for. A small decode leaves a large GPU
idle between its kernels; on a CPU more than 512 tokens at a time brought nothing."""


@dataclass(frozen=True)
class BackendOptions:
    """Settings under llama.cpp's own names.

    gpu_layers: a number, "auto" (all that fit, 0 without a GPU) or "all"; ctx_size: longest prompt
    in tokens, 0 = as long as the prompts need, at most the model's training context; batch_size:
    tokens in one decode; ubatch_size: tokens in one graph, both None: GPU_BATCH where blocks lie on a GPU,
    else CPU_BATCH; threads None: the cores this process may use; cache_type_k, cache_type_v: a key of CACHE_TYPES; flash_attn: a key of FLASH_ATTENTION; rpc:
    servers ("host:port") whose devices are used like GPUs of this machine.

    cache_type_v "auto" is bf16 where all runs on the CPU with flash attention and an f16 K cache,
    else f16. With two types llama.cpp's CPU attention visits the keys of every row one by one, in
    the order of the cells, and skips those of other prompts; with one it works on tiles, whose sums
    depend on what lies beside a prompt. Quantized weights magnify that from the last bit to a tenth
    of a score point. A library with our patches keeps the order with any types, at a tile's speed.
    """

    gpu_layers: int | str = "auto"
    ctx_size: int = 0
    batch_size: int | None = None
    ubatch_size: int | None = None
    threads: int | None = None
    flash_attn: str = "auto"
    cache_type_k: str = "f16"
    cache_type_v: str = "auto"
    split_mode: str = "layer"
    main_gpu: int = 0
    verbose: bool = False
    rpc: tuple[str, ...] = ()

    @classmethod
    def exact(cls, **changes: Any) -> BackendOptions:
        """The settings under which states are exact: no flash attention, float32 KV cache."""
        settings: dict[str, Any] = {"flash_attn": "off", "cache_type_k": "f32", "cache_type_v": "f32", **changes}
        return cls(**settings)

    def value_cache_type(self, gpu_layers: int) -> str:
        """The type of the V cache: what "auto" means where so many blocks lie on a GPU."""
        if self.cache_type_v != "auto":
            return self.cache_type_v
        steady = gpu_layers == 0 and self.flash_attn != "off" and self.cache_type_k == "f16"
        return "bf16" if steady else "f16"

    def batch(self, gpu_layers: int) -> int:
        """Tokens in one decode where so many blocks lie on a GPU; at least 1."""
        return max(1, self.batch_size or (GPU_BATCH if gpu_layers else CPU_BATCH))

    def ubatch(self, gpu_layers: int) -> int:
        """Tokens in one graph, likewise; never more than in one decode."""
        return min(self.ubatch_size or (GPU_BATCH if gpu_layers else CPU_BATCH), self.batch(gpu_layers))

    def leaves(self) -> int:
        """The most prompts that one decode may finish.

        Without flash attention a softmax-weighted sum over the keys depends on which cell each key
        lies in. One prompt at a time behind its shared prefix always has the cells 0, 1, 2 and so on, and
        so the same bits whatever other prompts are in the batch.
        """
        return 1 if self.flash_attn == "off" else MAX_LEAVES

    def thread_count(self) -> int:
        """The number of threads to use."""
        if self.threads:
            return self.threads
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else (os.cpu_count() or 1)
