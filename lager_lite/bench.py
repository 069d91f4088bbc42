"""Speed on this machine: ratios of medians, both sides interleaved in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from .llama.runtime import Backbone, Context


@dataclass(frozen=True)
class TapCost:
    """tap: the way states were read; prefill_*, decode_*: tokens per second, medians over `rounds`;
    ratios: tapped over plain, the median of the rounds' own ratios; early: per fraction of the blocks, time over the whole pass."""

    tap: str
    tokens: int
    rounds: int
    prefill_plain: float
    prefill_tapped: float
    prefill_ratio: float
    decode_plain: float
    decode_tapped: float
    decode_ratio: float
    early: dict[str, float]

    def row(self) -> dict[str, object]:
        """As a dictionary for JSON."""
        return asdict(self)


def tap_cost(backbone: Backbone, *, tokens: int = 512, decode: int = 16, rounds: int = 5) -> TapCost:
    """Measure what reading every state at the last token costs.

    Prefill of `tokens` random tokens in one batch, and `decode` single tokens behind 64, on a context
    without an evaluation callback and on one with the tap reading.
    """
    rng = np.random.default_rng(0)
    tokens = min(tokens, backbone.options.batch_size)
    prompt = rng.integers(0, backbone.n_vocab, tokens).astype(np.int32)
    with backbone.context(tokens, tap=False) as plain, backbone.context(tokens) as tapped:
        sides = (lambda: plain.run_plain(prompt), lambda: _read(tapped, prompt))
        prefill = _rounds(sides, rounds)
        steps = (lambda: _steps(plain, prompt, decode), lambda: _steps(tapped, prompt, decode))
        single = _rounds(steps, rounds)
        early = _early(tapped, prompt, rounds)
        name = tapped.tap.name
    return TapCost(
        tap=name,
        tokens=tokens,
        rounds=rounds,
        prefill_plain=tokens / statistics.median(prefill[0]),
        prefill_tapped=tokens / statistics.median(prefill[1]),
        prefill_ratio=statistics.median(a / b for a, b in zip(*prefill)),
        decode_plain=decode / statistics.median(single[0]),
        decode_tapped=decode / statistics.median(single[1]),
        decode_ratio=statistics.median(a / b for a, b in zip(*single)),
        early=early,
    )


def _read(context: Context, prompt: np.ndarray, max_state: int | None = None) -> None:
    for _ in context.evaluate([prompt], max_state=max_state):
        pass


def _steps(context: Context, prompt: np.ndarray, n: int) -> float:
    """Seconds for n single tokens; the 64 tokens before them are not timed."""
    context.run_plain(prompt[:64])
    start = time.perf_counter()
    for i in range(n):
        if context.tap is not None:
            context.tap.begin(np.array([0]), max_state=context.backbone.n_blocks, want_final=False, flagged=True)
        context.run_plain(prompt[i : i + 1], 64 + i)
        if context.tap is not None:
            context.tap.finish()
    return time.perf_counter() - start


def _rounds(sides: tuple[Callable[[], object], ...], rounds: int) -> list[list[float]]:
    """Seconds per side and round. A side that returns a float has timed itself. Round 0 warms up,
    and sides swap places every round, since the second of two runs is often the faster."""
    times: list[list[float]] = [[] for _ in sides]
    for round_number in range(rounds + 1):
        order = range(len(sides)) if round_number % 2 else range(len(sides) - 1, -1, -1)
        for i in order:
            start = time.perf_counter()
            own = sides[i]()
            taken = own if isinstance(own, float) else time.perf_counter() - start
            if round_number:
                times[i].append(taken)
    return times


def _early(context: Context, prompt: np.ndarray, rounds: int) -> dict[str, float]:
    blocks = context.backbone.n_blocks
    cuts = {f"{k}/{blocks}": k for k in (blocks // 3, blocks // 2, 2 * blocks // 3)}
    sides = [lambda: _read(context, prompt)]
    sides += [lambda k=k: _read(context, prompt, k) for k in cuts.values()]
    times = _rounds(tuple(sides), rounds)
    return {name: statistics.median(a / b for a, b in zip(t, times[0])) for name, t in zip(cuts, times[1:])}
