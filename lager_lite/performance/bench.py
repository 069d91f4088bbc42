"""Speed on this machine: ratios of medians, both sides interleaved in one run."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import numpy as np

from ..llama import Backbone, Context, Generator, Request, available


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


@dataclass(frozen=True)
class Writing:
    """Texts for the same prompts in one way. seconds: all of it; prompt_seconds: of these for the
    prompts; evaluated: tokens of prompts; drawn: tokens drawn."""

    seconds: float
    prompt_seconds: float
    evaluated: int
    drawn: int

    @property
    def rate(self) -> float:
        """Tokens drawn per second, prompts included."""
        return self.drawn / self.seconds

    @property
    def step_rate(self) -> float:
        """Tokens drawn per second, the time for prompts left out."""
        return self.drawn / (self.seconds - self.prompt_seconds)


@dataclass(frozen=True)
class Different:
    """Prompt number `prompt` got two texts: they agree on `tokens` tokens, and there the two likeliest
    next ones lie `margin` apart in their logits."""

    prompt: int
    tokens: int
    margin: float


@dataclass(frozen=True)
class WritingCost:
    """Greedy texts of up to `most` tokens for n prompts, together and one at a time. ratio, step_ratio:
    of the rates and of the step rates, medians over the rounds; together, alone: the last round;
    different: texts that another one beside them changes; different_rows: how many differ where
    one at a time means one row at a time, as it was timed."""

    n: int
    most: int
    rounds: int
    together: Writing
    alone: Writing
    ratio: float
    step_ratio: float
    different: tuple[Different, ...]
    different_rows: int

    def row(self) -> dict[str, object]:
        """As a dictionary for JSON."""
        return asdict(self)


def writing_cost(backbone: Backbone, prompts: Sequence[np.ndarray], *, most: int, rounds: int = 3) -> WritingCost:
    """Write a text for every prompt, together and one at a time, and compare the texts.

    One at a time is timed as fast as it can be: one sequence, no padding, an empty memory for each
    prompt. llama.cpp multiplies a single row by another kernel than several; the commands never let it,
    so the texts that are compared are written once more with a second row beside the first.
    """
    pairs = []
    with (
        Generator(backbone, prompts, most=most) as many,
        Generator(backbone, prompts, most=most, width=1, company=False) as single,
    ):
        for round_number in range(rounds):
            sides = [lambda: _write(many, [prompts]), lambda: _write(single, [[p] for p in prompts])]
            found = [side() for side in (sides if round_number % 2 else sides[::-1])]
            pairs.append(tuple(found if round_number % 2 else found[::-1]))
    (together, texts), (alone, row_texts) = pairs[-1]
    with Generator(backbone, prompts, most=most, width=1) as single:
        _, single_texts = _write(single, [[p] for p in prompts])
    rates = [(a[0].rate / b[0].rate, a[0].step_rate / b[0].step_rate) for a, b in pairs]
    return WritingCost(
        n=len(prompts),
        most=most,
        rounds=rounds,
        together=together,
        alone=alone,
        ratio=statistics.median(r for r, _ in rates),
        step_ratio=statistics.median(r for _, r in rates),
        different=tuple(
            _different(backbone, i, prompts[i], a, b) for i, (a, b) in enumerate(zip(texts, single_texts)) if a != b
        ),
        different_rows=sum(a != b for a, b in zip(texts, row_texts)),
    )


def _write(generator: Generator, runs: Sequence[Sequence[np.ndarray]]) -> tuple[Writing, list[tuple[int, ...]]]:
    before = generator.evaluated, generator.prompt_seconds
    start, texts, drawn = time.perf_counter(), [], 0
    for prompts in runs:
        found = sorted(generator.write([Request(p) for p in prompts]), key=lambda w: w.request)
        texts += [w.tokens for w in found]
        drawn += sum(w.drawn for w in found)
    seconds = time.perf_counter() - start
    return Writing(seconds, generator.prompt_seconds - before[1], generator.evaluated - before[0], drawn), texts


def _different(backbone: Backbone, index: int, prompt: np.ndarray, a: Sequence[int], b: Sequence[int]) -> Different:
    same = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    (states,) = backbone.read_states([[*prompt.tolist(), *a[:same]]])
    second, first = np.partition(states.logits, -2)[-2:]  # type: ignore[arg-type]
    return Different(index, same, float(first - second))


def tap_cost(backbone: Backbone, *, tokens: int = 512, decode: int = 16, rounds: int = 5) -> TapCost:
    """Measure what reading every state at the last token costs, for every tap that the library has.

    Prefill of `tokens` random tokens in one batch, and `decode` single tokens behind 64, on a context
    without a tap and on one per tap, all of them in every round. The contexts are new in every round, and
    made in turns of order: where its memory happens to lie makes one some tenths faster than another.
    """
    rng = np.random.default_rng(0)
    tokens = min(tokens, backbone.options.batch_size)
    prompt = rng.integers(0, backbone.n_vocab, tokens).astype(np.int32)
    names = available(backbone.library)
    prefill: list[list[float]] = [[] for _ in (False, *names)]
    single: list[list[float]] = [[] for _ in (False, *names)]
    for round_number in range(rounds):
        with ExitStack() as stack:
            taps = (False, *names)
            made = {
                name: stack.enter_context(backbone.context(tokens, tap=name))
                for name in taps[:: 1 if round_number % 2 else -1]
            }
            plain, *tapped = (made[name] for name in taps)
            reading = [functools.partial(_read, context, prompt) for context in tapped]
            sides = (functools.partial(plain.run_plain, prompt), *reading)
            steps = tuple(functools.partial(_steps, c, prompt, decode) for c in (plain, *tapped))
            for times, found in ((prefill, _rounds(sides, 1, round_number)), (single, _rounds(steps, 1, round_number))):
                for own, (seconds,) in zip(times, found):
                    own.append(seconds)
            if round_number == rounds - 1:
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


def _rounds(sides: tuple[Callable[[], object], ...], rounds: int, first: int = 0) -> list[list[float]]:
    """Seconds per side and round. A side that returns a float has timed itself. Round 0 warms up,
    and sides swap places every round, since the second of two runs is often the faster; `first`
    odd turns that around."""
    times: list[list[float]] = [[] for _ in sides]
    for round_number in range(rounds + 1):
        order = range(len(sides)) if (first + round_number) % 2 else range(len(sides) - 1, -1, -1)
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
