"""How fast a judge works through real items, compared with what the machine can do at most.

The limit is plain prefill: the tokens per second that llama.cpp reaches on one prompt of the workload's
median length, in full batches and without reading any state. A workload reaches some share of that speed, and
it evaluates fewer tokens than its prompts have, since they share prefixes.

The tokens that it evaluates mostly stand at the ends of prompts, and attend to more tokens than those of one plain
prompt do on average. So the second limit is plain prefill at the same depth: one full batch behind so many other tokens
that its tokens attend to as many as the workload's do.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..errors import DataError
from ..judging import Judge
from ..llama import Context, unique_tokens
from ..records import Counts, Item, Judgment

_PLAIN_ROUNDS = 5


@dataclass(frozen=True)
class TimedPass:
    """One pass over the items.

    - `max_state`: the highest state that was read.
    - `seconds`: wall time.
    - `first_score`: seconds until the first judgments were done.
    - `evaluated_tokens`: tokens that were evaluated.
    - `judgments_per_second`: judgments per second of wall time.
    - `tokens_per_second`: evaluated tokens per second of wall time.
    - `share`: `tokens_per_second` over the speed of plain prefill.
    - `share_at_depth`: `tokens_per_second` over the speed of plain prefill at the same depth.
    """

    max_state: int
    seconds: float
    first_score: float
    evaluated_tokens: int
    judgments_per_second: float
    tokens_per_second: float
    share: float
    share_at_depth: float


@dataclass(frozen=True)
class Workload:
    """How fast a judge worked through real items.

    - `judgments`: judgments without an error.
    - `prompt_tokens`: tokens of all prompts.
    - `unique_tokens`: nodes of the tree of their prefixes, the fewest tokens that have to be evaluated.
    - `median_tokens`: median length of a prompt in tokens.
    - `batch_size`: tokens of a batch.
    - `prepare_seconds`: the time that rendering, tokenizing and planning took, with no text known before.
    - `prepare_share`: that time over the wall time of `whole`; on a GPU a part of it passes while the device computes.
    - `plain`: tokens per second of plain prefill, as a median of some rounds; the best such median of those
      before, between and after the passes.
    - `mean_depth`: how many tokens an evaluated token attends to on average, itself included.
    - `plain_at_depth`: tokens per second of plain prefill for one batch whose tokens attend to `mean_depth` tokens on
      average; the best of the same medians.
    - `whole`: the pass that reads all states.
    - `early`: the pass that ends at the asked-for state; None where none was asked for.
    - `alone`: how many items were judged one by one as well.
    - `largest_difference`: the largest difference between a score or single layer judged alone and in company,
      in points of the scale; None where no item was judged alone.
    - `peak_mb`: peak memory of the process in 10^6 bytes; None where the system does not tell.
    """

    judgments: int
    prompt_tokens: int
    unique_tokens: int
    median_tokens: int
    batch_size: int
    prepare_seconds: float
    prepare_share: float
    plain: float
    mean_depth: float
    plain_at_depth: float
    whole: TimedPass
    early: TimedPass | None
    alone: int
    largest_difference: float | None
    peak_mb: float | None

    def to_dict(self) -> dict[str, object]:
        """As a dictionary that json.dumps takes."""
        return asdict(self)


def measure_workload(judge: Judge, items: Sequence[Item], *, max_state: int | None = None, alone: int = 10) -> Workload:
    """Judge all items, again with the pass ended at `max_state` where one is given, and `alone` of them one by one.

    The judge must not have a store. Raises DataError where no item can be judged.
    """
    prompts, prepared, depth = _prepare(judge, items)
    length = int(statistics.median(map(len, prompts)))
    speeds = [_limits(judge, length, depth)]
    found, seconds, whole = _run(judge, items, None)
    speeds.append(_limits(judge, length, depth))
    early = None
    if max_state is not None:
        early = (max_state, *_run(judge, items, max_state)[1:])
        speeds.append(_limits(judge, length, depth))
    limits = np.max(speeds, axis=0).tolist()
    drift = _alone(judge, items[:alone], found)
    done = sum(j.error is None for j in found)
    return Workload(
        judgments=done,
        prompt_tokens=sum(map(len, prompts)),
        unique_tokens=unique_tokens(prompts),
        median_tokens=length,
        batch_size=judge.options.batch(judge.backbone.gpu_layers),
        prepare_seconds=prepared,
        prepare_share=prepared / seconds,
        plain=limits[0],
        mean_depth=depth,
        plain_at_depth=limits[1],
        whole=_finish(judge.n_states - 1, seconds, whole, done, limits),
        early=None if early is None else _finish(*early, done, limits),
        alone=min(alone, len(items)),
        largest_difference=drift,
        peak_mb=peak_megabytes(),
    )


def apart(judge: Judge, items: Sequence[Item]) -> float | None:
    """Judge the items together and one by one, and return the largest difference of any score or single layer.

    In points of the scale; None without items. The judge must not have a store.
    """
    return _alone(judge, items, [judgment for _, judgment in judge.judged(items, quiet=True)])


def peak_megabytes() -> float | None:
    """Peak resident memory of this process in 10^6 bytes; None on Windows, which has no `resource` module."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _prepare(judge: Judge, items: Sequence[Item]) -> tuple[list[np.ndarray], float, float]:
    """The prompts of all items under every rubric, the seconds of making and planning them, and the mean depth of the
    tokens that are evaluated for them."""
    start = time.perf_counter()
    prompts = [t.prompt.tokens for item in items for t in (judge.encode(item, r) for r in judge.rubrics) if t.prompt]
    seconds = time.perf_counter() - start
    if not prompts:
        raise DataError("no item of the workload can be judged", "see lager-lite score for the reasons")
    with judge.backbone.context(max(map(len, prompts))) as context:
        start = time.perf_counter()
        positions = [step.positions for step in context.plan(prompts)]
        seconds += time.perf_counter() - start
    return prompts, seconds, float(np.concatenate(positions).mean()) + 1


def _run(judge: Judge, items: Sequence[Item], max_state: int | None) -> tuple[list[Judgment], float, tuple[float, int]]:
    before = judge.counts.evaluated_tokens
    first: list[float] = []
    start, own, judge.max_state = time.perf_counter(), judge.max_state, max_state

    def progress(counts: Counts) -> None:
        """Note when the first judgments were done."""
        if not first and counts.evaluated_tokens > before and counts.done:
            first.append(time.perf_counter() - start)

    try:
        found = [judgment for _, judgment in judge.judged(items, progress=progress, quiet=True)]
    finally:
        judge.max_state = own
    seconds = time.perf_counter() - start
    return found, seconds, (first[0] if first else seconds, judge.counts.evaluated_tokens - before)


def _finish(
    max_state: int, seconds: float, measured: tuple[float, int], done: int, limits: Sequence[float]
) -> TimedPass:
    first, tokens = measured
    speed = tokens / seconds
    plain, at_depth = limits
    return TimedPass(max_state, seconds, first, tokens, done / seconds, speed, speed / plain, speed / at_depth)


def _limits(judge: Judge, length: int, depth: float) -> tuple[float, float]:
    """Tokens per second of plain prefill: of a prompt of `length` tokens, and of a batch whose tokens attend to `depth`
    tokens on average."""
    width = judge.options.batch(judge.backbone.gpu_layers)
    rows = min(width, max(1, round(2 * depth) - 1))
    return plain_speed(judge, 0, length), plain_speed(judge, max(0, round(depth - (rows + 1) / 2)), rows)


def plain_speed(judge: Judge, before: int, length: int) -> float:
    """Tokens per second of plain prefill for `length` tokens behind `before` others, as a median of some rounds.

    They are read in a new context, in full batches and without reading any state.
    """
    prompt = np.random.default_rng(0).integers(0, judge.backbone.n_vocab, before + length).astype(np.int32)
    speeds = []
    with judge.backbone.context(len(prompt), tap=False) as context:
        for number in range(_PLAIN_ROUNDS):
            # Later rounds take the place of the first one, where the memory lets go of single tokens.
            if number == 0 or not judge.backbone.can_share:
                _prefill(context, prompt[:before], 0)
                context.wait()
            start = time.perf_counter()
            _prefill(context, prompt[before:], before)
            context.wait()
            speeds.append(length / (time.perf_counter() - start))
    return statistics.median(speeds)


def _prefill(context: Context, tokens: np.ndarray, position: int) -> None:
    for first in range(0, len(tokens), context.capacity):
        context.run_plain(tokens[first : first + context.capacity], position + first)


def _alone(judge: Judge, items: Sequence[Item], together: Sequence[Judgment]) -> float | None:
    gaps, per_item = [0.0] if items else [], len(judge.rubrics)
    for n, item in enumerate(items):
        expected_ones = together[n * per_item : (n + 1) * per_item]
        for single, expected in zip((j for _, j in judge.judged([item], quiet=True)), expected_ones):
            for name in ("score", "e_score", "uniform"):
                a, b = getattr(single, name), getattr(expected, name)
                gaps.append(abs(a - b) if a is not None and b is not None else 0.0)
            gaps += np.abs(np.subtract(single.per_layer or (), expected.per_layer or ())).tolist()
    return max(gaps, default=None)
