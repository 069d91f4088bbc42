"""The instructions of a processor that the loaded library computes with.

llama.cpp's kernels, and ours, are written for several widths of vectors, and a library holds those that it was compiled
for. Two of them add a sum's terms in another order, so a state has other last bits, which quantized weights magnify: 28
judgments of the default model differed by up to 0.024 points between AVX-512 and AVX2, and by 0.17 with the products of
the file as it is.
"""

from __future__ import annotations

import platform

from .library import Library

# Features that change no number: how threads are started, and instructions for integers alone.
_NO_NUMBERS = frozenset({"OPENMP", "BMI2"})
# What a compiler that may use the first may use as well.
_IMPLIED = {"AVX": ("SSE3", "SSSE3"), "AVX2": ("SSE3", "SSSE3", "AVX"), "AVX512": ("SSE3", "SSSE3", "AVX", "AVX2")}


def instructions(library: Library) -> str:
    """Return the family of the processor and what the library's kernels use of it, in llama.cpp's words, for instance
    "x86_64: AVX2, F16C, FMA, LLAMAFILE, REPACK"."""
    found = features(library.system_info())
    left_out = _NO_NUMBERS.union(*(_IMPLIED.get(name, ()) for name in found))
    named = sorted(name if value == "1" else f"{name} {value}" for name, value in found.items() if name not in left_out)
    return f"{platform.machine()}: {', '.join(named) or 'none'}"


def features(system_info: str) -> dict[str, str]:
    """Return the features of the CPU's kernels by name, from llama.cpp's line, which tells those of all devices."""
    found, device = {}, ""
    for part in system_info.split("|"):
        *devices, fact = part.split(" : ")
        device = devices[-1].strip() if devices else device
        name, _, value = fact.partition("=")
        if device == "CPU" and value.strip() not in ("", "0"):
            found[name.strip()] = value.strip()
    return found
