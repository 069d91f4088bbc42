"""The largest resident size of the same run on several llama.cpp libraries, each in a process of its own. A command:

    python -m tests.measure.memory STOCK/llama_cpp/lib PATCHED/llama_cpp/lib -m smollm2-bf16.gguf

For Linux. Folders are where a llama-cpp-python keeps its libraries. The default file and copies of the given model in other types read the
states of prompts of 512 tokens. The pages of the model's file count too, as far as they were touched.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lager_lite.backbones.locate import locate_model
from lager_lite.llama import Backbone, load
from lager_lite.llama.library import Library

KINDS = {"Q4_K_M": 15, "Q6_K": 18, "Q8_0": 7, "IQ4_XS": 30}  # The numbers of llama.h.
TOKENS, PROMPTS = 512, 3


def copy(library: Library, source: Path, target: Path, kind: str) -> Path:
    """Write a copy of a model in a type, as llama.cpp's own program does."""
    params = library.api.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.allow_requantize = KINDS[kind], 1, True
    assert library.api.llama_model_quantize(str(source).encode(), str(target).encode(), params) == 0
    return target


def read(path: Path) -> None:
    """Read states as a run does, in this process, and print its largest resident size in KiB."""
    rng = np.random.default_rng(0)
    with Backbone(path) as backbone:
        backbone.read_states(rng.integers(10, 10_000, (PROMPTS, TOKENS)).tolist())
    # What getrusage calls the largest size counts the process that this one was forked from.
    status = Path("/proc/self/status").read_text(encoding="ascii").split()
    print(status[status.index("VmHWM:") + 1])


def peak(path: Path, library: Path) -> int:
    """The largest resident size of a child that uses a library, in KiB."""
    environment = {**os.environ, "LLAMA_CPP_LIB_PATH": str(library)}
    command = [sys.executable, "-m", "tests.measure.memory", "--read", str(path)]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: see above."""
    parser = argparse.ArgumentParser(description="Compare the memory that runs take on several libraries.")
    parser.add_argument("libraries", nargs="*", type=Path)
    parser.add_argument("-m", "--model", type=Path, help="The model that copies are made of.")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.read:
        read(given.read)
        return
    print(
        "file     "
        + "  ".join(f"library {i + 1}" for i in range(len(given.libraries)))
        + "  in MiB, and against the first"
    )
    with tempfile.TemporaryDirectory() as folder:
        files = {"default": Path(locate_model(None).path)}
        for kind in KINDS if given.model else ():
            files[kind] = copy(load(), given.model, Path(folder) / f"{kind}.gguf", kind)
        for name, path in files.items():
            found = [peak(path, library) for library in given.libraries]
            shares = "  ".join(f"{size / found[0] - 1:+.1%}" for size in found[1:])
            print(f"{name:8s} " + "  ".join(f"{size / 1024:9.0f}" for size in found) + f"  {shares}", flush=True)


if __name__ == "__main__":
    main()
