"""The native tap: states are read by llama.cpp itself, where the library carries our patch.

The patch (patches/README.md) adds nodes to the graph that pick the batch's output rows out of every
block's output, and copies them into one buffer after the computation. No Python runs inside the graph, and the
graph waits for nothing. `choose_tap` says which tap a context gets, and why.
"""

from __future__ import annotations

import ctypes
import os
import warnings
from dataclasses import dataclass

import numpy as np

from ..errors import BackendError
from .callback_tap import CallbackTap, missing_states
from .library import Library

KNOWN_VERSIONS = (1,)
TAP_VARIABLE = "LAGER_LITE_TAP"
_MISSING, _UNDONE = -3, -4
_BUILD = "build it with `lager-lite backend build`"


@dataclass(frozen=True)
class TapChoice:
    """Which tap is used.

    - `name`: "native" or "callback".
    - `reason`: why it is used.
    - `notice`: whether the user should be told the reason.
    """

    name: str
    reason: str
    notice: bool = False


def choose_tap(library: Library) -> TapChoice:
    """Return the tap that contexts of this library get: the native one where there is one of a known version.

    The environment variable LAGER_LITE_TAP forces a tap. Raises BackendError where it names no tap, or names the
    native tap and the library has none of a known version.
    """
    version, forced = library.native_tap_version(), os.environ.get(TAP_VARIABLE, "")
    if forced not in ("", "callback", "native"):
        raise BackendError(f"{TAP_VARIABLE} is {forced!r}", "set it to callback or native, or unset it")
    known = version in KNOWN_VERSIONS
    if version is None:
        reason = "a stock library has no other"
    elif known:
        reason = f"the library carries version {version} of it"
    else:
        known_ones = ", ".join(map(str, KNOWN_VERSIONS))
        reason = f"the library's native tap has version {version}, this lager-lite knows {known_ones}"
    if forced == "native" and not known:
        raise BackendError(f"{TAP_VARIABLE}=native, but {_no_native(version, reason)} ({library.folder})", _BUILD)
    if forced:
        return TapChoice(forced, f"{TAP_VARIABLE}={forced}")
    return TapChoice("native" if known else "callback", reason, notice=version is not None and not known)


def _no_native(version: int | None, reason: str) -> str:
    return "the loaded library is a stock one" if version is None else reason


def available(library: Library) -> tuple[str, ...]:
    """Return the names of the taps that work with this library; the one that `choose_tap` chooses comes first."""
    first = choose_tap(library).name
    others = ("native", "callback") if library.native_tap_version() in KNOWN_VERSIONS else ("callback",)
    return (first, *(name for name in others if name != first))


def make_tap(library: Library, n_blocks: int, n_embd: int, name: str = "") -> CallbackTap | NativeTap:
    """Make the tap of this name (see `available`), or the one that `choose_tap` chooses where it is "".

    Warns (RuntimeWarning) where the native tap has an unknown version and the callback tap is used instead.
    """
    choice = TapChoice(name, "") if name else choose_tap(library)
    if choice.notice:
        warnings.warn(f"{choice.reason}; the callback tap is used: {_BUILD}", RuntimeWarning, stacklevel=2)
    return (NativeTap if choice.name == "native" else CallbackTap)(library, n_blocks, n_embd)


class NativeTap:
    """Reads states with the patch's own functions; one object belongs to one context.

    Use: `attach(...)` once, then `begin(...)`, one llama_decode, `finish()` as often as wanted.
    """

    name = "native"
    needs_outputs = True
    """The rows to read must be the batch's output rows, even where the graph ends early."""

    def __init__(self, library: Library, n_blocks: int, n_embd: int) -> None:
        self.n_blocks = n_blocks
        self.n_embd = n_embd
        self._states = np.arange(n_blocks + 1, dtype=np.int32)
        lib, pointer = library.api._lib, ctypes.c_void_p
        self._begin, self._end, self._found = (
            getattr(lib, f"llama_state_tap_{name}") for name in ("begin", "end", "found")
        )
        self._begin.argtypes = [
            pointer,
            pointer,
            ctypes.c_size_t,
            ctypes.c_bool,
            ctypes.c_bool,
            pointer,
            ctypes.c_size_t,
        ]
        self._begin.restype = self._end.restype = ctypes.c_int32
        self._end.argtypes = [pointer]
        self._found.argtypes, self._found.restype = [pointer, ctypes.c_size_t], ctypes.c_bool

    def prepare(self, params: object) -> None:
        """Do nothing: this tap is attached after the context was made."""

    def attach(self, ctx: object) -> None:
        """Tap this llama_context."""
        self._ctx = ctx

    def begin(self, rows: np.ndarray, *, max_state: int, want_final: bool, flagged: bool) -> None:
        """Do as `CallbackTap.begin`. Raises ValueError where `flagged` is false and there are rows to read."""
        if not flagged and len(rows):
            raise ValueError("the native tap reads output rows only")
        self._want_final = want_final
        self._out = np.empty((max_state + 1 + want_final, len(rows), self.n_embd), dtype=np.float32)
        stop = max_state < self.n_blocks
        status = self._begin(
            self._ctx, self._states.ctypes.data, max_state + 1, want_final, stop, self._out.ctypes.data, self._out.size
        )
        if status < 0:
            raise BackendError(f"the native tap refused {max_state + 1} states (status {status})")

    def finish(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Do as `CallbackTap.finish`."""
        n_rows = self._end(self._ctx)
        slots, expected = self._out.shape[:2]
        if n_rows == _MISSING:
            raise missing_states([i for i in range(slots) if not self._found(self._ctx, i)], slots - self._want_final)
        if n_rows == _UNDONE:
            raise BackendError("llama.cpp ended a decode before it had written all rows of the native tap")
        if n_rows != expected:
            raise BackendError(f"the native tap read {n_rows} rows, expected {expected}")
        top = slots - self._want_final
        states = np.ascontiguousarray(self._out[:top].transpose(1, 0, 2))
        return states, self._out[top] if self._want_final else None

    def abandon(self) -> BaseException | None:
        """Stop after a failed decode; returns None, because no Python of ours ran that could have failed."""
        self._end(self._ctx)
        return None
