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
    """What one tap costs.

    - `tap`: its name.
    - `prefill`: tokens per second with the tap, median over the rounds.
    - `prefill_ratio`: that speed over the speed without a tap, median of the rounds' own ratios.
    - `decode`: single tokens per second with the tap, median over the rounds.
    - `decode_ratio`: that speed over the speed without a tap, median of the rounds' own ratios.
    - `early`: seconds of a pass that ends early over those of the whole pass, by its fraction of the blocks ("10/30").
    """

    tap: str
    prefill: float
    prefill_ratio: float
    decode: float
    decode_ratio: float
    early: dict[str, float]


@dataclass(frozen=True)
class TapCost:
    """What reading every state costs on this machine.

    - `tokens`: length of the prompt.
    - `rounds`: how often each side was measured.
    - `prefill_plain`: tokens per second without a tap, median over the rounds.
    - `decode_plain`: single tokens per second without a tap, median over the rounds.
    - `taps`: every tap that the library has, the one in use first.
    """

    tokens: int
    rounds: int
    prefill_plain: float
    decode_plain: float
    taps: tuple[Tapped, ...]

    def to_dict(self) -> dict[str, object]:
        """As a dictionary that json.dumps takes."""
        return asdict(self)


@dataclass(frozen=True)
class Writing:
    """The time that generating texts took, for all prompts in one way.

    - `seconds`: wall time of everything.
    - `prompt_seconds`: the part of it that went into the prompts.
    - `evaluated`: prompt tokens that were evaluated.
    - `drawn`: tokens that were generated.
    """

    seconds: float
    prompt_seconds: float
    evaluated: int
    drawn: int

    @property
    def rate(self) -> float:
        """Generated tokens per second of the whole time."""
        return self.drawn / self.seconds

    @property
    def step_rate(self) -> float:
        """Generated tokens per second, without the time for the prompts."""
        return self.drawn / (self.seconds - self.prompt_seconds)


@dataclass(frozen=True)
class Different:
    """A prompt that got two different texts.

    - `prompt`: its place among the prompts, from 0.
    - `tokens`: how many tokens the two texts have in common at their start.
    - `margin`: difference between the logits of the two likeliest tokens at the place where the texts part.
    """

    prompt: int
    tokens: int
    margin: float


@dataclass(frozen=True)
class WritingCost:
    """Greedy texts for the same prompts, generated together and one at a time.

    - `n`: prompts.
    - `most`: the largest number of tokens of a text.
    - `rounds`: how often both sides were measured.
    - `together`: the last round with all prompts in one batch.
    - `alone`: the last round with one prompt at a time.
    - `ratio`: `rate` together over `rate` alone, median over the rounds.
    - `step_ratio`: `step_rate` together over `step_rate` alone, median over the rounds.
    - `different`: prompts whose text depends on which other prompts are in the batch.
    - `different_rows`: how many texts differ from those that were timed one at a time, which evaluate single rows.
    """

    n: int
    most: int
    rounds: int
    together: Writing
    alone: Writing
    ratio: float
    step_ratio: float
    different: tuple[Different, ...]
    different_rows: int

    def to_dict(self) -> dict[str, object]:
        """As a dictionary that json.dumps takes."""
        return asdict(self)


def writing_cost(backbone: Backbone, prompts: Sequence[np.ndarray], *, most: int, rounds: int = 3) -> WritingCost:
    """Generate a text for every prompt, together and one at a time, and compare the texts.

    One prompt at a time is timed as fast as it can be: one sequence, no padding, and an empty memory for
    each prompt. llama.cpp uses one kernel for a single row and another for several. The commands never
    evaluate a single row, so the texts that are compared are generated again with a second row beside it.
    """
    pairs = []
    with (
        Generator(backbone, prompts, most=most) as many,
        Generator(backbone, prompts, most=most, width=1, company=False) as single,
    ):
        for round_number in range(rounds):
            if round_number % 2:
                a, b = _write(many, [prompts]), _write(single, [[p] for p in prompts])
            else:
                b, a = _write(single, [[p] for p in prompts]), _write(many, [prompts])
            pairs.append((a, b))
    (together, texts), (alone, row_texts) = pairs[-1]
    with Generator(backbone, prompts, most=most, width=1) as accompanied:
        _, single_texts = _write(accompanied, [[p] for p in prompts])
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
    assert states.logits is not None, "the whole graph was run"
    second, first = np.partition(states.logits, -2)[-2:]
    return Different(index, same, float(first - second))


def tap_cost(
    backbone: Backbone,
    *,
    tokens: int = 512,
    decode: int = 16,
    rounds: int = 5,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> TapCost:
    """Measure what reading every state at the last token costs, for every tap that the library has.

    Every round evaluates `tokens` random tokens in one batch, and then `decode` single tokens after 64
    others, on a context without a tap and on one context per tap. The contexts are made anew in every
    round and in alternating order, because the place of its memory can make one of them tens of per cent faster.
    progress: told how many rounds are done, and how many there are.
    """
    rng = np.random.default_rng(0)
    tokens = min(tokens, backbone.options.batch(backbone.gpu_layers))
    prompt = rng.integers(0, backbone.n_vocab, tokens).astype(np.int32)
    names = available(backbone.library)
    taps: tuple[bool | str, ...] = (False, *names)
    prefill: list[list[float]] = [[] for _ in taps]
    single: list[list[float]] = [[] for _ in taps]
    for round_number in range(rounds):
        with ExitStack() as stack:
            made = {
                name: stack.enter_context(backbone.context(tokens, tap=name))
                for name in taps[:: 1 if round_number % 2 else -1]
            }
            plain, *tapped = (made[name] for name in taps)
            reading = [functools.partial(_read, context, prompt) for context in tapped]
            sides = (functools.partial(_plain, plain, prompt), *reading)
            steps = tuple(functools.partial(_steps, c, prompt, decode) for c in (plain, *tapped))
            for times, found in ((prefill, _rounds(sides, 1, round_number)), (single, _rounds(steps, 1, round_number))):
                for own, (seconds,) in zip(times, found):
                    own.append(seconds)
            progress(round_number + 1, rounds)
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


def _plain(context: Context, prompt: np.ndarray) -> None:
    context.run_plain(prompt)
    context.wait()


def _read(context: Context, prompt: np.ndarray, max_state: int | None = None) -> None:
    for _ in context.evaluate([prompt], max_state=max_state):
        pass


def _steps(context: Context, prompt: np.ndarray, n: int) -> float:
    """Seconds for n single tokens. The 64 tokens before them are not timed."""
    _plain(context, prompt[:64])
    start = time.perf_counter()
    for i in range(n):
        if context.tap is not None:
            context.tap.begin(np.array([0]), max_state=context.backbone.n_blocks, want_final=False, flagged=True)
        context.run_plain(prompt[i : i + 1], 64 + i)
        if context.tap is not None:
            context.tap.finish()
    context.wait()
    return time.perf_counter() - start


def _rounds(sides: tuple[Callable[[], object], ...], rounds: int, first: int = 0) -> list[list[float]]:
    """Seconds per side and round. A side that returns a float has timed itself.

    Round 0 warms up. The sides swap places every round, since the second of two runs is often the
    faster; an odd `first` starts with the other order.
    """
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
    sides = tuple(functools.partial(_read, context, prompt, k) for k in (None, *cuts.values()))
    times = _rounds(sides, rounds)
    return {name: statistics.median(a / b for a, b in zip(t, times[0])) for name, t in zip(cuts, times[1:])}
