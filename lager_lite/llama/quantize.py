"""Copies of a model file with another quantization, written by llama.cpp itself."""

from __future__ import annotations

from pathlib import Path

from ..errors import BackendError
from ..system import check_not_read, signals_deferred
from .library import load

# The values of llama_ftype in llama.cpp's include/llama.h.
FILE_TYPES = {"F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q6_K": 18, "Q5_K_M": 17, "Q4_K_M": 15, "Q4_0": 2, "Q4_1": 3}


def requantize(source: str | Path, target: str | Path, kind: str, *, threads: int = 0) -> Path:
    """Write a copy of a GGUF file with its matrices as `kind`, a key of FILE_TYPES; return its path.

    A file that is quantized already is decoded first, so a larger type makes it no more accurate. threads: 0 for
    as many as there are cores. Raises BackendError for an unknown `kind`, and where llama.cpp cannot write the copy; OutputError
    where the copy would overwrite the file.
    """
    if kind not in FILE_TYPES:
        raise BackendError(f"unknown quantization {kind!r}", f"use one of {', '.join(FILE_TYPES)}")
    check_not_read(target, [source])
    library = load()
    params = library.api.llama_model_quantize_default_params()
    params.ftype = FILE_TYPES[kind]
    params.nthread = threads
    params.allow_requantize = True
    library.log.clear()
    with signals_deferred():
        code = library.api.llama_model_quantize(str(source).encode(), str(target).encode(), params)
    if code:
        raise BackendError(
            f"llama.cpp cannot write {source} as {kind}: {library.log.errors() or f'code {code}'}",
            "try another quantization, or a copy of the model from its publisher",
        )
    return Path(target)
