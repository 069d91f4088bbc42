"""The first load of an unknown library, in a process that may crash.

A library that was compiled for another processor, or whose file is damaged, ends the process that loads it without one
word. So a library that was never loaded on this processor is first loaded in a child process. A crash of the child
becomes an error; a success is remembered.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ..errors import Advice, BackendError, LagerError
from ..system import loaded_folder, offline, or_nowhere, write_beside
from .backbone import Backbone
from .library import ENDING, load
from .options import BackendOptions
from .probe import write_probe

_PATIENCE = 120.0
_TEXT = "Grade it: 1 + 1 = 2, it's 3.5% of 10,000"
# Signals by which others end a process, which say nothing of the library.
_OTHERS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
# The extensions that ggml's functions name, by numpy's names for those of the processor.
_EXTENSIONS = {
    **{"SSE3": "sse3", "SSSE3": "ssse3", "AVX": "avx", "F16C": "f16c", "FMA3": "fma", "AVX2": "avx2", "BMI2": "bmi2"},
    **{"AVX512F": "avx512", "AVX512VBMI": "avx512_vbmi", "AVX512VNNI": "avx512_vnni", "AVX512BF16": "avx512_bf16"},
    **{"NEON": "neon", "ASIMDDP": "dotprod", "SVE": "sve"},
}
_CHILD = (
    "import sys; sys.path[:] = sys.argv[1].split(chr(10)); "
    "from lager_lite.llama.first_load import try_in_child; try_in_child(*sys.argv[2:])"
)


def check_library() -> bool:
    """Load the library in a child process unless that has succeeded before; return whether a child was started.

    A library is recognized by the names, sizes and modification times of its files, and by the processor. What is
    loaded in this process already is not tried. Raises BackendError where the child crashes, and where the library was
    compiled for extensions that this processor lacks. What else is wrong is left to `load`.
    """
    folder = _folder()
    if folder is None or load.cache_info().currsize:
        return False
    mark = or_nowhere(loaded_folder) / f"library-{_key(folder)}"
    if mark.exists():
        return False
    environment = {**os.environ, "GGML_NO_BACKTRACE": "1"}
    try:
        with tempfile.TemporaryDirectory(prefix="lager-lite-") as scratch:
            command = [sys.executable, "-c", _CHILD, "\n".join(sys.path), str(folder), scratch]
            done = subprocess.run(
                command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE
            )
    except (subprocess.TimeoutExpired, OSError):
        return True
    lacking = _lacking(done.stdout.decode("utf-8", "replace").split())
    crash = _crash(done.returncode)
    if crash or lacking:
        raise _refusal(folder, crash, lacking, done.stderr.decode("utf-8", "replace"))
    if done.returncode == 0:
        try:
            mark.parent.mkdir(parents=True, exist_ok=True)
            write_beside(mark, lambda file: file.write("loads\n"), text=True)
        except (LagerError, OSError):
            pass  # Without the mark the child runs again the next time.
    return True


def try_in_child(folder: str, scratch: str) -> None:
    """Print what the library in a folder was compiled for, load it, read a tiny model on the CPU, and leave at once.

    scratch: an existing folder for the tiny model.
    """
    leave_no_core()
    print(*_built_for(Path(folder)), flush=True)
    with offline.refusing():
        probe = write_probe(Path(scratch) / "probe.gguf", "Q8_0")
        with Backbone(probe, BackendOptions(gpu_layers=0, threads=1)) as backbone:
            backbone.read_states([backbone.tokenize(_TEXT, parse_special=False, start=True)])
    os._exit(0)


def leave_no_core() -> None:
    """Let a crash of this process leave no core file."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def processor() -> dict[str, bool]:
    """Return whether this processor has each extension that numpy knows, under numpy's names.

    Earlier versions of numpy know fewer. Empty where they cannot be told.
    """
    if any(name in os.environ for name in ("NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES")):
        return {}  # numpy then names only those that it was told to use.
    try:
        found = import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):
        return {}
    return {str(name): bool(has) for name, has in found.items()}


def _folder() -> Path | None:
    """The folder that llama-cpp-python loads its libraries from; None where it is not installed."""
    if named := os.environ.get("LLAMA_CPP_LIB_PATH"):
        return Path(named)
    spec = find_spec("llama_cpp")
    return Path(spec.origin).parent / "lib" if spec and spec.origin else None


def _key(folder: Path) -> str:
    try:
        stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.iterdir())]
    except OSError:
        stats = []
    facts = (
        "reads",
        str(folder.resolve()),
        stats,
        platform.machine(),
        sorted(name for name, has in processor().items() if has),
    )
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def _built_for(folder: Path) -> list[str]:
    """What the CPU's kernels were compiled for, under numpy's names; nothing where no single file holds them."""
    try:
        ctypes.CDLL(str(folder / "libggml-base.so"), ctypes.RTLD_GLOBAL)
        kernels = ctypes.CDLL(str(folder / "libggml-cpu.so"))
        return [name for name, own in _EXTENSIONS.items() if getattr(kernels, f"ggml_cpu_has_{own}")()]
    except (OSError, AttributeError):
        return []


def _lacking(built_for: Sequence[str]) -> list[str]:
    here = processor()
    return [name for name in built_for if name in _EXTENSIONS and here.get(name) is False]


def _crash(code: int) -> str:
    """What a process died of; "" where it ended by itself or was ended by others."""
    if code < 0:
        name = signal.Signals(-code).name
        return "" if name in _OTHERS else name
    return f"code {code:#x}" if code > 255 else ""  # as Windows reports it


_COMPILE = "compile it again on this machine (the command `lager-lite backend build`)"


def _refusal(folder: Path, crash: str, lacking: Sequence[str], told: str) -> BackendError:
    lines = [line.strip().removeprefix(ENDING) for line in told.splitlines() if line.strip()]
    ends = f"ends a process that loads it ({crash}{': ' + lines[-1][:300] if lines else ''})" if crash else ""
    needs = f"was compiled for {', '.join(lacking)}, which this processor does not have" if lacking else ""
    damaged = "" if lacking else "; its files are damaged, or were compiled for another processor"
    where = os.environ.get("LLAMA_CPP_LIB_PATH")
    return BackendError(
        f"the llama.cpp library in {folder} {' and '.join(filter(None, (ends, needs)))}{damaged}",
        "unset LLAMA_CPP_LIB_PATH, which names it, or put a library there that was compiled on this machine"
        if where
        else str(Advice("compile it on this machine: lager-lite backend build --again", _COMPILE)),
    )
