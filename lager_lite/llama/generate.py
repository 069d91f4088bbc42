"""Text from many prompts at once: continuous batching over the sequences of one context.

Prompts are planned as for reading (`schedule.plan`), so what they share is evaluated once. Each step of the
plan leaves its prompts in sequences of their own, the parents. A text shares the cells of its parent in a
running sequence, and all running sequences get their next token from one decode. A text that has ended makes
room for the next one.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as PythonGenerator
from dataclasses import dataclass, field

import numpy as np

from .cells import PADDING, OrderedContext, Parent, is_steady, room_for
from .loaded import Loaded
from .sampling import Sampling, draw_token
from .schedule import Step, plan

RUNNING_TEXTS = 32
_PARENTS = 16
# In cells: memory for more texts or prompts at a time than these hold costs more than it saves.
_TEXT_CELLS, _PROMPT_CELLS = 4096, 8192


@dataclass(frozen=True)
class Request:
    """A text to write.

    - `prompt`: int (n,), the tokens that it follows.
    - `seed`: the seed of the text's own random numbers.
    """

    prompt: np.ndarray
    seed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Written:
    """A text that was written.

    - `request`: the number of its request.
    - `tokens`: the text, without the token that ended it.
    - `drawn`: how many tokens were drawn for it, including the one that ended it.
    """

    request: int
    tokens: tuple[int, ...]
    drawn: int


@dataclass
class _Running:
    """A text that is being written: its request's number, its parent's length, its sequence and its tokens so far."""

    request: int
    length: int
    sequence: int
    rng: np.random.Generator
    tokens: list[int] = field(default_factory=list)


class Generator(OrderedContext):
    """A context that writes texts. Use as a context manager.

    - `prompts`: those to write for; `write` takes any others that are no longer and share as much.
    - `most`: the most tokens of one text.
    - `copies`: the most texts behind one prompt.
    - `width`: the most sequences that run at a time. Fewer run for long texts, and only one where sequences cannot
      run side by side (see `is_steady`).
    - `company`: see `OrderedContext`.

    Raises BackendError where the memory for it cannot be had.
    """

    def __init__(
        self,
        backbone: Loaded,
        prompts: Sequence[np.ndarray],
        *,
        most: int,
        copies: int = 1,
        width: int = RUNNING_TEXTS,
        company: bool = True,
    ) -> None:
        self.most, self.copies, self.drawn = most, copies, 0
        steady = is_steady(backbone)
        self.width = max(1, min(width, PADDING - 1 - _PARENTS, max(8, _TEXT_CELLS // most))) if steady else 1
        # Room for two rounds of running texts; attention would only have to skip any further cells.
        parents = min(_PARENTS, self.width)
        spare = most * max(copies, parents, 2 * self.width)
        room = min(room_for(prompts, parents + self.width), _PROMPT_CELLS) if steady else 0
        super().__init__(backbone, max(map(len, prompts), default=1) + spare + room, company=company)
        self.parents = max(1, min(parents, spare // (most * copies))) if steady else 1
        self._barred, self._ends = self._special()

    def write(
        self,
        requests: Sequence[Request],
        *,
        sampling: Sampling = Sampling(),
        stop: Callable[[int, Sequence[int]], bool] = lambda *_: False,
    ) -> Iterator[Written]:
        """Write the text of every request; yields each one as it is finished.

        A text ends at a token that ends a generation, after `most` tokens, or where `stop(number, tokens)` is true of
        its request's number and its tokens so far. Other control tokens are never drawn. Raises ValueError for more
        than `copies` equal prompts, and BackendError where the memory is too small or llama.cpp fails.
        """
        return (written for written in self.follow(requests, sampling=sampling, stop=stop) if written is not None)

    def follow(
        self,
        requests: Sequence[Request],
        *,
        sampling: Sampling = Sampling(),
        stop: Callable[[int, Sequence[int]], bool] = lambda *_: False,
    ) -> Iterator[Written | None]:
        """Do as `write`, and yield None after every decode; `evaluated` and `drawn` then tell how far it is."""
        number = self._turns.begin()
        return self._turns.run(self._write(requests, sampling, stop), number)

    def _write(
        self, requests: Sequence[Request], sampling: Sampling, stop: Callable[[int, Sequence[int]], bool]
    ) -> PythonGenerator[Written | None, None, None]:
        self._sampling, self._stop = sampling, stop
        distinct: dict[bytes, list[int]] = {}
        for number, request in enumerate(requests):
            distinct.setdefault(np.asarray(request.prompt, np.int32).tobytes(), []).append(number)
        if max(map(len, distinct.values()), default=0) > self.copies:
            raise ValueError(f"a prompt occurs more than {self.copies} times")
        numbers = list(distinct.values())
        self._forget()
        if not self.backbone.can_share:
            for number, request in enumerate(requests):
                parent = self._prefill_alone(request.prompt)
                yield None
                yield from self._serve(parent, [number], requests)
                yield from self._drain()
            return
        for step in plan([requests[n[0]].prompt for n in numbers], self.capacity, self.parents):
            while not self._fits(step, sum(len(numbers[prompt]) for _, prompt in step.outputs)):
                if self._running:
                    yield from self._advance()
                else:
                    self._restart()
            parents = self._prefill(step)
            yield None
            for parent in parents:
                yield from self._serve(parent, numbers[parent.prompt], requests)
            if self._exclusive:
                yield from self._drain()
            for sequence in range(1, self.parents + 1):
                self._bury(sequence)
            if self._exclusive:
                self._next = len(self._trunk)
        yield from self._drain()

    def _drain(self) -> Iterator[Written | None]:
        while self._running:
            yield from self._advance()

    def _forget(self) -> None:
        super()._forget()
        first = _PARENTS + 1
        self._free = list(range(first, first + self.width)) if self.backbone.can_share else [0]
        self._running: list[_Running] = []

    def _fits(self, step: Step, wanted: int) -> bool:
        owed = sum(self.most - len(r.tokens) for r in self._running)
        return self._next + len(step.tokens) + owed + wanted * self.most <= self.cells

    def _serve(self, parent: Parent, numbers: Sequence[int], requests: Sequence[Request]) -> Iterator[Written | None]:
        """Begin every text of one parent as soon as a sequence is free."""
        for number in numbers:
            while not self._free:
                yield from self._advance()
            text = _Running(number, parent.length, self._free[0], np.random.default_rng(requests[number].seed))
            written = self._take(text, parent.logits)
            if written is not None:
                yield written
                continue
            heapq.heappop(self._free)
            if self.backbone.can_share:
                self._api.llama_memory_seq_cp(self._memory, parent.sequence, text.sequence, 0, parent.length)
            self._running.append(text)

    def _advance(self) -> Iterator[Written | None]:
        """Draw one token for every running text, in one decode."""
        running, n = self._running, len(self._running)
        step = Step(
            tokens=np.array([r.tokens[-1] for r in running], np.int32),
            positions=np.array([r.length + len(r.tokens) - 1 for r in running], np.int32),
            sequences=tuple((r.sequence,) for r in running),
            copies=(),
            outputs=(),
            carry=(0, 0),
        )
        logits = self._decode_rows(step, range(n))
        self._running = []
        for text, row in zip(running, logits):
            written = self._take(text, row)
            if written is None:
                self._running.append(text)
                continue
            self._bury(text.sequence)
            if self._exclusive:
                self._next = text.length
            heapq.heappush(self._free, text.sequence)
            yield written
        yield None

    def _take(self, text: _Running, logits: np.ndarray) -> Written | None:
        """Draw the next token of a text; return the text where that ends it, else None."""
        logits[self._barred] = -np.inf
        token = draw_token(logits, self._sampling, text.rng)
        self.drawn += 1
        drawn = len(text.tokens) + 1
        if token in self._ends:
            return Written(text.request, tuple(text.tokens), drawn)
        text.tokens.append(token)
        if drawn == self.most or self._stop(text.request, text.tokens):
            return Written(text.request, tuple(text.tokens), drawn)
        return None

    def _special(self) -> tuple[np.ndarray, frozenset[int]]:
        """Return the control tokens that do not end a generation, and the tokens that do."""
        api = self._api
        ids = range(self.backbone.n_vocab)
        # While the context is in use, its model is not freed.
        with self._owned.lock:
            vocab = api.llama_model_get_vocab(self.backbone.handle)
            ends = frozenset(i for i in ids if api.llama_vocab_is_eog(vocab, i))
            barred = [i for i in ids if i not in ends and api.llama_vocab_is_control(vocab, i)]
        return np.array(barred, dtype=np.int64), ends
