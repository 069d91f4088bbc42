"""A context whose KV cells are taken in rising order, so that no text depends on what else is written.

Attention sums over a sequence's cells in the order of the cells, so these must ascend with the positions,
whatever other sequences are running. Therefore cells are taken in rising order and never given back one by
one: a finished sequence hands its cells to a sequence that is never decoded (the graveyard). When the cells
run out, the running sequences end, everything but the trunk is freed, and the trunk is evaluated again where
it does not lie in the lowest cells.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import Advice, BackendError
from .context import Context, least_rows
from .loaded import Loaded
from .options import MAX_LEAVES
from .schedule import Step, plan_alone, sort_prompts

PADDING, GRAVE = MAX_LEAVES - 1, MAX_LEAVES
"""Two sequences with a purpose of their own: the second row of a lone one, and the graveyard."""


@dataclass(frozen=True)
class Parent:
    """A prompt behind which texts can begin.

    - `prompt`: its index in the planned step's outputs.
    - `sequence`: the sequence that holds its tokens.
    - `length`: the number of its tokens.
    - `logits`: float32 (n_vocab,), those behind its last token.
    """

    prompt: int
    sequence: int
    length: int
    logits: np.ndarray


class OrderedContext(Context):
    """A context without a tap, whose cells ascend with the positions of every sequence.

    - `company`: give a lone row a second one, so that its logits do not depend on how many rows are decoded beside it
    (see `context.least_rows`).

    Attributes: `cells`, how many there are; `evaluated`, tokens of prompts so far; `prompt_seconds`, the time for them.

    Raises BackendError where the memory for it cannot be had.
    """

    def __init__(self, backbone: Loaded, longest: int, *, company: bool) -> None:
        super().__init__(backbone, longest, tap=False, unpack=company)
        steady = is_steady(backbone)
        self._exclusive = not steady
        self._least = least_rows(backbone) if steady and company else 1
        self.cells = int(self._api.llama_n_ctx(self._ctx))
        self.evaluated, self.prompt_seconds = 0, 0.0
        self._trunk = np.empty(0, np.int32)
        # How many of the trunk's tokens lie in the lowest cells, and the first cell that was never taken.
        self._solid = self._next = 0

    def _forget(self) -> None:
        """Start from an empty memory."""
        self._api.llama_memory_clear(self._memory, False)
        self._trunk = np.empty(0, np.int32)
        self._solid = self._next = 0

    def _restart(self) -> None:
        """Free all cells but those of the trunk, which moves to the lowest."""
        if self._next == len(self._trunk):
            raise BackendError(
                f"the KV cache of {self.cells} cells is too small for these prompts",
                Advice(
                    "use a smaller -b or a shorter text",
                    "use a smaller batch_size or a shorter text",
                    request="send a shorter text",
                ),
            )
        for sequence in range(1, MAX_LEAVES + 1):
            self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        self._api.llama_memory_seq_rm(self._memory, 0, self._solid, -1)
        for start in range(self._solid, len(self._trunk), self.capacity):
            part = self._trunk[start : start + self.capacity]
            positions = np.arange(start, start + len(part), dtype=np.int32)
            self._read(Step(part, positions, ((0,),) * len(part), (), (), (0, 0)), [])
        self._solid = self._next = len(self._trunk)

    def _prefill(self, step: Step) -> list[Parent]:
        """Evaluate a step and return the parents that its prompts became."""
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
            Parent(prompt, step.sequences[row][0], int(step.positions[row]) + 1, logits[rows.index(row)])
            for row, prompt in step.outputs
        ]

    def _prefill_alone(self, prompt: np.ndarray) -> Parent:
        """Evaluate one prompt in sequence 0 of an empty memory, for a memory that cannot be shared."""
        self._forget()
        for step in plan_alone([prompt], self.capacity):
            logits = self._read(step, [row for row, _ in step.outputs])
        return Parent(0, 0, len(prompt), logits[0])

    def _read(self, step: Step, rows: Sequence[int]) -> np.ndarray:
        """Decode a step of prompts and return the logits (n, n_vocab) of the given rows."""
        start = time.perf_counter()
        logits = self._decode_rows(step, rows)
        self.evaluated += len(step.tokens)
        self.prompt_seconds += time.perf_counter() - start
        return logits

    def _decode_rows(self, step: Step, rows: Sequence[int]) -> np.ndarray:
        """Decode a step and return the logits (n, n_vocab) of the given rows."""
        n = len(step.tokens)
        more = max(0, self._least - n)
        if more:
            step = replace(
                step,
                tokens=np.concatenate([step.tokens, np.repeat(step.tokens[-1:], more)]),
                positions=np.concatenate([step.positions, np.arange(more, dtype=np.int32)]),
                sequences=step.sequences + ((PADDING,),) * more,
            )
        flags = np.zeros(n + more, dtype=np.int8)
        flags[list(rows)] = 1
        if len(rows):
            flags[np.flatnonzero(flags == 0)[: max(0, self._least - len(rows))]] = 1
        self._run(step, flags)
        if more:
            # The cells of the padding are the highest: the next token takes their place.
            self._api.llama_memory_seq_rm(self._memory, PADDING, -1, -1)
        self._next += n
        return self._logits(np.asarray(rows, dtype=np.int64))

    def _bury(self, sequence: int) -> None:
        """Empty a sequence. Its cells stay taken, except where one text is written at a time: then the next text
        gets the very same cells."""
        if not self._exclusive:
            self._api.llama_memory_seq_cp(self._memory, sequence, GRAVE, -1, -1)
        if self.backbone.can_share:
            self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)


def is_steady(backbone: Loaded) -> bool:
    """Return whether sequences can run side by side without changing each other's numbers.

    They cannot where the memory cannot be shared, and where attention depends on the numbers of the cells (see
    `BackendOptions.leaves`).
    """
    return backbone.can_share and backbone.options.leaves() > 1


def room_for(prompts: Sequence[np.ndarray], count: int) -> int:
    """Return the most cells that any `count` neighbours among the sorted prompts need of their own."""
    order, shared = sort_prompts(prompts)
    ends = np.concatenate(([0], np.cumsum(np.array([len(prompts[i]) for i in order], np.int64) - shared)))
    return int((ends[min(count, len(order)) :] - ends[: max(1, len(ends) - count)]).max())
