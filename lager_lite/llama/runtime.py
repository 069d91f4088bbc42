"""Models and contexts of llama.cpp as context managers, and the evaluation of planned steps."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import BackendError
from ..records import States
from ..schedule import Step, plan, plan_alone
from .library import Library, load
from .tap import CallbackTap

CACHE_TYPES = {"f32": 0, "f16": 1, "bf16": 30, "q8_0": 8, "q4_0": 2, "q4_1": 3, "iq4_nl": 20, "q5_0": 6, "q5_1": 7}
FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
SPLIT_MODES = {"none": 0, "layer": 1, "row": 2}
# llama.cpp keeps sequence sets as bit sets of 256; more leaves per step than this brought nothing.
MAX_LEAVES = 64


@dataclass(frozen=True)
class BackendOptions:
    """Settings under llama.cpp's own names.

    gpu_layers: a number, "auto" (all that fit, 0 without a GPU) or "all"; ctx_size: longest prompt
    in tokens, 0 = as long as the prompts need, at most the model's training context; batch_size:
    tokens in one decode; ubatch_size: tokens in one graph; threads None: the cores this process may
    use; cache_type_k, cache_type_v: a key of CACHE_TYPES; flash_attn: a key of FLASH_ATTENTION.

    cache_type_v "auto" is bf16 where all runs on the CPU with flash attention and an f16 K cache,
    else f16. With two types llama.cpp's CPU attention visits the keys of every row one by one, in
    the order of the cells, and skips those of other prompts; with one it works on tiles, whose sums
    depend on what lies beside a prompt. Quantized weights magnify that from the last bit to a tenth
    of a score point.
    """

    gpu_layers: int | str = "auto"
    ctx_size: int = 0
    batch_size: int = 512
    ubatch_size: int = 512
    threads: int | None = None
    flash_attn: str = "auto"
    cache_type_k: str = "f16"
    cache_type_v: str = "auto"
    split_mode: str = "layer"
    main_gpu: int = 0
    verbose: bool = False

    @classmethod
    def exact(cls, **changes: object) -> BackendOptions:
        """The settings under which states are exact: no flash attention, float32 KV cache."""
        return cls(**{"flash_attn": "off", "cache_type_k": "f32", "cache_type_v": "f32", **changes})  # type: ignore[arg-type]

    def value_cache_type(self, gpu_layers: int) -> str:
        """The type of the V cache: what "auto" means where so many blocks lie on a GPU."""
        if self.cache_type_v != "auto":
            return self.cache_type_v
        steady = gpu_layers == 0 and self.flash_attn != "off" and self.cache_type_k == "f16"
        return "bf16" if steady else "f16"

    def thread_count(self) -> int:
        """The number of threads to use."""
        if self.threads:
            return self.threads
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else (os.cpu_count() or 1)


class Backbone:
    """A loaded model. Use as a context manager, or call `close()`.

    Raises BackendError where llama.cpp cannot load the file; run the preflight of `gguf_file`
    first, since llama.cpp aborts the process on some damaged files.
    """

    def __init__(self, path: str | Path, options: BackendOptions = BackendOptions()) -> None:
        self.path = Path(path)
        self.options = options
        self.library = load()
        self.library.log.verbose = options.verbose
        self._api = self.library.api
        self._model = self._load()
        self._vocab = self._api.llama_model_get_vocab(self._model)
        self.n_blocks = int(self._api.llama_model_n_layer(self._model))
        self.n_embd = int(self._api.llama_model_n_embd(self._model))
        self.n_ctx_train = int(self._api.llama_model_n_ctx_train(self._model))
        self.n_vocab = int(self._api.llama_vocab_n_tokens(self._vocab))
        self.can_share = not (
            self._api.llama_model_is_recurrent(self._model) or self._api.llama_model_is_hybrid(self._model)
        )
        self._space = self._space_marker()

    def __enter__(self) -> Backbone:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model; contexts must have been closed before."""
        if self._model:
            self._api.llama_model_free(self._model)
            self._model = None

    @property
    def adds_bos(self) -> int | None:
        """The token that this model wants before every text, None where it wants none."""
        if not self._api.llama_vocab_get_add_bos(self._vocab):
            return None
        token = int(self._api.llama_vocab_bos(self._vocab))
        return token if token >= 0 else None

    def is_control(self, token: int) -> bool:
        """Whether a token is a control token of the vocabulary."""
        return bool(self._api.llama_vocab_is_control(self._vocab, token))

    def tokenize(self, text: str, *, parse_special: bool, start: bool = False) -> list[int]:
        """Token ids of a piece of text, without BOS.

        parse_special: turn the names of control tokens into these tokens (trusted text only).
        start: the text opens the prompt, so vocabularies that put a space before a text's first
        word do so; inside a prompt they must not.
        """
        if not text:
            return []
        if start or not self._space:
            return self._tokenize(text, parse_special)
        mark, lead = self._space
        tokens = self._tokenize(mark + text, parse_special)
        if tokens[: len(lead)] != lead:
            raise BackendError(f"the tokenizer of {self.path.name} merges {mark!r} with {text[:20]!r}")
        return tokens[len(lead) :]

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of tokens, control tokens written out; broken UTF-8 becomes U+FFFD."""
        return b"".join(self.piece(t) for t in tokens).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        """The bytes of one token."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            n = self._api.llama_token_to_piece(self._vocab, token, buffer, size, 0, True)
            if n >= 0:
                return buffer.raw[:n]
            size = -n

    def context(self, longest: int, *, tap: bool = True) -> Context:
        """A context for prompts of up to `longest` tokens; without a tap it reads no states."""
        return Context(self, longest, tap=tap)

    def read_states(self, prompts: Sequence[Sequence[int]], *, max_state: int | None = None) -> list[States]:
        """The states of every prompt at its last token, in the order of `prompts`.

        max_state: end the graph after that state (then `final` and `logits` are None).
        """
        arrays = [np.asarray(p, dtype=np.int32) for p in prompts]
        found: list[States | None] = [None] * len(arrays)
        with self.context(max(map(len, arrays), default=1)) as context:
            for group in context.evaluate(arrays, max_state=max_state, want_final=True):
                for row, index in enumerate(group.prompts):
                    found[index] = States(
                        states=group.states[row],
                        final=None if group.final is None else group.final[row],
                        logits=None if group.logits is None else group.logits[row],
                    )
        return found  # type: ignore[return-value]

    def _tokenize(self, text: str, parse_special: bool) -> list[int]:
        data = text.encode("utf-8", "surrogatepass" if parse_special else "replace")
        size = len(data) + 8
        buffer = (self._api.llama_token * size)()
        n = self._api.llama_tokenize(self._vocab, data, len(data), buffer, size, False, parse_special)
        if n < 0:
            raise BackendError(f"the tokenizer of {self.path.name} failed on {text[:40]!r}")
        return list(buffer[:n])

    def _space_marker(self) -> tuple[str, list[int]] | None:
        """A character that never merges, and its tokens, where a space is put before every text."""
        if not self.piece_text("a").startswith(" "):
            return None
        for mark in ("\x1f", "\x1e", "\x05", "\x06"):
            alone, before = self._tokenize(mark, False), self._tokenize(mark + "a", False)
            if before[: len(alone)] == alone and self._tokenize(mark + " a", False)[: len(alone)] == alone:
                return mark, alone
        raise BackendError(f"the tokenizer of {self.path.name} has no character that stands alone")

    def piece_text(self, text: str) -> str:
        """`text` after tokenizing and writing out again: shows what the tokenizer adds."""
        return self.detokenize(self._tokenize(text, False))

    def _load(self) -> object:
        params = self._api.llama_model_default_params()
        self.gpu_layers = gpu_layers(self.library, self.options.gpu_layers, self.path)
        params.n_gpu_layers = self.gpu_layers
        params.split_mode = SPLIT_MODES[self.options.split_mode]
        params.main_gpu = self.options.main_gpu
        self.library.log.clear()
        model = self._api.llama_model_load_from_file(str(self.path).encode(), params)
        if not model:
            raise BackendError(
                f"llama.cpp cannot load {self.path}: {self.library.log.errors() or 'no reason given'}",
                "run with -v to see llama.cpp's whole log",
            )
        return model


@dataclass(frozen=True)
class Group:
    """What one decode gave: states float32 (n, S, n_embd), final (n, n_embd) or None, logits
    (n, n_vocab) or None; prompts[i] is the index of the prompt that row i belongs to; evaluated:
    tokens of this decode."""

    prompts: tuple[int, ...]
    states: np.ndarray
    final: np.ndarray | None
    logits: np.ndarray | None
    evaluated: int


class Context:
    """A llama_context with unified KV cache and a tap. Use as a context manager.

    Raises BackendError where the memory for it cannot be had.
    """

    def __init__(self, backbone: Backbone, longest: int, *, tap: bool = True) -> None:
        self.backbone = backbone
        self._api = backbone._api
        options = backbone.options
        self.capacity = max(1, options.batch_size)
        self.longest = longest
        self.tap = CallbackTap(backbone.library, backbone.n_blocks, backbone.n_embd) if tap else None
        params = self._params(options)
        backbone.library.log.clear()
        self._ctx = self._api.llama_init_from_model(backbone._model, params)
        if not self._ctx:
            raise BackendError(
                f"no context of {params.n_ctx} tokens for {backbone.path.name}: "
                f"{backbone.library.log.errors() or 'out of memory'}",
                "use a smaller -c, -b or -ub, or a smaller -ctk/-ctv type",
            )
        self._memory = self._api.llama_get_memory(self._ctx)

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the context."""
        if self._ctx:
            self._api.llama_free(self._ctx)
            self._ctx = None

    def evaluate(
        self,
        prompts: Sequence[np.ndarray],
        *,
        max_state: int | None = None,
        want_final: bool = False,
    ) -> Iterator[Group]:
        """Evaluate prompts, sharing what they share, and yield a Group per decode with outputs.

        max_state below n_blocks ends every graph there; Group.final and Group.logits are then None.
        """
        if self.tap is None:
            raise ValueError("this context has no tap: it cannot read states")
        top = self.backbone.n_blocks if max_state is None else max_state
        if not 0 <= top <= self.backbone.n_blocks:
            raise ValueError(f"max_state must lie in 0..{self.backbone.n_blocks}, got {max_state}")
        whole = top == self.backbone.n_blocks
        share = self.backbone.can_share
        steps = plan(prompts, self.capacity, MAX_LEAVES) if share else plan_alone(prompts, self.capacity)
        self._api.llama_memory_clear(self._memory, True)
        for step in steps:
            for sequence, length in step.copies:
                self._api.llama_memory_seq_cp(self._memory, 0, sequence, 0, length)
            group = self._decode(step, top, whole, want_final and whole)
            self._carry(*step.carry)
            yield group

    def _decode(self, step: Step, top: int, whole: bool, want_final: bool) -> Group:
        rows = np.array(sorted({row for row, _ in step.outputs}), dtype=np.int64)
        flags = np.zeros(len(step.tokens), dtype=np.int8)
        if whole:
            flags[rows] = 1
        assert self.tap is not None
        self.tap.begin(rows, max_state=top, want_final=want_final, flagged=whole)
        self._run(step, flags)
        states, final = self.tap.finish()
        logits = self._logits(rows) if whole else None
        where = np.searchsorted(rows, [row for row, _ in step.outputs])
        return Group(
            prompts=tuple(index for _, index in step.outputs),
            states=states[where],
            final=None if final is None else final[where],
            logits=None if logits is None else logits[where],
            evaluated=len(step.tokens),
        )

    def run_plain(self, tokens: np.ndarray, start: int = 0) -> None:
        """Decode one run of tokens in sequence 0 from position `start` on, reading nothing but the
        last token's logits; start 0 empties the memory first. For measuring, and for generating."""
        if start == 0:
            self._api.llama_memory_clear(self._memory, False)
        n = len(tokens)
        flags = np.zeros(n, dtype=np.int8)
        flags[-1] = 1
        positions = np.arange(start, start + n, dtype=np.int32)
        self._run(Step(np.asarray(tokens, np.int32), positions, ((0,),) * n, (), (), (0, start + n)), flags)

    def _run(self, step: Step, flags: np.ndarray) -> None:
        batch, keep_alive = self._batch(step, flags)
        self.backbone.library.log.clear()
        status = self._api.llama_decode(self._ctx, batch)
        del keep_alive
        if status != 0:
            raise self._failure(status)

    def _carry(self, sequence: int, length: int) -> None:
        api, memory = self._api, self._memory
        if length == 0:
            api.llama_memory_clear(memory, False)
        elif sequence != 0:
            api.llama_memory_seq_rm(memory, 0, -1, -1)
            api.llama_memory_seq_cp(memory, sequence, 0, 0, length)
            # One call per sequence: a negative id would free the trunk too.
            for other in range(1, MAX_LEAVES + 1):
                api.llama_memory_seq_rm(memory, other, -1, -1)

    def _batch(self, step: Step, flags: np.ndarray) -> tuple[object, tuple[np.ndarray, ...]]:
        counts = np.fromiter(map(len, step.sequences), dtype=np.int32, count=len(step.sequences))
        flat = np.fromiter((s for group in step.sequences for s in group), dtype=np.int32, count=int(counts.sum()))
        starts = np.concatenate(([0], np.cumsum(counts[:-1], dtype=np.int64)))
        pointers = (flat.ctypes.data + 4 * starts).astype(np.uint64)
        tokens, positions = np.ascontiguousarray(step.tokens), np.ascontiguousarray(step.positions)
        batch = self._api.llama_batch()
        batch.n_tokens = len(tokens)
        for name, array in (
            ("token", tokens),
            ("pos", positions),
            ("n_seq_id", counts),
            ("seq_id", pointers),
            ("logits", flags),
        ):
            kind = dict(batch._fields_)[name]
            setattr(batch, name, ctypes.cast(array.ctypes.data, kind))
        return batch, (tokens, positions, counts, flat, pointers, flags)

    def _logits(self, rows: np.ndarray) -> np.ndarray:
        out = np.empty((len(rows), self.backbone.n_vocab), dtype=np.float32)
        for i, row in enumerate(rows):
            pointer = self._api.llama_get_logits_ith(self._ctx, int(row))
            out[i] = np.ctypeslib.as_array(pointer, shape=(self.backbone.n_vocab,))
        return out

    def _failure(self, status: int) -> BaseException:
        inner = self.tap.abandon() if self.tap is not None else None
        if inner is not None:
            return inner
        reason = {1: "no room in the KV cache", 2: "aborted", -1: "invalid batch", -3: "computation failed"}
        text = self.backbone.library.log.errors() or reason.get(status, "")
        return BackendError(
            f"llama.cpp could not decode (status {status}): {text}", "use a larger -c, or run with -v for its log"
        )

    def _params(self, options: BackendOptions) -> object:
        params = self._api.llama_context_default_params()
        params.n_batch = self.capacity
        params.n_ubatch = max(1, min(options.ubatch_size, self.capacity))
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
        # A sliding window frees cells that another branch of the prefix tree still needs.
        params.swa_full = True
        params.no_perf = True
        if self.tap is not None:
            params.cb_eval = self.tap.callback
        return params


def gpu_layers(library: Library, wanted: int | str, path: Path) -> int:
    """The number of blocks to offload for a setting of `BackendOptions.gpu_layers`.

    "auto": everything if the devices' free memory holds the file and a fifth more, else the share
    of a hundred blocks that fits; 0 where the library has no GPU.
    """
    if wanted == "all":
        return -1 if library.api.llama_supports_gpu_offload() else 0
    if wanted != "auto":
        return int(wanted) if library.api.llama_supports_gpu_offload() else 0
    free = sum(d.memory_free for d in library.devices() if d.kind not in ("CPU", "accelerator"))
    if not free:
        return 0
    need = 1.2 * path.stat().st_size
    return -1 if need <= free else int(100 * free / need)
