"""The settings of a backbone, under llama.cpp's own names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ..errors import Advice, BackendError

CACHE_TYPES = {"f32": 0, "f16": 1, "bf16": 30, "q8_0": 8, "q4_0": 2, "q4_1": 3, "iq4_nl": 20, "q5_0": 6, "q5_1": 7}
FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
WEIGHTS_AS = {"auto": "auto", "unpacked": "fastest", "file": "off"}
"""Values of `BackendOptions.unpack`, by the names that people give them."""
SPLIT_MODES = {"none": 0, "layer": 1, "row": 2}
# llama.cpp has room for 256 sequences; more than 64 prompts in one step were not faster.
MAX_LEAVES = 64
MOST_THREADS = 512
"""llama.cpp's GGML_MAX_N_THREADS. It checks nothing: OpenMP puts what it tells each new thread on the stack, which
100000 threads overflow, and of the number itself llama.cpp keeps 16 bits."""
CPU_BATCH, GPU_BATCH, STEADY_BATCH = 512, 2048, 256
"""Tokens in one decode, and in one graph, where nothing else is asked for. A small decode leaves a large GPU
idle between its kernels; on a CPU more than 512 tokens at a time were not faster."""


@dataclass(frozen=True)
class BackendOptions:
    """Settings under llama.cpp's own names.

    - `gpu_layers`: the number of blocks on GPUs; "auto" for as many as fit (0 without a GPU), "all" for all of them.
    - `ctx_size`: the longest prompt in tokens; 0 for as long as the prompts need, up to the model's training context.
    - `batch_size`: the tokens of one decode. None: GPU_BATCH where blocks lie on a GPU, else CPU_BATCH.
    - `ubatch_size`: the tokens of one graph. None: as for `batch_size`.
    - `threads`: the number of threads, 1 to MOST_THREADS. None: one for each core that this process may use.
    - `flash_attn`: a key of FLASH_ATTENTION.
    - `cache_type_k`: the type of the K cache, a key of CACHE_TYPES.
    - `cache_type_v`: the type of the V cache, a key of CACHE_TYPES, or "auto" (see below).
    - `split_mode`: how a model is split over several GPUs, a key of SPLIT_MODES.
    - `main_gpu`: the number of the GPU that is used where the model is not split.
    - `verbose`: whether to show llama.cpp's log.
    - `rpc`: servers ("host:port") whose devices are used like GPUs of this machine.
    - `unpack`: how the CPU multiplies by quantized matrices where the library has our patches: "fastest" to unpack them
      to the type that it multiplies fastest, "f32" to unpack them to float32, "off" for llama.cpp's own products, whose
      bits depend on the number of rows, "auto" for "off" where that was measured to be clearly faster and as steady,
      and else "fastest". An NVIDIA GPU reads a copy of the file in BF16, or in F32 with "f32", and none with "off".
      With "auto" it does so where there is room for a copy, which is made up to 4 GB; with "fastest" and "f32" a
      backbone of which no copy can be read is refused.
    - `steady`: whether every prompt is evaluated in pieces of `batch` tokens, each alone in its decode and filled up
      to that size, so that nothing that is computed for a prompt depends on other prompts.

    cache_type_v "auto" is bf16 where everything runs on the CPU with flash attention and an f16 K cache, else f16.
    With two different types llama.cpp's CPU attention visits the keys of every row one by one, in the order of the
    cells, and skips those of other prompts. With one type it works on tiles, whose sums depend on what lies beside a
    prompt. Quantized weights magnify that from the last bit to a tenth of a score point. A library with our patches
    keeps the order with any types, at the speed of tiles.

    Raises BackendError for a number of threads out of range.
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
    unpack: str = "auto"
    steady: bool = False

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= MOST_THREADS:
            raise BackendError(
                f"{self.threads} threads were asked for, and llama.cpp takes 1 to {MOST_THREADS}",
                Advice("leave out --threads for one per core", "leave threads out for one per core"),
            )

    @classmethod
    def exact(cls, **changes: Any) -> BackendOptions:
        """Return the settings under which states are exact: no flash attention, and float32 in the KV cache and, where
        the library has our patches, in matrix products."""
        floats = {"cache_type_k": "f32", "cache_type_v": "f32", "unpack": "f32"}
        settings: dict[str, Any] = {"flash_attn": "off", **floats, **changes}
        return cls(**settings)

    def value_cache_type(self, gpu_layers: int) -> str:
        """Return the type of the V cache where `gpu_layers` blocks lie on a GPU."""
        if self.cache_type_v != "auto":
            return self.cache_type_v
        steady = gpu_layers == 0 and self.flash_attn != "off" and self.cache_type_k == "f16"
        return "bf16" if steady else "f16"

    def batch(self, gpu_layers: int) -> int:
        """Return the tokens of one decode where `gpu_layers` blocks lie on a GPU; at least 1."""
        return max(1, self.batch_size or self._usual(gpu_layers))

    def ubatch(self, gpu_layers: int) -> int:
        """Return the tokens of one graph where `gpu_layers` blocks lie on a GPU; at most those of one decode."""
        return min(self.ubatch_size or self._usual(gpu_layers), self.batch(gpu_layers))

    def _usual(self, gpu_layers: int) -> int:
        if self.steady:
            return STEADY_BATCH
        return GPU_BATCH if gpu_layers else CPU_BATCH

    def leaves(self) -> int:
        """Return the most prompts that one decode may finish.

        Without flash attention, the sums over the keys depend on which cell each key lies in. One prompt at a time behind its shared prefix always has the cells 0, 1, 2 and so on, and
        so the same bits whatever other prompts are in the batch.
        """
        return 1 if self.flash_attn == "off" else MAX_LEAVES

    def thread_count(self) -> int:
        """Return the number of threads to use."""
        if self.threads:
            return self.threads
        affinity = getattr(os, "sched_getaffinity", None)
        return min(MOST_THREADS, len(affinity(0)) if affinity else (os.cpu_count() or 1))
