"""A context of llama.cpp: it decodes planned steps and reads the states of the prompts that end in them."""

from __future__ import annotations

import ctypes
from collections.abc import Generator as PythonGenerator
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeVar

import numpy as np

from ..errors import Advice, BackendError, MisuseError
from ..system import signals_deferred
from .ahead import ahead
from .loaded import Loaded
from .native_tap import make_tap
from .options import CACHE_TYPES, FLASH_ATTENTION, MAX_LEAVES, BackendOptions
from .schedule import Step, plan, plan_alone, plan_steady, steady_tokens, unique_tokens
from .turns import Turns
from .ways import LEAST_ROWS

AnyContext = TypeVar("AnyContext", bound="Context")


def least_rows(backbone: Loaded) -> int:
    """Return the fewest rows whose matrix products do not depend on how many rows there are."""
    return LEAST_ROWS if backbone.gpu_layers else backbone.products.least_rows


@dataclass(frozen=True)
class Group:
    """What one decode gave for the n prompts that end in it.

    - `prompts`: for each row, the index of its prompt.
    - `states`: float32 (n, S, n_embd).
    - `final`: float32 (n, n_embd), the normalised vectors. None: nobody asked for them, or the graph ended early.
    - `logits`: float32 (n, n_vocab). None: the graph ended early.
    - `evaluated`: the number of tokens of this decode.
    """

    prompts: tuple[int, ...]
    states: np.ndarray
    final: np.ndarray | None
    logits: np.ndarray | None
    evaluated: int


class Context:
    """A llama_context with unified KV cache and a tap. Use as a context manager.

    It serves one use at a time: an iterator that was begun before the latest one raises MisuseError when it is
    continued, and so does everything but `close()` after `close()` and in a forked process. Threads wait for each
    other's decodes. unpack: whether it multiplies as its model's `products` say, or
    as llama.cpp does. Raises BackendError where the memory for it cannot be had.
    """

    def __init__(self, backbone: Loaded, longest: int, *, tap: bool | str = True, unpack: bool = True) -> None:
        self.backbone = backbone
        self._api = backbone.api
        self._copy = backbone.library.quick("llama_memory_seq_cp")
        self._remove = backbone.library.quick("llama_memory_seq_rm")
        options = backbone.options
        self.capacity = options.batch(backbone.gpu_layers)
        self.longest = longest
        name = tap if isinstance(tap, str) else ""
        self.tap = make_tap(backbone.library, backbone.n_blocks, backbone.n_embd, name) if tap else None
        params = self._params(options)
        backbone.library.log.clear()
        free = self._free_on_gpu()
        owned = backbone.open(lambda model: self._make(model, params), self._api.llama_free, "this context", self)
        if owned is None:
            raise BackendError(
                f"no context of {params.n_ctx} tokens for {backbone.path.name}: "
                f"{backbone.library.log.errors() or 'out of memory'}",
                Advice(
                    "use a smaller -c, -b or -ub, or a smaller -ctk/-ctv type",
                    "use a smaller ctx_size, batch_size or ubatch_size, or a smaller cache_type_k or cache_type_v",
                ),
            )
        self._owned = owned
        if unpack and backbone.products.unpack:
            backbone.library.set_unpack(owned.pointer, backbone.products.unpack)
        # Bytes that it took of the GPUs.
        self.memory = max(0, free - self._free_on_gpu())
        self._turns = Turns(owned)
        self._cells = self._api.llama_get_memory(self._ctx)
        if self.tap is not None:
            self.tap.attach(self._ctx)

    def __enter__(self: AnyContext) -> AnyContext:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the context, when the calls of other threads have returned."""
        with suppress(MisuseError):
            self._turns.begin()
        self._owned.free()

    @property
    def _ctx(self) -> Any:
        return self._owned.pointer

    @property
    def _memory(self) -> Any:
        self._owned.check()
        return self._cells

    def _free_on_gpu(self) -> int:
        gpus = self.backbone.library.devices() if self.backbone.gpu_layers else ()
        return sum(device.memory_free for device in gpus if device.kind != "CPU")

    def _make(self, model: Any, params: Any) -> Any:
        with signals_deferred():
            return self._api.llama_init_from_model(model, params)

    def evaluate(
        self,
        prompts: Sequence[np.ndarray],
        *,
        max_state: int | None = None,
        want_final: bool = False,
    ) -> PythonGenerator[Group, None, None]:
        """Evaluate prompts, sharing what they share, and yield a Group per decode with outputs.

        max_state below n_blocks ends every graph there; Group.final and Group.logits are then None.
        """
        if self.tap is None:
            raise ValueError("this context has no tap: it cannot read states")
        top = self.backbone.n_blocks if max_state is None else max_state
        if not 0 <= top <= self.backbone.n_blocks:
            raise ValueError(f"max_state must lie in 0..{self.backbone.n_blocks}, got {max_state}")
        number = self._turns.begin()
        # On a CPU the threads would only take cores from each other.
        threads = bool(self.backbone.gpu_layers)
        steps = self.plan(prompts)
        groups = self._groups(ahead(steps) if threads else steps, top, want_final)
        return self._turns.run(groups, number, threaded=threads)

    def plan(self, prompts: Sequence[np.ndarray]) -> PythonGenerator[Step, None, None]:
        """Yield the decodes in which `evaluate` would read these prompts."""
        if not self.backbone.can_share:
            return plan_alone(prompts, self.capacity)
        if self.backbone.options.steady:
            return plan_steady(prompts, self.capacity)
        # What is served from elsewhere may be a CPU, whose attention follows the order of the cells.
        ordered = not self.backbone.gpu_layers or bool(self.backbone.options.rpc)
        return plan(prompts, self.capacity, self.backbone.options.leaves(), ordered=ordered)

    def work(self, prompts: Sequence[np.ndarray]) -> int:
        """Return the number of tokens that `evaluate` would evaluate for these prompts."""
        if not self.backbone.can_share:
            return sum(map(len, prompts))
        return steady_tokens(prompts, self.capacity) if self.backbone.options.steady else unique_tokens(prompts)

    def _groups(
        self, steps: PythonGenerator[Step, None, None], top: int, want_final: bool
    ) -> PythonGenerator[Group, None, None]:
        whole = top == self.backbone.n_blocks
        self._api.llama_memory_clear(self._memory, True)
        with closing(steps):
            for step in steps:
                for sequence, length in step.copies:
                    self._copy(self._memory, 0, sequence, 0, length)
                group = self._decode(step, top, whole, want_final and whole)
                self._carry(*step.carry)
                yield group

    def _decode(self, step: Step, top: int, whole: bool, want_final: bool) -> Group:
        rows = np.array(sorted({row for row, _ in step.outputs}), dtype=np.int64)
        read, padded = self._several(rows, step)
        flags = np.zeros(len(padded.tokens), dtype=np.int8)
        assert self.tap is not None
        flagged = whole or self.tap.needs_outputs
        if flagged:
            flags[read] = 1
        self.tap.begin(read, max_state=top, want_final=want_final, flagged=flagged)
        self._run(padded, flags)
        if padded is not step:
            self._remove(self._memory, padded.sequences[-1][0], -1, -1)
        states, final = self.tap.finish()
        logits = self._logits(rows) if whole else None
        nth = [row for row, _ in step.outputs]
        where = np.searchsorted(read, nth)
        return Group(
            prompts=tuple(index for _, index in step.outputs),
            states=states[where],
            final=None if final is None else final[where],
            logits=None if logits is None else logits[np.searchsorted(rows, nth)],
            evaluated=len(step.tokens),
        )

    def _several(self, rows: np.ndarray, step: Step) -> tuple[np.ndarray, Step]:
        """Return more rows to read, and a longer step, where a single row would be multiplied alone.

        llama.cpp multiplies one row with another kernel than several rows, and the results may differ in the last
        bit: a prompt would depend on whether another one ends in the same decode. A step of fewer tokens than
        `least_rows` therefore gets more in a sequence of its own, and with `steady` every step is filled up to one size
        in this way.
        """
        least = least_rows(self.backbone)
        if not self.backbone.can_share or self.capacity < least:
            return rows, step
        missing = (self.capacity if self.backbone.options.steady else least) - len(step.tokens)
        if missing > 0:
            other = MAX_LEAVES if MAX_LEAVES not in step.sequences[0] else MAX_LEAVES - 1
            step = replace(
                step,
                tokens=np.append(step.tokens, np.repeat(step.tokens[-1:], missing)),
                positions=np.append(step.positions, np.arange(missing, dtype=step.positions.dtype)),
                sequences=step.sequences + ((other,),) * missing,
            )
        if 0 < len(rows) < least:
            more = np.setdiff1d(np.arange(len(step.tokens)), rows)[-(least - len(rows)) :]
            rows = np.union1d(rows, more)
        return rows, step

    def run_plain(self, tokens: np.ndarray, start: int = 0) -> None:
        """Decode tokens in sequence 0 from position `start` on, without reading states, in order to measure time.

        Tokens that were at these positions and behind them are forgotten first. Call `wait` before the clock stops.
        """
        n = len(tokens)
        flags = np.zeros(n, dtype=np.int8)
        flags[-1] = 1
        positions = np.arange(start, start + n, dtype=np.int32)
        self._turns.begin()
        with self._owned.lock:
            if start == 0:
                self._api.llama_memory_clear(self._memory, False)
            else:
                self._remove(self._memory, 0, start, -1)
            self._run(Step(np.asarray(tokens, np.int32), positions, ((0,),) * n, (), (), (0, start + n)), flags)

    def wait(self) -> None:
        """Wait until everything is computed; with a GPU `llama_decode` returns earlier."""
        with self._owned.lock:
            self._api.llama_synchronize(self._ctx)

    def _run(self, step: Step, flags: np.ndarray) -> None:
        batch, keep_alive = self._batch(step, flags)
        self.backbone.library.log.clear()
        with signals_deferred():
            status = self._api.llama_decode(self._ctx, batch)
        del keep_alive
        if status != 0:
            raise self._failure(status)

    def _carry(self, sequence: int, length: int) -> None:
        memory = self._memory
        if length == 0:
            self._api.llama_memory_clear(memory, False)
        elif sequence != 0:
            self._remove(memory, 0, -1, -1)
            self._copy(memory, sequence, 0, 0, length)
            # One call per sequence of the step, of which this one has the highest number: a negative
            # number would free the trunk too.
            for other in range(1, sequence + 1):
                self._remove(memory, other, -1, -1)

    def _batch(self, step: Step, flags: np.ndarray) -> tuple[object, tuple[np.ndarray, ...]]:
        counts = np.fromiter(map(len, step.sequences), dtype=np.int32, count=len(step.sequences))
        flat = np.fromiter(chain.from_iterable(step.sequences), dtype=np.int32, count=int(counts.sum()))
        starts = np.concatenate(([0], np.cumsum(counts[:-1], dtype=np.int64)))
        pointers = (flat.ctypes.data + 4 * starts).astype(np.uint64)
        tokens, positions = np.ascontiguousarray(step.tokens), np.ascontiguousarray(step.positions)
        batch = self._api.llama_batch()
        batch.n_tokens = len(tokens)
        fields = {"token": tokens, "pos": positions, "n_seq_id": counts, "seq_id": pointers, "logits": flags}
        for name, array in fields.items():
            kind = dict(batch._fields_)[name]
            setattr(batch, name, ctypes.cast(array.ctypes.data, kind))
        return batch, (tokens, positions, counts, flat, pointers, flags)

    def _logits(self, rows: np.ndarray) -> np.ndarray:
        n = self.backbone.n_vocab
        out = np.empty((len(rows), n), dtype=np.float32)
        for i, row in enumerate(rows):
            pointer = self._api.llama_get_logits_ith(self._ctx, int(row))
            ctypes.memmove(out[i].ctypes.data, pointer, 4 * n)
        return out

    def _failure(self, status: int) -> BaseException:
        inner = self.tap.abandon() if self.tap is not None else None
        if inner is not None:
            return inner
        reason = {1: "no room in the KV cache", 2: "aborted", -1: "invalid batch", -3: "computation failed"}
        text = self.backbone.library.log.errors() or reason.get(status, "")
        return BackendError(
            f"llama.cpp could not decode (status {status}): {text}",
            Advice("use a larger -c, or run with -v for its log", "use a larger ctx_size, or verbose=True for its log"),
        )

    def _params(self, options: BackendOptions) -> Any:
        params = self._api.llama_context_default_params()
        params.n_batch = self.capacity
        params.n_ubatch = options.ubatch(self.backbone.gpu_layers)
        share = self.backbone.can_share
        params.n_ctx = -(-(self.longest + (self.capacity if share else 0)) // 256) * 256
        params.n_seq_max = MAX_LEAVES + 1 if share else 1
        # Without a limit llama.cpp reserves a row of logits for every token of a batch.
        params.n_outputs_max = params.n_seq_max
        params.n_threads = params.n_threads_batch = options.thread_count()
        params.flash_attn_type = FLASH_ATTENTION[options.flash_attn]
        params.type_k = CACHE_TYPES[options.cache_type_k]
        params.type_v = CACHE_TYPES[options.value_cache_type(self.backbone.gpu_layers)]
        params.kv_unified = True
        # Else a GPU multiplies long batches by matrices that lie on the CPU, and short ones not: other bits.
        params.op_offload = self.backbone.gpu_layers != 0
        # A sliding window frees cells that another branch of the prefix tree still needs.
        params.swa_full = True
        params.no_perf = True
        if self.tap is not None:
            self.tap.prepare(params)
        return params
