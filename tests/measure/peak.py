"""What one thread of this processor could do at most, and what of it reading a prompt and writing a token reach.

    python -m tests.measure.peak -m model.gguf

`peak.c`, which the C compiler makes into a library, multiplies numbers in registers, and reads memory that fits into no
cache. A prompt is limited by the former, a single token by the latter. All times are processor time of one thread, which
other programs disturb little. The model must be dense: experts that are not used are not left out of the count.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shlex
import statistics
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lager_lite.backbones import locate_model, open_model
from lager_lite.backbones.model_file import ModelFile
from lager_lite.llama import Backbone, BackendOptions

TOKENS, ROUNDS = 512, 5
MEMORY = 2**29


def compiled(folder: Path) -> ctypes.CDLL:
    """The functions of `peak.c`, for this processor."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    flags = ["-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC"]
    path = folder / "peak.so"
    subprocess.run([compiler, *flags, "-o", str(path), str(Path(__file__).with_suffix(".c"))], check=True)
    library = ctypes.CDLL(str(path))
    for function in (library.peak_float32, library.peak_bf16):
        function.restype, function.argtypes = ctypes.c_float, [ctypes.c_long]
    library.peak_read.restype, library.peak_read.argtypes = ctypes.c_uint64, [ctypes.c_void_p, ctypes.c_size_t]
    return library


def of_processor(turns: int = 5_000_000, memory: int = MEMORY) -> dict[str, float]:
    """10^9 operations per second in "float32" and, where the processor multiplies it, "bf16"; "read": 10^9 bytes per
    second from `memory` bytes."""
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(Path(folder))
        numbers = np.ones(memory // 8, np.uint64)
        found = {
            "float32": turns * 2 * 16 * 16 / _median(lambda: library.peak_float32(turns)) / 1e9,
            "read": numbers.nbytes / _median(lambda: library.peak_read(numbers.ctypes.data, numbers.size)) / 1e9,
        }
        if library.peak_bf16(1) >= 0:
            found["bf16"] = turns * 4 * 16 * 16 / _median(lambda: library.peak_bf16(turns)) / 1e9
    return found


def operations(file: ModelFile, tokens: int) -> float:
    """Operations that reading a prompt of so many tokens takes, on average for a token, two for each multiply-add: products
    with the matrices of the blocks, and attention with as many query heads as fill a state."""
    matrices = sum(int(np.prod(one.shape)) for one in file.tensors.values() if len(one.shape) > 1)
    outside = sum(int(np.prod(file.tensors[name].shape)) for name in _OUTSIDE if name in file.tensors)
    return 2.0 * (matrices - outside) + 4.0 * file.info.n_embd * (tokens + 1) / 2 * file.info.n_blocks


_OUTSIDE = ("token_embd.weight", "output.weight")


def of_model(path: Path) -> tuple[float, float]:
    """10^9 operations per second of plain prefill, and 10^9 bytes of weights that a second of single tokens reads."""
    file = open_model(path)
    embedding, head = (file.tensors.get(name) for name in _OUTSIDE)
    # Of the embedding one row is read; where there is no output matrix it is that as well.
    unread = embedding.nbytes if embedding is not None and head is not None else 0
    size = sum(one.nbytes for one in file.tensors.values()) - unread
    with Backbone(path, BackendOptions(threads=1)) as backbone, backbone.context(TOKENS + 1, tap=False) as context:
        prompt = np.random.default_rng(0).integers(0, backbone.n_vocab, TOKENS).astype(np.int32)
        prefill = _median(lambda: context.run_plain(prompt))
        single = _median(lambda: context.run_plain(prompt[:1], TOKENS))
    return operations(file, TOKENS) * TOKENS / prefill / 1e9, size / single / 1e9


def _median(run: Callable[[], object]) -> float:
    """The median processor time in seconds of some runs, after one that warms up."""
    run()
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return statistics.median(times)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the peaks, and what the model reaches of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", help="The default model where none is named.")
    given = parser.parse_args(arguments)
    peak, path = of_processor(), locate_model(given.model).path
    fastest = max(peak.get("bf16", 0.0), peak["float32"])
    multiplied, read = of_model(path)
    print(", ".join(f"{name} {peak[name]:.0f} GFLOP/s" for name in ("bf16", "float32") if name in peak))
    print(f"read {peak['read']:.0f} GB/s")
    print(f"{path.name}, {TOKENS} tokens: {multiplied:.0f} GFLOP/s, {multiplied / fastest:.0%}")
    print(f"{path.name}, one token: {read:.1f} GB/s of weights, {read / peak['read']:.0%}")


if __name__ == "__main__":
    main()
