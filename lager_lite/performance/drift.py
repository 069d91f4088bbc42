"""How far scores move when only what should not matter changes: threads, batch size, order, other items.

The same items are scored again and again without a store, each time with one thing changed, and the
largest difference of any score from the first run is recorded, under the default settings and under --exact.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..data import counted
from ..errors import DataError
from ..judging import Judge
from ..llama import BackendOptions, gpu_layers, load
from ..prompts import Rubric
from ..records import Item, Judgment

DRIFT_METHODS = ("direct", "e_score", "uniform")
BATCHES = (64, 128, 512)
SETTINGS = ("default", "exact")


@dataclass(frozen=True)
class Moved:
    """What one change did to the scores.

    - `settings`: one of SETTINGS.
    - `change`: what was changed, in words.
    - `points`: the largest difference of any score by method, in points of the scale.
    - `identical`: judgments whose scores are the same to the last bit.
    """

    settings: str
    change: str
    points: dict[str, float]
    identical: int


@dataclass(frozen=True)
class Drift:
    """What every change did to the scores of one model.

    - `model`: name of its file.
    - `judgments`: how many were compared in every row.
    - `rows`: one for each change, in the order in which they were measured.
    """

    model: str
    judgments: int
    rows: tuple[Moved, ...]

    def largest(self, settings: str) -> dict[str, float]:
        """The largest difference under one of SETTINGS by method, in points of the scale."""
        return {m: max(r.points[m] for r in self.rows if r.settings == settings) for m in DRIFT_METHODS}

    def to_dict(self) -> dict[str, object]:
        """As a dictionary that json.dumps takes."""
        largest = {s: self.largest(s) for s in dict.fromkeys(r.settings for r in self.rows)}
        return {
            "model": self.model,
            "judgments": self.judgments,
            "largest": largest,
            "rows": [asdict(r) for r in self.rows],
        }


def measure_drift(
    model: str | Path,
    rubrics: Sequence[Rubric],
    items: Sequence[Item],
    options: BackendOptions = BackendOptions(),
    *,
    settings: Sequence[str] = SETTINGS,
    say: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Drift:
    """Score the items again and again, and compare the scores with those of the first run.

    options: everything that is not varied; its flash attention and cache types are those of "default".
    say: told in words what is measured next. progress: told how many changes are measured, and how many there are.
    Raises DataError where fewer than two items can be judged, and whatever `Judge` raises.
    """
    rows, count, done = [], 0, 0
    layers = gpu_layers(load(), options.gpu_layers, Path(model))
    options = replace(options, batch_size=options.batch(layers), ubatch_size=options.ubatch(layers))
    for name in settings:
        exact = BackendOptions.exact()
        kinds = {k: getattr(exact, k) for k in ("flash_attn", "cache_type_k", "cache_type_v", "unpack")}
        base = replace(options, **kinds) if name == "exact" else options
        first: dict[tuple[str, str], Judgment] = {}
        changes = list(_changes(base, len(items)))
        for change, changed, orders in changes:
            say(f"{name}: {change}")
            found = _scores(model, rubrics, [[items[i] for i in order] for order in orders], changed)
            first = first or found
            if len(first) < 2:
                raise DataError(f"too few judgments to compare: {len(first)}", "give more items, or a larger context")
            if found is not first:
                rows.append(_moved(name, change, first, found))
            done += 1
            progress(done, len(settings) * len(changes))
        count = len(first)
    return Drift(Path(model).name, count, tuple(rows))


def _changes(base: BackendOptions, n: int) -> Iterator[tuple[str, BackendOptions, list[list[int]]]]:
    """Each change in words, its options, and the item numbers of each run; the first changes nothing."""
    straight = list(range(n))
    shuffled = random.Random(0).sample(straight, n)
    threads = base.thread_count()
    yield "nothing", base, [straight]
    yield "run again", base, [straight]
    for count in sorted({1, 2, max(1, threads // 2), threads} - {threads}):
        yield f"{count} thread{'s' * (count > 1)}", replace(base, threads=count), [straight]
    for size in BATCHES:
        # With `steady` the size of the pieces is a setting that changes scores, and not a matter of speed.
        if size != base.batch_size and not base.steady:
            yield (
                f"batches of {size}",
                replace(base, batch_size=size, ubatch_size=min(size, base.ubatch_size or size)),
                [straight],
            )
    yield "other order", base, [shuffled]
    yield "one by one", base, [[i] for i in straight]


def _scores(
    model: str | Path, rubrics: Sequence[Rubric], runs: Sequence[Sequence[Item]], options: BackendOptions
) -> dict[tuple[str, str], Judgment]:
    with Judge(model, rubric=list(rubrics), options=options) as judge:
        found = [judgment for run in runs for _, judgment in judge.judged(run, quiet=True)]
    return {(j.id, j.rubric): j for j in found if j.error is None}


def _moved(
    name: str, change: str, first: dict[tuple[str, str], Judgment], found: dict[tuple[str, str], Judgment]
) -> Moved:
    if found.keys() != first.keys():
        raise DataError(
            f"with {change}, {counted(len(found.keys() ^ first.keys()), 'judgment')} failed that did not before, or the reverse"
        )
    gaps = {m: [abs(getattr(found[key], m) - getattr(first[key], m)) for key in first] for m in DRIFT_METHODS}
    identical = sum(all(gaps[m][i] == 0 for m in DRIFT_METHODS) for i in range(len(first)))
    return Moved(name, change, {m: max(gaps[m]) for m in DRIFT_METHODS}, identical)
