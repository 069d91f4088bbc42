"""The processors that are emulated, and llama.cpp compiled for one of them with Debian's cross compilers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lager_lite.llama.source import VERSION, patch_series, prepare


@dataclass(frozen=True)
class Target:
    """A processor.

    - `triple`: its name for compilers; Debian's g++ for it has the C++ library in any case.
    - `compilers`: the commands that compile C and C++.
    - `processor`: its name for CMake.
    - `debian`: its name for Debian's packages.
    - `emulator`: the command of QEMU that runs its programs.
    - `model`: the processor that QEMU emulates, with features.
    - `flags`: CMake's options that choose its instructions.
    """

    triple: str
    compilers: tuple[str, str]
    processor: str
    debian: str
    emulator: str
    model: str
    flags: tuple[str, ...]


def _arm(march: str) -> Target:
    triple = "aarch64-linux-gnu"
    return Target(
        triple=triple,
        compilers=(f"{triple}-gcc", f"{triple}-g++"),
        processor="aarch64",
        debian="arm64",
        emulator="qemu-aarch64-static",
        # The default way of signing pointers is emulated bit by bit, which takes half of the time.
        model="max,pauth-impdef=on",
        flags=(f"-DGGML_CPU_ARM_ARCH={march}",),
    )


_RISCV = Target(
    triple="riscv64-linux-gnu",
    # Debian's GCC does not know RISC-V's vectors yet.
    compilers=("clang-19", "clang++-19"),
    processor="riscv64",
    debian="riscv64",
    emulator="qemu-riscv64-static",
    model="rv64,v=true",
    flags=("-DCMAKE_C_COMPILER_TARGET=riscv64-linux-gnu", "-DCMAKE_CXX_COMPILER_TARGET=riscv64-linux-gnu"),
)

TARGETS = {
    "arm": _arm("armv8-a"),
    "arm-m1": _arm("armv8.2-a+dotprod+fp16"),
    "arm-m2": _arm("armv8.2-a+dotprod+fp16+bf16+i8mm"),
    "arm-sve": _arm("armv8.2-a+dotprod+fp16+bf16+i8mm+sve"),
    "riscv": _RISCV,
}
"""By name: the oldest 64-bit ARM, one with the instructions of Apple's M1, of its M2, of a server with SVE, and a RISC-V
with vectors. For that one only our files were seen to compile: clang 19 refuses assembly in llama.cpp's own quants.c, and neither
Debian nor PyPI has all that the tests need."""


def cross_compile(target: Target, archive: Path, folder: Path, jobs: int, *, goal: str = "llama") -> Path:
    """Return the folder of the shared libraries, compiled from the patched source below `folder`.

    archive: the source distribution of llama-cpp-python. goal: the library to compile, with those that it needs. What an earlier call has compiled is kept as far as no patch
    has changed since. Raises RuntimeError where the cross compiler is missing, and CalledProcessError where it fails.
    """
    for command in (f"{target.triple}-g++", *target.compilers):
        if shutil.which(command) is None:
            raise RuntimeError(f"there is no {command}: apt-get install g++-{target.triple}")
    source = _patched(archive, folder)
    build = folder / "build"
    options = [
        *(
            "-DCMAKE_BUILD_TYPE=Release",
            "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG",
            "-DBUILD_SHARED_LIBS=ON",
            "-DGGML_NATIVE=OFF",
            "-DGGML_RPC=ON",
        ),
        *(f"-DLLAMA_BUILD_{part}=OFF" for part in ("COMMON", "TESTS", "EXAMPLES", "TOOLS", "SERVER")),
        *("-DCMAKE_SYSTEM_NAME=Linux", f"-DCMAKE_SYSTEM_PROCESSOR={target.processor}", "-DLLAMA_CURL=OFF"),
        *(f"-DCMAKE_C_COMPILER={target.compilers[0]}", f"-DCMAKE_CXX_COMPILER={target.compilers[1]}"),
        *target.flags,
    ]
    configure = ["cmake", "-S", str(source / "vendor" / "llama.cpp"), "-B", str(build), *options]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    _make(["cmake", "--build", str(build), "--target", goal, "-j", str(jobs)])
    return build / "bin"


def _make(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)


def _patched(archive: Path, folder: Path) -> Path:
    """The patched source: unpacked again, and copied over the last one where it differs, so that little is compiled."""
    fresh = folder / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    made = prepare(archive, fresh, patch_series(), VERSION)
    source = folder / "source"
    for path in sorted(p for p in made.rglob("*") if p.is_file()):
        target = source / path.relative_to(made)
        if not target.exists() or target.read_bytes() != path.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    shutil.rmtree(fresh)
    return source
