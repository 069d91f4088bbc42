"""Load llama.cpp through llama-cpp-python: once, when it is first needed, and only in a version that is known.

`load()` returns the one `Library`. Structures are passed by value between Python and C, so a version with another
layout would read garbage; such a version is refused. The log is caught, so that errors can quote it.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import BUILD_HINT, NOT_INSTALLED, BackendError
from ..system import signals_deferred

SUPPORTED_VERSIONS = ("0.3.36",)
SPINNING = "GOMP_SPINCOUNT"
"""How often a thread of GCC's OpenMP looks whether it may go on before it sleeps."""

GRAPHS_OFF = "GGML_CUDA_DISABLE_GRAPHS"
"""llama.cpp records CUDA graphs unless this environment variable exists, whatever its value."""

ENDING = "Error: llama.cpp ends the process: "
_LEVEL_ERROR = 4
_LEVEL_CONTINUED = 5
_CPU = 0
_DEVICE_TYPES = ("CPU", "GPU", "integrated GPU", "accelerator", "meta")


@dataclass(frozen=True)
class Device:
    """A compute device.

    - `name`: ggml's name of the device.
    - `description`: the device in words, as ggml describes it.
    - `kind`: "CPU", "GPU", "integrated GPU", "accelerator" or "meta".
    - `memory_free`, `memory_total`: in bytes; 0 where they are unknown.
    """

    name: str
    description: str
    kind: str
    memory_free: int
    memory_total: int


class GgmlTensor(ctypes.Structure):
    """The leading fields of ggml_tensor (ggml.h)."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
    ]


class Log:
    """llama.cpp's log: the last lines are kept for error messages, and all lines are shown where `verbose` is set."""

    def __init__(self) -> None:
        self.lines: deque[tuple[int, str]] = deque(maxlen=200)
        self.verbose = False
        self._level = 0

    def write(self, level: int, text: bytes, _user: object) -> None:
        """Take a piece of the log; llama.cpp calls this."""
        # An exception here would cross into C.
        try:
            if level != _LEVEL_CONTINUED:
                self._level = level
            line = text.decode("utf-8", "replace")
            self.lines.append((self._level, line.rstrip("\n")))
            if self.verbose:
                sys.stderr.write(line)
        except Exception:
            pass

    def clear(self) -> None:
        """Forget the lines so far, so that the next error shows only its own."""
        self.lines.clear()

    def errors(self, n: int = 3) -> str:
        """Return the last `n` error lines, joined by "; "; "" where there are none."""
        found = [text.strip() for level, text in self.lines if level == _LEVEL_ERROR and text.strip()]
        return "; ".join(found[-n:])

    def say_why_it_ends(self, message: bytes) -> None:
        """Write one line to stderr: the last errors, and ggml's own message, before ggml ends the process.

        ggml calls this where it cannot go on (a failed CUDA call, an assertion) and then aborts; nothing can be
        raised any more. Without it the lines that a CUDA error logs would be lost with the process.
        """
        # An exception here would cross into C.
        try:
            told = "; ".join(filter(None, (self.errors(), message.decode("utf-8", "replace"))))
            os.write(2, f"{ENDING}{told}\n".encode())
        except Exception:
            pass


class Library:
    """The loaded library: `api` is llama_cpp's low-level module, `base` is libggml-base, `ggml` is libggml."""

    def __init__(self, api: ModuleType, version: str) -> None:
        self.api = api
        self.version = version
        self.folder = Path(api._base_path)
        self.log = Log()
        self._holding = ctypes.PyDLL("libllama", handle=api._lib._handle)
        self._log_callback = api.llama_log_callback(self.log.write)
        api.llama_log_set(self._log_callback, ctypes.c_void_p(0))
        self.base = self._open("ggml-base", "ggml_get_name")
        self._abort_callback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(self.log.say_why_it_ends)
        self.base.ggml_set_abort_callback(self._abort_callback)
        self.ggml = self._open("ggml", "ggml_backend_dev_count")
        self._declare()
        self._check_layout()
        api.llama_backend_init()

    def devices(self) -> list[Device]:
        """Return every device that ggml has registered, including the CPU."""
        found = []
        for i in range(self.ggml.ggml_backend_dev_count()):
            dev = self.ggml.ggml_backend_dev_get(i)
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            self.base.ggml_backend_dev_memory(dev, ctypes.byref(free), ctypes.byref(total))
            kind = self.base.ggml_backend_dev_type(dev)
            found.append(
                Device(
                    name=self.base.ggml_backend_dev_name(dev).decode(),
                    description=self.base.ggml_backend_dev_description(dev).decode(),
                    kind=_DEVICE_TYPES[kind] if kind < len(_DEVICE_TYPES) else str(kind),
                    memory_free=free.value,
                    memory_total=total.value,
                )
            )
        return found

    def system_info(self) -> str:
        """Return llama.cpp's line of CPU features and build flags."""
        return str(self.api.llama_print_system_info().decode())

    def native_tap_version(self) -> int | None:
        """Return the version of our native tap in this library; None on a stock library."""
        return self._version("llama_state_tap_version")

    def ordered_attention_version(self) -> int | None:
        """Return the version of our attention on the CPU; None on a stock library, which has llama.cpp's own."""
        version = self._cpu_function("ggml_cpu_ordered_attention_version")
        return None if version is None else int(version())

    def unpack_version(self) -> int | None:
        """Return the version of our matrix products on the CPU; None on a stock library, which has llama.cpp's own."""
        version = self._cpu_function("ggml_cpu_unpack_version")
        return None if version is None or not hasattr(self.api._lib, "llama_set_unpack") else int(version())

    def unpack_type(self) -> str:
        """Return the type that matrices are unpacked to where it may be the fastest, "bf16" or "f32"."""
        kind = self._cpu_function("ggml_cpu_unpack_type")
        return "f32" if kind is None else {0: "f32", 30: "bf16"}[int(kind())]

    def set_unpack(self, context: Any, unpack: int) -> None:
        """Choose how a llama_context unpacks matrices (see `products.UNPACK`). Raises BackendError where it cannot."""
        function = self.api._lib.llama_set_unpack
        function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_int32], ctypes.c_bool
        if not function(context, unpack):
            raise BackendError(f"the library in {self.folder} cannot unpack matrices on this CPU")

    def unpack_for_others(self, unpack: int) -> None:
        """Choose how the CPU's devices unpack matrices that an RPC server of this process lends; a stock library cannot."""
        address = self._cpu_address("ggml_backend_cpu_set_default_unpack")
        if address:
            ctypes.CFUNCTYPE(None, ctypes.c_int32)(address)(unpack)

    @property
    def numerics(self) -> str:
        """The version, and those of our attention and our products where there are any: two libraries with the same
        name give the same bits on processors with the same instructions."""
        own = {"ordered attention": self.ordered_attention_version(), "unpacking": self.unpack_version()}
        return ", ".join([self.version, *(f"{name} {version}" for name, version in own.items() if version is not None)])

    def quick(self, name: str) -> Callable[..., Any]:
        """A function of llama.cpp that keeps Python's global lock while it runs.

        For calls of microseconds: behind each call that lets go of the lock, another thread could keep it longer
        than all of them take.
        """
        function = getattr(self._holding, name)
        known = getattr(self.api, name)
        function.argtypes, function.restype = known.argtypes, known.restype
        return function  # type: ignore[no-any-return]

    def _version(self, symbol: str) -> int | None:
        try:
            function = getattr(self.api._lib, symbol)
        except AttributeError:
            return None
        function.restype = ctypes.c_int32
        return int(function())

    def _cpu_function(self, name: str) -> Callable[[], int] | None:
        """A function of the CPU's library, which may be another build than libllama; None where it has none."""
        address = self._cpu_address(name)
        return ctypes.CFUNCTYPE(ctypes.c_int32)(address) if address else None

    def _cpu_address(self, name: str) -> int | None:
        registry = self.base.ggml_backend_dev_backend_reg(self.ggml.ggml_backend_dev_by_type(_CPU))
        address: int | None = self.base.ggml_backend_reg_get_proc_address(registry, name.encode())
        return address

    def _open(self, name: str, symbol: str) -> ctypes.CDLL:
        # Wheels hold a copy of the file for every name of a library: opened by another name than libllama
        # does, it would be loaded a second time, with a list of devices of its own.
        inside = ctypes.CDLL(f"lib{name}", handle=self.api._lib._handle)
        if hasattr(inside, symbol):
            return inside
        stems = {"win32": (f"{name}.dll", f"lib{name}.dll"), "darwin": (f"lib{name}.dylib", f"lib{name}.so")}
        for file in stems.get(sys.platform, (f"lib{name}.so",)):
            path = self.folder / file
            if path.exists():
                return ctypes.CDLL(str(path))
        raise BackendError(
            f"llama-cpp-python {self.version} has no lib{name} in {self.folder}",
            "lager-lite backend build --again",
        )

    def _declare(self) -> None:
        base, pointer = self.base, ctypes.c_void_p
        base.ggml_get_name.argtypes, base.ggml_get_name.restype = [pointer], ctypes.c_char_p
        base.ggml_nbytes.argtypes, base.ggml_nbytes.restype = [pointer], ctypes.c_size_t
        base.ggml_backend_tensor_get.argtypes = [pointer, pointer, ctypes.c_size_t, ctypes.c_size_t]
        base.ggml_backend_tensor_get.restype = None
        for name, result in (("name", ctypes.c_char_p), ("description", ctypes.c_char_p), ("type", ctypes.c_int)):
            function = getattr(base, f"ggml_backend_dev_{name}")
            function.argtypes, function.restype = [pointer], result
        base.ggml_backend_dev_memory.argtypes = [pointer, pointer, pointer]
        base.ggml_backend_dev_memory.restype = None
        self.ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
        base.ggml_backend_dev_backend_reg.argtypes = [pointer]
        base.ggml_backend_reg_get_proc_address.argtypes = [pointer, ctypes.c_char_p]
        self.ggml.ggml_backend_dev_by_type.argtypes = [ctypes.c_int]
        for function in (
            base.ggml_backend_dev_backend_reg,
            base.ggml_backend_reg_get_proc_address,
            self.ggml.ggml_backend_dev_by_type,
        ):
            function.restype = pointer
        self.ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
        self.ggml.ggml_backend_dev_get.restype = pointer

    def _check_layout(self) -> None:
        # Known defaults at both ends of the structures: a shifted field shows here, not in a crash.
        params, model = self.api.llama_context_default_params(), self.api.llama_model_default_params()
        seen = (params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max, params.type_k, params.type_v)
        ok = seen == (512, 2048, 512, 1, 1, 1) and params.n_samplers == 0 and not params.ctx_other
        ok = ok and params.offload_kqv and not params.kv_unified
        ok = ok and model.use_extra_bufts and not model.vocab_only and not model.no_alloc
        if not ok:
            raise BackendError(
                f"the library in {self.folder} does not have the structure layout of llama-cpp-python {self.version}",
                "unset LLAMA_CPP_LIB_PATH, or rebuild that library from the same version",
            )


@functools.cache
def load() -> Library:
    """Load llama.cpp and return it; later calls return the same object.

    Raises BackendError where llama-cpp-python is missing, broken, or of an unknown version.
    """
    if find_spec("llama_cpp") is None:
        raise BackendError(NOT_INSTALLED, BUILD_HINT)
    _choose_cuda_graphs()
    _choose_spinning()
    try:
        import llama_cpp
        from llama_cpp import llama_cpp as api
    except ImportError as error:
        raise BackendError(f"llama-cpp-python cannot be imported: {error}", BUILD_HINT) from error
    except (OSError, RuntimeError) as error:
        where = os.environ.get("LLAMA_CPP_LIB_PATH")
        hint = BUILD_HINT if where is None else f"LLAMA_CPP_LIB_PATH is {where}: unset it or correct it"
        hint = "LLAMA_CPP_LIB_PATH is set but empty: unset it" if where == "" else hint
        raise BackendError(f"the llama.cpp library cannot be loaded: {error}", hint) from error
    if llama_cpp.__version__ not in SUPPORTED_VERSIONS:
        raise BackendError(
            f"llama-cpp-python {llama_cpp.__version__} is installed; supported: {', '.join(SUPPORTED_VERSIONS)}",
            BUILD_HINT,
        )
    with signals_deferred():
        return Library(api, llama_cpp.__version__)


def _choose_spinning() -> None:
    """Let llama.cpp's threads sleep after some ten microseconds of waiting, unless the user has chosen.

    By default OpenMP's threads wait for each other in a loop for a millisecond and more, thousands of times in a decode.
    Beside any other process that keeps a core from the thread that is waited for: two threads then read 101 tokens/s
    instead of 226, and wrote 0.3 tokens/s instead of 40 (two busy cores). OpenMP reads the variables when it is loaded.
    """
    if not any(name in os.environ for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")):
        os.environ[SPINNING] = "200"


def _choose_cuda_graphs() -> None:
    """Switch CUDA graphs off unless the user has set GRAPHS_OFF; "0" and the empty text switch them on.

    Replayed graphs aborted the process on an H200 with `-fa off -b 64` ("an illegal instruction was
    encountered"), and prompts, which differ in their shapes, gain nothing from them.
    """
    if os.environ.setdefault(GRAPHS_OFF, "1") in ("", "0"):
        del os.environ[GRAPHS_OFF]
