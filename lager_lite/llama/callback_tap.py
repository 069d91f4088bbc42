"""How hidden states are read out of a running graph.

The callback tap works on the stock library: llama.cpp asks an evaluation callback about every node
of the graph before it computes the node, and calls it again with the data of the nodes that it asked for.
States are found by the names that llama.cpp gives to its tensors: `l_out-<i>` is the output of block i
(counted from 0, so state i+1); state 0 is the last of STATE0_NAMES that is computed before it.

Only the wanted rows are copied, with ggml_backend_tensor_get, so tensors may lie on any device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import BackendError, UnsupportedModelError
from .library import GgmlTensor, Library

STATE0_NAMES = (
    b"embd",
    b"inp_scaled",
    b"inp_embd_scaled",
    b"inpL",
    b"inp_norm",
    b"inp_norm-0",
    b"embd_norm",
    b"model.input_embed",
    b"model.embed_tokens",
)
FINAL_NAME = b"result_norm"
_FINAL = -1
_GGML_TYPE_F32 = 0


def missing_states(states: Sequence[int], final: int) -> UnsupportedModelError:
    """Return the error for states that a graph has no tensor for; the number `final` means the normalised vector."""
    names = ", ".join("final" if i == final else str(i) for i in states)
    return UnsupportedModelError(
        f"llama.cpp's graph of this architecture shows no tensor for state {names}",
        "judge with another architecture, or report it with the model's name",
    )


class CallbackTap:
    """Reads states with an evaluation callback; one object belongs to one context.

    Use: `prepare(...)` and `attach(...)` once, then `begin(...)`, one llama_decode, `finish()`.
    """

    name = "callback"
    needs_outputs = False

    def __init__(self, library: Library, n_blocks: int, n_embd: int) -> None:
        self.n_blocks = n_blocks
        self.n_embd = n_embd
        self._base = library.base
        self.callback = library.api.ggml_backend_sched_eval_callback(self._on_node)
        self._names = {name: 0 for name in STATE0_NAMES}
        self._names.update({b"l_out-%d" % i: i + 1 for i in range(n_blocks)})
        self._names[FINAL_NAME] = _FINAL
        self._active = False

    def prepare(self, params: Any) -> None:
        """Enter the callback into the parameters of the context that is to be tapped."""
        params.cb_eval = self.callback

    def attach(self, ctx: object) -> None:
        """Do nothing: the context knows the callback already."""

    def begin(self, rows: np.ndarray, *, max_state: int, want_final: bool, flagged: bool) -> None:
        """Prepare for one decode.

        - `rows`: int (n,), the rows of the batch to read, ascending.
        - `max_state`: the highest state to read, 0 to n_blocks. Below n_blocks the graph ends there.
        - `want_final`: whether to read the vector after the output norm too.
        - `flagged`: whether the rows are exactly the batch's output rows. The last block needs this, because its
          tensor holds output rows only.
        """
        self._rows = np.asarray(rows, dtype=np.int64)
        self._max_state = max_state
        self._want_final = want_final
        self._flagged = flagged
        self._states = np.empty((len(self._rows), max_state + 1, self.n_embd), dtype=np.float32)
        self._final = np.empty((len(self._rows), self.n_embd), dtype=np.float32) if want_final else None
        self._filled = np.zeros((max_state + 2, len(self._rows)), dtype=bool)
        self._offset = self._n_tokens = 0
        self._in_blocks = self._ended = False
        self._first: bytes | None = None
        self._failure: BaseException | None = None
        self._active = True

    def finish(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Return (states float32 (n, max_state+1, n_embd), final float32 (n, n_embd) or None).

        Raises UnsupportedModelError where the graph had no tensor for a state to read, and any error that was raised
        inside the callback.
        """
        self._active = False
        if self._failure is not None:
            raise self._failure
        needed = self._filled if self._want_final else self._filled[:-1]
        if not needed.all():
            raise missing_states(np.flatnonzero(~needed.all(axis=1)).tolist(), self._max_state + 1)
        return self._states, self._final

    def abandon(self) -> BaseException | None:
        """Stop after a failed decode; return the error that was raised inside the callback, or None."""
        self._active = False
        return self._failure

    def _on_node(self, tensor: int, ask: bool, _user: object) -> bool:
        # Whatever happens here must not cross into C; it is raised again in finish().
        try:
            if not self._active:
                return False
            name = self._base.ggml_get_name(tensor)
            state = self._names.get(name)
            return self._ask(name, state) if ask else self._data(tensor, state)
        except BaseException as error:  # noqa: B036
            self._failure = error
            self._ended = True
            return bool(ask)

    def _ask(self, name: bytes, state: int | None) -> bool:
        if self._first is None:
            self._first = name
        elif name == self._first:
            # The first node again: the next micro-batch begins.
            self._offset += self._n_tokens
            self._in_blocks = self._ended = False
        if self._ended:
            # A graph on several devices has several parts, and ending one of them does not end the next.
            return True
        if state is None:
            return False
        if state == 0:
            return not self._in_blocks
        if state == _FINAL:
            return self._want_final
        # Several tensors may have a name of state 0; only the first block shows which of them was the last one.
        return state <= max(1, self._max_state)

    def _data(self, tensor: int, state: int | None) -> bool:
        if self._ended or state is None:
            return False
        view = GgmlTensor.from_address(tensor)
        if state == 0:
            self._n_tokens = view.ne[1]
        else:
            self._in_blocks = True
        if state <= self._max_state:
            self._read(tensor, view, state)
        self._ended = state == max(1, self._max_state) and self._max_state < self.n_blocks
        return not self._ended

    def _read(self, tensor: int, view: GgmlTensor, state: int) -> None:
        if view.type != _GGML_TYPE_F32 or view.ne[0] != self.n_embd or view.ne[2] != 1 or view.ne[3] != 1:
            raise BackendError(
                f"state {state} has type {view.type} and shape {list(view.ne)}, expected float32 and [{self.n_embd}, n, 1, 1]",
                "this architecture is not supported; report it with the model's name",
            )
        first = int(np.searchsorted(self._rows, self._offset))
        last = int(np.searchsorted(self._rows, self._offset + self._n_tokens))
        target = self._final if state == _FINAL else self._states[:, state]
        if first == last or target is None:
            return
        if view.ne[1] == self._n_tokens:
            rows = self._rows[first:last] - self._offset
        elif self._flagged and view.ne[1] == last - first:
            rows = np.arange(last - first)
        else:
            raise BackendError(
                f"state {state} has {view.ne[1]} rows for {self._n_tokens} tokens and {last - first} outputs"
            )
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        for start, stop in zip(starts, [*starts[1:], len(rows)]):
            self._copy(tensor, view, int(rows[start]), target[first + start : first + stop])
        self._filled[self._max_state + 1 if state == _FINAL else state, first:last] = True

    def _copy(self, tensor: int, view: GgmlTensor, row: int, target: np.ndarray) -> None:
        size, stride = 4 * self.n_embd, view.nb[1]
        if target.flags.c_contiguous and stride == size:
            self._base.ggml_backend_tensor_get(tensor, target.ctypes.data, row * stride, size * len(target))
            return
        buffer = np.empty((len(target), self.n_embd), dtype=np.float32)
        if stride == size:
            self._base.ggml_backend_tensor_get(tensor, buffer.ctypes.data, row * stride, size * len(target))
        else:
            for i in range(len(target)):
                self._base.ggml_backend_tensor_get(tensor, buffer[i].ctypes.data, (row + i) * stride, size)
        target[...] = buffer
