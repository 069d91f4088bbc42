"""A model of llama.cpp as a context manager: loading, tokens, and contexts for evaluating prompts."""

from __future__ import annotations

import ctypes
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Advice, BackendError, LagerWarning
from ..records import States
from ..system import signals_deferred
from .asked import gpus_of, heeded, unmet
from .context import Context
from .copies import file_to_load
from .library import load
from .options import SPLIT_MODES, BackendOptions
from .owned import Owned
from .placing import gpu_layers
from .products import choose_products
from .rpc import register

_BLANK = " \t\r\n▁ĠĊ"
_WHOLE_LOG = Advice(
    "run with -v to see llama.cpp's whole log", "BackendOptions(verbose=True) shows llama.cpp's whole log"
)
_LESS_ON_GPU = Advice(
    "use -ngl auto, which puts as many blocks on the GPU as fit, or a smaller -ngl",
    'use gpu_layers="auto", which puts as many blocks on the GPU as fit, or a smaller number',
)
_NO_DEVICES = (ctypes.c_void_p * 1)(None)


class Backbone:
    """A loaded model. Use as a context manager, or call `close()`.

    Threads may share it. After `close()` and in a forked process everything but `close()` raises MisuseError. Raises
    BackendError where llama.cpp cannot load the file. Open the file with `open_model` first, because llama.cpp ends the
    process on some damaged files.
    """

    def __init__(self, path: str | Path, options: BackendOptions = BackendOptions()) -> None:
        self.path = Path(path)
        self.library = load()
        self.library.log.verbose = options.verbose
        self.products = choose_products(self.library, options.unpack, self.path)
        register(self.library, options.rpc)
        if lack := unmet(self.library, options):
            warnings.warn(lack, LagerWarning, stacklevel=2)
        self.gpu_layers = gpu_layers(self.library, options.gpu_layers, self.path)
        self.options = heeded(self.library, options, self.gpu_layers, self.products)
        self.copied, self._file, self._held = file_to_load(self.library, options, self.path, self.gpu_layers)
        self.api = self.library.api
        self._owned = Owned(self._load(), self.api.llama_model_free, f"the model {self.path.name}", self)
        self._words = self.api.llama_model_get_vocab(self.handle)
        self.n_blocks = int(self.api.llama_model_n_layer(self.handle))
        self.n_embd = int(self.api.llama_model_n_embd(self.handle))
        self.n_ctx_train = int(self.api.llama_model_n_ctx_train(self.handle))
        self.n_vocab = int(self.api.llama_vocab_n_tokens(self._vocab))
        self.can_share = not (
            self.api.llama_model_is_recurrent(self.handle) or self.api.llama_model_is_hybrid(self.handle)
        )
        self._space = self._space_marker()
        self._markers: dict[int, str] = {}

    def __enter__(self) -> Backbone:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model and its contexts, when the calls of other threads have returned."""
        self._owned.free()
        if self._held is not None:
            self._held.close()

    @property
    def handle(self) -> Any:
        """The llama_model. Raises MisuseError where it is closed."""
        return self._owned.pointer

    @property
    def numerics(self) -> str:
        """The version of the library, and of everything else that changes a number on one kind of device: two backbones
        of one file and of one `numerics` give the same bits on processors with the same instructions."""
        products = self.products.name if self.gpu_layers >= 0 else "the GPU's"
        return f"{self.library.numerics}, products {f'of a copy in {self.copied}' if self.copied else products}"

    @property
    def place(self) -> str:
        """What computes the blocks, in words: "CPU", or the GPUs, with the number of blocks where some stay on the CPU."""
        if not self.gpu_layers:
            return "CPU"
        on = sorted({d.description for d in gpus_of(self.library)})
        some = "" if self.gpu_layers < 0 else f"{self.gpu_layers} blocks on "
        return some + " and ".join(on)

    @property
    def lock(self) -> Any:
        """Held while the vocabulary is used, so that no other thread frees it meanwhile."""
        return self._owned.lock

    @property
    def _vocab(self) -> Any:
        self._owned.check()
        return self._words

    def open(self, make: Callable[[Any], Any], free: Callable[[Any], object], what: str, owner: object) -> Owned | None:
        """Open something of this model that is freed before it; see `Owned.open`."""
        return self._owned.open(make, free, what, owner)

    @property
    def adds_bos(self) -> int | None:
        """The token that this model wants before every text; None where it wants none."""
        with self.lock:
            if not self.api.llama_vocab_get_add_bos(self._vocab):
                return None
            token = int(self.api.llama_vocab_bos(self._vocab))
        return token if token >= 0 else None

    def is_control(self, token: int) -> bool:
        """Return whether a token is a control token of the vocabulary."""
        with self.lock:
            return bool(self.api.llama_vocab_is_control(self._vocab, token))

    def tokenize(self, text: str, *, parse_special: bool, start: bool = False) -> list[int]:
        """Return the token ids of a piece of text, without BOS.

        - `parse_special`: whether to turn the names of control tokens into these tokens, for trusted text only.
          Without it the result holds no token that `marker` names, whatever the text says.
        - `start`: whether the text opens the prompt. Some vocabularies put a space before the first word of a text;
          inside a prompt they must not.

        Raises BackendError where the tokenizer does something unexpected.
        """
        if not text:
            return []
        if parse_special:
            return self._piecewise(text, True, start)
        waiting = [text]
        done: list[int] = []
        while waiting:
            piece = waiting.pop()
            tokens = self._piecewise(piece, False, start and not done)
            names = {name for t in tokens if (name := self.marker(t))}
            if not names:
                done += tokens
                continue
            parts = _cut(piece, names)
            if len(parts) == 1:
                raise BackendError(
                    f"the tokenizer of {self.path.name} produces {sorted(names)} from a text that does not contain it"
                )
            waiting += reversed(parts)
        return done

    def marker(self, token: int) -> str:
        """Return the name of a token that only trusted text may contain; "" for any other token.

        These are the control tokens, and user-defined tokens with two or more visible characters: some vocabularies
        keep their turn markers there, and llama.cpp recognizes those in any text.
        """
        name = self._markers.get(token)
        if name is None:
            with self.lock:
                kind = self.api.llama_vocab_get_attr(self._vocab, token)
                name = self.api.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace")
            listed = kind & self.api.LLAMA_TOKEN_ATTR_USER_DEFINED and len(name.strip(_BLANK)) > 1
            name = name if listed or kind & self.api.LLAMA_TOKEN_ATTR_CONTROL else ""
            self._markers[token] = name
        return name

    def detokenize(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, including the names of control tokens; invalid UTF-8 becomes U+FFFD."""
        return b"".join(self.piece(t) for t in tokens).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        """Return the bytes of one token."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            with self.lock:
                n = self.api.llama_token_to_piece(self._vocab, token, buffer, size, 0, True)
            if n >= 0:
                return buffer.raw[:n]
            size = -n

    def context(self, longest: int, *, tap: bool | str = True) -> Context:
        """Open a context for prompts of up to `longest` tokens.

        tap: True for the best tap that the library has, the name of one (see `available`), or False for a context that
        reads no states. Raises BackendError where there is not enough memory.
        """
        return Context(self, longest, tap=tap)

    def read_states(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_state: int | None = None,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> list[States]:
        """Return the states of every prompt at its last token, in the order of `prompts`.

        - `max_state`: the state after which the graph ends; `final` and `logits` are then None.
        - `progress`: told after every decode how many tokens are evaluated, and how many there are.
        """
        arrays = [np.asarray(p, dtype=np.int32) for p in prompts]
        found: dict[int, States] = {}
        with self.context(max(map(len, arrays), default=1)) as context:
            done, work = 0, context.work(arrays)
            for group in context.evaluate(arrays, max_state=max_state, want_final=True):
                done += group.evaluated
                progress(done, work)
                for row, index in enumerate(group.prompts):
                    found[index] = States(
                        states=group.states[row],
                        final=None if group.final is None else group.final[row],
                        logits=None if group.logits is None else group.logits[row],
                    )
        return [found[index] for index in range(len(arrays))]

    def _piecewise(self, text: str, parse_special: bool, start: bool) -> list[int]:
        if start or not self._space:
            return self._tokenize(text, parse_special)
        mark, lead = self._space
        tokens = self._tokenize(mark + text, parse_special)
        if tokens[: len(lead)] != lead:
            raise BackendError(f"the tokenizer of {self.path.name} merges {mark!r} with {text[:20]!r}")
        return tokens[len(lead) :]

    def _tokenize(self, text: str, parse_special: bool) -> list[int]:
        data = text.encode("utf-8", "surrogatepass" if parse_special else "replace")
        size = len(data) + 8
        buffer = (self.api.llama_token * size)()
        with self.lock:
            n = self.api.llama_tokenize(self._vocab, data, len(data), buffer, size, False, parse_special)
        if n < 0:
            raise BackendError(f"the tokenizer of {self.path.name} failed on {text[:40]!r}")
        return list(buffer[:n])

    def _space_marker(self) -> tuple[str, list[int]] | None:
        """Return a character that never merges with others, and its tokens; None where no space is put before a text."""
        if not self.piece_text("a").startswith(" "):
            return None
        for mark in ("\x1f", "\x1e", "\x05", "\x06"):
            alone, before = self._tokenize(mark, False), self._tokenize(mark + "a", False)
            if before[: len(alone)] == alone and self._tokenize(mark + " a", False)[: len(alone)] == alone:
                return mark, alone
        raise BackendError(f"the tokenizer of {self.path.name} has no character that is always a token of its own")

    def piece_text(self, text: str) -> str:
        """Return `text` after tokenizing and detokenizing, which shows what the tokenizer adds."""
        return self.detokenize(self._tokenize(text, False))

    def _load(self) -> Any:
        params = self.api.llama_model_default_params()
        params.n_gpu_layers = self.gpu_layers
        if self.gpu_layers:
            params.split_mode = SPLIT_MODES[self.options.split_mode]
            params.main_gpu = self.options.main_gpu
        else:
            # A GPU that is not used may be full, and llama.cpp would end the process over its first allocation there.
            params.devices = ctypes.addressof(_NO_DEVICES)
        params.use_extra_bufts = self.products.extra_buffers
        self.library.log.clear()
        with signals_deferred():
            model = self.api.llama_model_load_from_file(str(self._file).encode(), params)
        if not model:
            told = self.library.log.errors()
            raise BackendError(
                f"llama.cpp cannot load {self.path}: {told or 'no reason given'}",
                _LESS_ON_GPU if self.gpu_layers and "unable to allocate" in told else _WHOLE_LOG,
            )
        return model


def _cut(text: str, names: set[str]) -> list[str]:
    """Cut a text after the first character of every name in it; return it whole where it contains no name."""
    written = sorted({n for name in names for n in (name, name.replace("▁", " "))}, key=len, reverse=True)
    places = [found.start() + 1 for found in re.finditer("|".join(map(re.escape, written)), text)]
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)]) if a < b]
