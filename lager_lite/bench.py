"""Speed on this machine: ratios of medians, both sides interleaved in one run."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import numpy as np

from .llama.native import available
from .llama.runtime import Backbone, Context


@dataclass(frozen=True)
class Tapped:
    """What one tap costs. prefill, decode: tokens per second, medians over the rounds; ratios: tapped
    over plain, the median of the rounds' own ratios; early: per fraction of the blocks, time over that
    of the whole pass."""

    tap: str
    prefill: float
    prefill_ratio: float
    decode: float
    decode_ratio: float
    early: dict[str, float]


@dataclass(frozen=True)
class TapCost:
    """prefill_plain, decode_plain: tokens per second without a tap; taps: every tap that the library
    has, the one in use first."""

    tokens: int
    rounds: int
    prefill_plain: float
    decode_plain: float
    taps: tuple[Tapped, ...]

    def row(self) -> dict[str, object]:
        """As a dictionary for JSON."""
        return asdict(self)


def tap_cost(backbone: Backbone, *, tokens: int = 512, decode: int = 16, rounds: int = 5) -> TapCost:
    """Measure what reading every state at the last token costs, for every tap that the library has.

    Prefill of `tokens` random tokens in one batch, and `decode` single tokens behind 64, on a context
    without a tap and on one per tap, all of them in every round.
    """
    rng = np.random.default_rng(0)
    tokens = min(tokens, backbone.options.batch_size)
    prompt = rng.integers(0, backbone.n_vocab, tokens).astype(np.int32)
    names = available(backbone.library)
    with ExitStack() as stack:
        plain, *tapped = (stack.enter_context(backbone.context(tokens, tap=name)) for name in (False, *names))
        reading = [functools.partial(_read, context, prompt) for context in tapped]
        prefill = _rounds((lambda: plain.run_plain(prompt), *reading), rounds)
        single = _rounds(tuple(functools.partial(_steps, c, prompt, decode) for c in (plain, *tapped)), rounds)
        early = [_early(context, prompt, rounds) for context in tapped]
    return TapCost(
        tokens=tokens,
        rounds=rounds,
        prefill_plain=tokens / statistics.median(prefill[0]),
        decode_plain=decode / statistics.median(single[0]),
        taps=tuple(
            Tapped(
                tap=name,
                prefill=tokens / statistics.median(prefill[i]),
                prefill_ratio=statistics.median(a / b for a, b in zip(prefill[0], prefill[i])),
                decode=decode / statistics.median(single[i]),
                decode_ratio=statistics.median(a / b for a, b in zip(single[0], single[i])),
                early=early[i - 1],
            )
            for i, name in enumerate(names, 1)
        ),
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
