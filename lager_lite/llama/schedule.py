"""Plan the evaluation of many prompts so that every shared prefix is evaluated once.

Prompts are sorted by their tokens, which puts the leaves of their prefix tree side by side. A plan
is a series of steps, each at most `capacity` tokens and one decode. Sequence 0 is the trunk: it
holds the tokens that a step's prompts share with what was evaluated before, and no step decodes into it.
Every prompt of a step has a sequence of its own (1 and up); a token that several prompts share is sent
once, with all their sequences. A prompt that does not fit is cut, and the next step continues it.

A step is carried out in this order:
1. for every (sequence, length) of `copies`, let the sequence share the trunk's first tokens;
2. decode the tokens; read the rows in `outputs`;
3. replace the trunk by the first tokens of one sequence, as `carry` (sequence, length) says;
4. free all other sequences.

This file works on integers only; it knows neither texts nor llama.cpp.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

# Batches for other processes: enough to keep all busy to the end, few enough to share prefixes.
_PARTS_PER_WORKER = 8
_LEAST_TOKENS = 2048
_MOST_REPEATED = 0.05


@dataclass(frozen=True)
class Step:
    """One decode.

    - `tokens`: int32 (n,), the tokens of the batch.
    - `positions`: int32 (n,), the position of each token in its prompts.
    - `sequences`: for each token, the ids of the sequences that it belongs to.
    - `copies`: pairs (sequence, length); the sequence shares the first `length` tokens of the trunk.
    - `outputs`: pairs (row, prompt), rows ascending; the prompt ends at that row of the batch. One row may serve
      several equal prompts.
    - `carry`: (sequence, length); the first `length` tokens of that sequence are the trunk of the next step.
    """

    tokens: np.ndarray
    positions: np.ndarray
    sequences: tuple[tuple[int, ...], ...]
    copies: tuple[tuple[int, int], ...]
    outputs: tuple[tuple[int, int], ...]
    carry: tuple[int, int]


def sort_prompts(prompts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Order prompts by their tokens.

    Returns (order, shared). order: int64 (n,), prompts[order[i]] ascends. shared: int64 (n,), the number of leading
    tokens that sorted prompt i has in common with sorted prompt i-1; 0 for the first.
    """
    keys = [np.asarray(p).astype(">u4").tobytes() for p in prompts]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    del keys
    shared = np.zeros(len(order), dtype=np.int64)
    for i in range(1, len(order)):
        shared[i] = common_prefix(prompts[order[i - 1]], prompts[order[i]])
    return np.asarray(order, dtype=np.int64), shared


def common_prefix(a: np.ndarray, b: np.ndarray) -> int:
    """Return the number of leading elements in which two integer arrays agree."""
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    return int(differ[0]) if differ.size else n


def unique_tokens(prompts: Sequence[np.ndarray]) -> int:
    """Return the number of nodes of the prompts' prefix tree, which is the least that must be evaluated."""
    _, shared = sort_prompts(prompts)
    return int(sum(len(p) for p in prompts) - shared.sum())


def steady_tokens(prompts: Sequence[np.ndarray], rows: int) -> int:
    """Return the number of tokens that `plan_steady` evaluates."""
    order, shared = sort_prompts(prompts)
    new = (len(prompts[i]) - int(kept) // rows * rows for i, kept in zip(order, shared) if kept < len(prompts[i]))
    return sum(new)


def cut_sorted(lengths: np.ndarray, shared: np.ndarray, workers: int) -> list[tuple[int, int]]:
    """Cut sorted prompts into batches; return the range (first, end) of each.

    - `lengths`: int (n,), the tokens of each sorted prompt.
    - `shared`: int (n,), see `sort_prompts`.
    - `workers`: the number of processes that evaluate batches.

    Batches have about equally many tokens to evaluate. They are cut where little is shared, because every batch
    evaluates its shared tokens again: at most 5% of all tokens, unless one batch for each worker costs more already.
    """
    new = np.cumsum(lengths - shared)
    total = int(new[-1])
    parts = max(1, min(workers * _PARTS_PER_WORKER, total // _LEAST_TOKENS), min(workers, len(lengths)))
    while True:
        places = _places(new, shared, parts)
        if parts <= workers or int(shared[places].sum()) <= _MOST_REPEATED * total:
            edges = [0, *places, len(lengths)]
            return list(zip(edges[:-1], edges[1:]))
        parts = max(workers, parts // 2)


def share_prompts(prompts: Sequence[np.ndarray], parts: int) -> list[list[int]]:
    """Return the numbers of the prompts of each of up to `parts` shares, which have about equally many tokens to evaluate.

    Shares are cut where little is shared, and their prompts ascend.
    """
    if parts < 2:
        return [list(range(len(prompts)))]
    order, shared = sort_prompts(prompts)
    new = np.cumsum(np.array([len(prompts[i]) for i in order]) - shared)
    return [part.tolist() for part in np.split(order, _places(new, shared, parts))]


def _places(new: np.ndarray, shared: np.ndarray, parts: int) -> list[int]:
    """Return where to cut: near each equal share of the tokens, at the place where the least is shared."""
    size, found = new[-1] / parts, set()
    for number in range(1, parts):
        low, high = np.searchsorted(new, [(number - 0.4) * size, (number + 0.4) * size])
        low = max(int(low), 1)
        if low < len(new):
            near = np.arange(low, max(int(high), low + 1))
            away = np.abs(new[near - 1] - number * size)
            found.add(int(near[np.lexsort((away, shared[near]))[0]]))
    return sorted(found)


def plan(
    prompts: Sequence[np.ndarray], capacity: int, max_leaves: int, *, ordered: bool = True
) -> Generator[Step, None, None]:
    """Yield the steps that evaluate every node of the prefix tree once.

    - `prompts`: int arrays, none of them empty.
    - `capacity`: the most tokens of one step, at least 1.
    - `max_leaves`: the most sequences of prompts in one step, at least 1; sequence ids run from 0 to max_leaves.
    - `ordered`: whether to end a step early where that keeps every sequence's cells in the order of its positions.
      Without it there are fewer steps, for devices whose attention does not follow that order anyway.

    Raises ValueError for an empty prompt or limits below 1.
    """
    if capacity < 1 or max_leaves < 1:
        raise ValueError(f"capacity and max_leaves must be at least 1, got {capacity}, {max_leaves}")
    if any(len(p) == 0 for p in prompts):
        raise ValueError("a prompt without tokens cannot be planned")
    order, shared = sort_prompts(prompts)
    new = np.array([len(prompts[i]) for i in order], np.int64) - shared
    builder = _Builder(capacity, max_leaves)
    fitting = 0
    for rank, index in enumerate(order):
        tokens = prompts[index]
        start = int(shared[rank])
        if start == len(tokens):
            builder.repeat(int(index))
            continue
        while start < len(tokens):
            if rank >= fitting and ordered and builder.leaves_gap(start):
                end = _branch_end(new, shared, rank, room=builder.room())
                if end is None:
                    yield builder.flush(start)
                else:
                    fitting = end
            elif builder.full():
                yield builder.flush(start)
            start = builder.add(tokens, start, int(index))
    if builder.tokens:
        yield builder.flush(0)


def _branch_end(new: np.ndarray, shared: np.ndarray, first: int, *, room: tuple[int, int]) -> int | None:
    """Return the rank behind the branch that begins with the prompt of rank `first`; None where it does not fit.

    - `new`: int (n,), the tokens of each sorted prompt that it does not share with the one before.
    - `shared`: int (n,), see `sort_prompts`.
    - `room`: how many tokens and how many prompts there is room for.

    The branch holds the prompts up to the next one that shares no more with its neighbour than the first one does.
    """
    tokens, leaves = room
    end = first
    while end == first or (end < len(shared) and shared[end] > shared[first]):
        tokens -= int(new[end])
        leaves -= bool(new[end])
        if tokens < 0 or leaves < 0:
            return None
        end += 1
    return end


def plan_steady(prompts: Sequence[np.ndarray], rows: int) -> Generator[Step, None, None]:
    """Yield steps in which nothing depends on a prompt's company.

    Every prompt is cut behind each multiple of `rows` tokens. A step holds one piece of one prompt, behind
    all its pieces before, in sequence 1; the caller fills it up to `rows` tokens. So what is computed in a step
    is a function of that prompt's tokens alone. Pieces that prompts share as a whole are evaluated once.
    """
    order, shared = sort_prompts(prompts)
    starts = (shared // rows * rows).tolist()
    first = 0
    while first < len(order):
        tokens = prompts[order[first]]
        end = first + 1
        while end < len(order) and shared[end] == len(prompts[order[end]]):
            end += 1
        for start in range(starts[first], len(tokens), rows):
            part = np.asarray(tokens[start : start + rows], dtype=np.int32)
            stop = start + len(part)
            last = stop == len(tokens)
            following = starts[end] if end < len(order) else 0
            yield Step(
                tokens=part,
                positions=np.arange(start, stop, dtype=np.int32),
                sequences=((1,),) * len(part),
                copies=((1, start),) if start else (),
                outputs=tuple((len(part) - 1, int(i)) for i in order[first:end]) if last else (),
                carry=(1, following if last else stop),
            )
        first = end


def plan_alone(prompts: Sequence[np.ndarray], capacity: int) -> Generator[Step, None, None]:
    """Yield steps that evaluate each prompt from its first token, one after the other.

    For memories that cannot be shared or cut (recurrent and hybrid models): everything lies in
    sequence 0, `copies` is empty, and a carry of length 0 asks for an empty memory.
    """
    for index, tokens in enumerate(prompts):
        for start in range(0, len(tokens), capacity):
            part = np.asarray(tokens[start : start + capacity], dtype=np.int32)
            stop = start + len(part)
            last = stop == len(tokens)
            yield Step(
                tokens=part,
                positions=np.arange(start, stop, dtype=np.int32),
                sequences=((0,),) * len(part),
                copies=(),
                outputs=((len(part) - 1, index),) if last else (),
                carry=(0, 0 if last else stop),
            )


class _Builder:
    """Collects one step at a time.

    The current path is the prompt added last. Its tokens at positions below `base` lie in the
    trunk; `rows[p - base]` is the row in this step of its token at position p.
    """

    def __init__(self, capacity: int, max_leaves: int) -> None:
        self.capacity = capacity
        self.max_leaves = max_leaves
        self._clear(0)

    def _clear(self, trunk: int) -> None:
        self.trunk = self.base = trunk
        self.tokens: list[np.ndarray] = []
        self.positions: list[np.ndarray] = []
        self.sequences: list[tuple[int, ...]] = []
        self.copies: list[tuple[int, int]] = []
        self.outputs: list[tuple[int, int]] = []
        self.rows: list[int] = []
        self.leaves = self.kept_back = 0

    def full(self) -> bool:
        """Return whether the step takes no more tokens or no more prompts."""
        return min(self.room()) <= 0

    def room(self) -> tuple[int, int]:
        """Return how many more tokens and how many more prompts the step takes."""
        return self.capacity - self.kept_back - len(self.sequences), self.max_leaves - self.leaves

    def leaves_gap(self, start: int) -> bool:
        """Whether a prompt that shares `start` tokens, or one before it, stands behind a part of the trunk that it
        does not share: freed later, that part would take tokens of later positions.

        Such a step must end where the next prompt shares no more than `base` tokens: then everything behind these is
        freed with the step. So branches are taken into it only as a whole.
        """
        return bool(self.tokens) and min(start, self.base) < self.trunk

    def add(self, tokens: np.ndarray, start: int, index: int) -> int:
        """Take tokens[start:] as far as there is room; return the first position not taken.

        Where one token would be left, a second one is kept back with it: a row alone in its step takes as long as two.
        """
        first = len(self.sequences)
        part = np.asarray(tokens[start : start + self.capacity - first], dtype=np.int32)
        if len(part) > 1 and start + len(part) == len(tokens) - 1:
            part, self.kept_back = part[:-1], 1
        stop = start + len(part)
        before = self.rows[: max(0, start - self.base)]
        self.rows = before + list(range(first, first + len(part)))
        self.base = min(self.base, start)
        self.tokens.append(part)
        self.positions.append(np.arange(start, stop, dtype=np.int32))
        self.leaves += 1
        if self.base:
            self.copies.append((self.leaves, self.base))
        # Tokens side by side have the same sequences: one tuple serves them all.
        old: tuple[int, ...] | None = None
        for row in before:
            if self.sequences[row] is not old:
                old = self.sequences[row]
                new = (*old, self.leaves)
            self.sequences[row] = new
        self.sequences.extend([(self.leaves,)] * len(part))
        if stop == len(tokens):
            self.outputs.append((self.rows[-1], index))
        return stop

    def repeat(self, index: int) -> None:
        """The prompt added last comes once more."""
        self.outputs.append((self.rows[-1], index))

    def flush(self, carry: int) -> Step:
        """Close the step; the first `carry` tokens of the current path become the trunk."""
        n = len(self.sequences)
        # The next trunk first: so it stays in the lowest cells of the KV cache, every sequence's
        # cells ascend with its positions, and attention sums in the same order whatever other prompts are in the batch.
        other = np.ones(n, dtype=bool)
        other[self.rows] = False
        order = np.concatenate((self.rows, np.flatnonzero(other))).astype(np.int64)
        row_of = np.empty(n, dtype=np.int64)
        row_of[order] = np.arange(n)
        step = Step(
            tokens=np.concatenate(self.tokens)[order],
            positions=np.concatenate(self.positions)[order],
            sequences=tuple(map(self.sequences.__getitem__, order.tolist())),
            copies=tuple(self.copies),
            outputs=tuple(sorted((int(row_of[row]), prompt) for row, prompt in self.outputs)),
            carry=(self.leaves, carry),
        )
        self._clear(carry)
        return step
