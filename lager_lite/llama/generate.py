"""Text from many prompts at once: continuous batching over the sequences of one context.

Prompts are planned as everywhere (`schedule.plan`), so what they share is evaluated once. Each step of
the plan leaves its prompts in sequences of their own, the parents; a text takes a parent's cells over
into a running sequence, and all running sequences get their next token from one decode. Who has
finished makes room for the next.

A text must not depend on its company. Attention sums over a sequence's cells in the order of the cells,
so these must ascend with the positions, whoever else is running. Therefore cells are taken in rising
order and never given back one by one: a finished sequence hands its cells to one that is never decoded
(the graveyard). When the cells run out, the running sequences end, everything but the trunk is freed,
and the trunk is evaluated again where it does not lie in the lowest cells.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import BackendError
from .context import LEAST_ROWS, Context, Loaded
from .options import MAX_LEAVES
from .schedule import Step, plan, plan_alone, sort_prompts

RUNNING_TEXTS = 32
_PARENTS = 16
_PADDING, _GRAVE = MAX_LEAVES - 1, MAX_LEAVES
# Cells: more texts or prompts at a time than these hold are not worth their memory.
_TEXT_CELLS, _PROMPT_CELLS = 4096, 8192


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: the likeliest (temperature 0), or by chance from the smallest set of
    tokens that holds `top_p` of the probability at that temperature."""

    temperature: float = 0.0
    top_p: float = 1.0


@dataclass(frozen=True)
class Request:
    """A text to write behind `prompt`, int (n,) tokens; seed: of its own random numbers."""

    prompt: np.ndarray
    seed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Written:
    """The text of request number `request`: its tokens, without the one that ended it.

    drawn: tokens drawn for it, the ending one included.
    """

    request: int
    tokens: tuple[int, ...]
    drawn: int


@dataclass(frozen=True)
class _Waiting:
    """A prompt whose texts can begin: the sequence that holds its `length` tokens, logits behind them."""

    prompt: int
    sequence: int
    length: int
    logits: np.ndarray


@dataclass
class _Running:
    request: int
    length: int
    sequence: int
    rng: np.random.Generator
    tokens: list[int] = field(default_factory=list)


class Generator(Context):
    """A context without a tap that writes texts. Use as a context manager.

    prompts: those to write for (`write` takes any that are no longer and share as much); most: tokens
    of the longest text; copies: the most texts that one prompt gets; width: sequences that run at a
    time, fewer for long texts (one where attention depends on the cells' numbers, see
    `BackendOptions.leaves`); company: give a lone row a second one, so that a text does not depend on
    how many are written beside it (see `context.LEAST_ROWS`). evaluated, prompt_seconds: tokens of prompts so far, and time for them.

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
        self.most, self.copies = most, copies
        steady = backbone.can_share and backbone.options.leaves() > 1
        self.width = max(1, min(width, _PADDING - 1 - _PARENTS, max(8, _TEXT_CELLS // most))) if steady else 1
        self._exclusive = not steady
        # Room for two rounds of running texts; more cells would only be more for attention to skip.
        parents = min(_PARENTS, self.width)
        spare = most * max(copies, parents, 2 * self.width)
        room = min(_room(prompts, parents + self.width), _PROMPT_CELLS) if steady else 0
        super().__init__(backbone, max(map(len, prompts), default=1) + spare + room, tap=False)
        self.cells = int(self._api.llama_n_ctx(self._ctx))
        self.parents = max(1, min(parents, spare // (most * copies))) if steady else 1
        self.evaluated, self.prompt_seconds = 0, 0.0
        self._least = LEAST_ROWS if steady and company else 1
        self._barred, self._ends = self._special()

    def write(
        self,
        requests: Sequence[Request],
        *,
        sampling: Sampling = Sampling(),
        stop: Callable[[int, Sequence[int]], bool] = lambda *_: False,
    ) -> Iterator[Written]:
        """Write all texts; they come as they are finished, each `request` once.

        A text ends at a token that ends a generation, after `most` tokens, or where `stop` says so of
        its request's number and its tokens. Other control tokens are never drawn. Raises ValueError
        for more than `copies` equal prompts.
        """
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
                yield from self._serve(self._prefill_alone(request.prompt), [number], requests)
                yield from self._drain()
            return
        for step in plan([requests[n[0]].prompt for n in numbers], self.capacity, self.parents):
            while not self._fits(step, sum(len(numbers[prompt]) for _, prompt in step.outputs)):
                if self._running:
                    yield from self._advance()
                else:
                    self._restart()
            for parent in self._prefill(step):
                yield from self._serve(parent, numbers[parent.prompt], requests)
            if self._exclusive:
                yield from self._drain()
            for sequence in range(1, self.parents + 1):
                self._bury(sequence)
            if self._exclusive:
                self._next = len(self._trunk)
        yield from self._drain()

    def _drain(self) -> Iterator[Written]:
        while self._running:
            yield from self._advance()

    def _forget(self) -> None:
        """Start from an empty memory."""
        self._api.llama_memory_clear(self._memory, False)
        first = _PARENTS + 1
        self._free = list(range(first, first + self.width)) if self.backbone.can_share else [0]
        self._running: list[_Running] = []
        self._trunk = np.empty(0, np.int32)
        self._solid = self._next = 0

    def _fits(self, step: Step, wanted: int) -> bool:
        owed = sum(self.most - len(r.tokens) for r in self._running)
        return self._next + len(step.tokens) + owed + wanted * self.most <= self.cells

    def _restart(self) -> None:
        """Free all cells but those of the trunk, which moves to the lowest."""
        if self._next == len(self._trunk):
            raise BackendError(
                f"the KV cache of {self.cells} cells is too small for these prompts",
                "use a smaller -b or a shorter text",
            )
        for sequence in range(1, MAX_LEAVES + 1):
            self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        self._api.llama_memory_seq_rm(self._memory, 0, self._solid, -1)
        for start in range(self._solid, len(self._trunk), self.capacity):
            part = self._trunk[start : start + self.capacity]
            positions = np.arange(start, start + len(part), dtype=np.int32)
            self._read(Step(part, positions, ((0,),) * len(part), (), (), (0, 0)), [])
        self._solid = self._next = len(self._trunk)

    def _prefill(self, step: Step) -> list[_Waiting]:
        """Evaluate a step; the parents that its prompts became, with their last logits."""
        api, memory = self._api, self._memory
        fresh = self._next == len(self._trunk)
        for sequence, length in step.copies:
            api.llama_memory_seq_cp(memory, 0, sequence, 0, length)
        rows = sorted({row for row, _ in step.outputs})
        logits = self._read(step, rows)
        sequence, length = step.carry
        path = [row for row, owners in enumerate(step.sequences) if sequence in owners]
        start = int(step.positions[path[0]])
        self._trunk = np.concatenate([self._trunk[:start], step.tokens[path]])[:length]
        # A step puts the next trunk's tokens first, right behind the old trunk (`schedule.plan`).
        self._solid = length if fresh else min(self._solid, length)
        self._bury(0)
        if length:
            api.llama_memory_seq_cp(memory, sequence, 0, 0, length)
        return [
            _Waiting(prompt, step.sequences[row][0], int(step.positions[row]) + 1, logits[rows.index(row)])
            for row, prompt in step.outputs
        ]

    def _prefill_alone(self, prompt: np.ndarray) -> _Waiting:
        """The same for a memory that cannot be shared: all in sequence 0."""
        self._forget()
        for step in plan_alone([prompt], self.capacity):
            logits = self._read(step, [row for row, _ in step.outputs])
        return _Waiting(0, 0, len(prompt), logits[0])

    def _serve(self, parent: _Waiting, numbers: Sequence[int], requests: Sequence[Request]) -> Iterator[Written]:
        """Let every text of one parent begin as soon as a sequence is free."""
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

    def _advance(self) -> Iterator[Written]:
        """One token for every running text, in one decode."""
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

    def _take(self, text: _Running, logits: np.ndarray) -> Written | None:
        """Draw the next token of a text; the text itself where that ends it."""
        logits[self._barred] = -np.inf
        token = draw_token(logits, self._sampling, text.rng)
        drawn = len(text.tokens) + 1
        if token in self._ends:
            return Written(text.request, tuple(text.tokens), drawn)
        text.tokens.append(token)
        if drawn == self.most or self._stop(text.request, text.tokens):
            return Written(text.request, tuple(text.tokens), drawn)
        return None

    def _read(self, step: Step, rows: Sequence[int]) -> np.ndarray:
        """Decode a step of prompts; the logits behind the given rows."""
        start = time.perf_counter()
        logits = self._decode_rows(step, rows)
        self.evaluated += len(step.tokens)
        self.prompt_seconds += time.perf_counter() - start
        return logits

    def _decode_rows(self, step: Step, rows: Sequence[int]) -> np.ndarray:
        """Decode a step; the logits (n, n_vocab) behind the given rows."""
        n = len(step.tokens)
        more = max(0, self._least - n)
        if more:
            step = replace(
                step,
                tokens=np.concatenate([step.tokens, np.repeat(step.tokens[-1:], more)]),
                positions=np.concatenate([step.positions, np.arange(more, dtype=np.int32)]),
                sequences=step.sequences + ((_PADDING,),) * more,
            )
        flags = np.zeros(n + more, dtype=np.int8)
        flags[list(rows)] = 1
        if len(rows):
            flags[np.flatnonzero(flags == 0)[: max(0, self._least - len(rows))]] = 1
        self._run(step, flags)
        if more:
            # The cells of the padding are the highest: the next token takes their place.
            self._api.llama_memory_seq_rm(self._memory, _PADDING, -1, -1)
        self._next += n
        return self._logits(np.asarray(rows, dtype=np.int64))

    def _bury(self, sequence: int) -> None:
        """Empty a sequence; its cells stay taken, except where one text runs at a time: then the
        next one gets the very same cells."""
        if not self._exclusive:
            self._api.llama_memory_seq_cp(self._memory, sequence, _GRAVE, -1, -1)
        if self.backbone.can_share:
            self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def _special(self) -> tuple[np.ndarray, frozenset[int]]:
        """Control tokens that end nothing, and the tokens that end a generation."""
        api = self._api
        vocab = api.llama_model_get_vocab(self.backbone.handle)
        ids = range(self.backbone.n_vocab)
        ends = frozenset(i for i in ids if api.llama_vocab_is_eog(vocab, i))
        barred = [i for i in ids if i not in ends and api.llama_vocab_is_control(vocab, i)]
        return np.array(barred, dtype=np.int64), ends


def _room(prompts: Sequence[np.ndarray], count: int) -> int:
    """The most cells that any `count` neighbours among the sorted prompts need of their own."""
    order, shared = sort_prompts(prompts)
    ends = np.concatenate(([0], np.cumsum(np.array([len(prompts[i]) for i in order], np.int64) - shared)))
    return int((ends[min(count, len(order)) :] - ends[: max(1, len(ends) - count)]).max())


def draw_token(logits: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> int:
    """A token by its logits float32 (n_vocab,), -inf for those that must not be drawn.

    Temperature 0: the likeliest, of equal ones the first. Else nucleus sampling (Holtzman et al.
    2020, The Curious Case of Neural Text Degeneration) with one number of `rng`.
    """
    if sampling.temperature == 0:
        return int(np.argmax(logits))
    scaled = logits.astype(np.float64) / sampling.temperature
    weights = np.exp(scaled - scaled.max())
    weights /= weights.sum()
    # What all unlikely tokens hold together is less than what lies outside the nucleus.
    kept = np.flatnonzero(weights >= (1 - sampling.top_p) / len(weights))
    kept = kept[np.argsort(-weights[kept], kind="stable")]
    held = np.cumsum(weights[kept])
    size = min(int(np.searchsorted(held, sampling.top_p)) + 1, len(kept))
    return int(kept[min(int(np.searchsorted(held[:size], rng.random() * held[size - 1], side="right")), size - 1)])
