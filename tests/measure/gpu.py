"""Newsroom on a GPU: how long it takes, and how far its scores lie from a CPU's. A command:

    python -m tests.measure.gpu judge_bench_newsroom.json

prints three tables of Markdown, those of docs/speed.md: seconds and evaluated tokens per second of each way to read the
file; differences from the CPU of the same machine; and the agreement with people of weights of kind full that were fitted
to the first 27 articles there and here, on all others. With --cpu-only the CPU stands in for the GPU, which tries the
command and says nothing.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lager_lite.data import read_items
from lager_lite.errors import LagerWarning
from lager_lite.fitting.fit import fit
from lager_lite.judging import Judge
from lager_lite.judging.judgments import judgment_of
from lager_lite.llama import BackendOptions, beside, load
from lager_lite.prompts import Rubric, load_rubric
from lager_lite.records import Item, Reading
from lager_lite.stats import agreement

_RUBRICS = [
    Path(__file__).parents[1] / "newsroom" / f"{name}.toml"
    for name in ("coherence", "fluency", "informativeness", "relevance")
]
CHARACTERS, ARTICLES = 3000, 27
COPY, FILE, CPU = "a copy", "the file as it is", "the CPU"


@dataclass(frozen=True)
class Way:
    """A way to read the items.

    - `name`: what the tables call it.
    - `options`: the settings.
    - `contexts`: how many contexts read side by side at most.
    - `rounds`: how often the items are read; 0 for as often as the command line says.
    """

    name: str
    options: BackendOptions
    contexts: int = beside.CONTEXTS
    rounds: int = 0


@dataclass(frozen=True)
class Found:
    """What a way gave.

    - `seconds`: of each run.
    - `tokens`: evaluated in a run.
    - `readings`: of the last run, one for each judgment.
    - `e_score`: float64 (n,), in the order of `readings`.
    - `device`: what computed it, in words.
    """

    seconds: tuple[float, ...]
    tokens: int
    readings: tuple[Reading, ...]
    e_score: np.ndarray
    device: str


def ways(layers: int | str) -> list[Way]:
    """The ways that are measured on the device, and then the CPU."""
    plain = BackendOptions(gpu_layers=layers)
    as_file = replace(plain, unpack="off")
    return [
        Way(COPY, plain),
        Way(f"{COPY}, one context", plain, contexts=1),
        Way(FILE, as_file),
        Way(f"{FILE}, one context", as_file, contexts=1),
        Way("--steady", replace(plain, steady=True), rounds=1),
        Way(CPU, BackendOptions(gpu_layers=0), rounds=1),
    ]


def measure(model: str | None, items: Sequence[Item], way: Way, rounds: int) -> Found:
    """Read the items under the rubrics of Newsroom, again and again."""
    most, beside.CONTEXTS = beside.CONTEXTS, way.contexts
    seconds, tokens = [], 0
    try:
        with Judge(model, rubric=_RUBRICS, options=way.options) as judge:
            for _ in range(way.rounds or rounds):
                before, begun = judge.counts.evaluated_tokens, time.perf_counter()
                found = list(judge.read(items))
                seconds.append(time.perf_counter() - begun)
                tokens = judge.counts.evaluated_tokens - before
            if lost := [reading for *_, reading in found if isinstance(reading, str)]:
                raise SystemExit(f"{len(lost)} prompts cannot be read: {lost[0]}")
            scores = [judge.judgment(*one).e_score for one in found]
            return Found(
                tuple(seconds), tokens, tuple(r for *_, r in found), np.array(scores, dtype=float), judge.backbone.place
            )
    finally:
        beside.CONTEXTS = most


def line_of(way: Way, found: Found) -> str:
    """A row of the table of times."""
    first, later = found.seconds[0], found.seconds[1:]
    speeds = (
        [f"{found.tokens / s:,.0f}" for s in (max(later), min(later))] if later else [f"{found.tokens / first:,.0f}"]
    )
    span = f"{min(later):.2f} to {max(later):.2f} ({' to '.join(speeds)})" if later else f"({speeds[0]})"
    return f"| {way.name} | {found.device} | {first:.2f} | {span} | {found.tokens:,} |"


def differences(found: dict[str, Found]) -> list[str]:
    """Rows of the table of differences from the CPU."""
    here, lines = found[CPU].e_score, []
    for name in (COPY, FILE):
        off = np.abs(found[name].e_score - here)
        alike = agreement(found[name].e_score, here).spearman
        lines.append(f"| {name} | {off.max():.3f} points | {np.median(off):.3f} | {alike or 0:.3f} |")
    return lines


def agreements(found: dict[str, Found], items: Sequence[Item], rubrics: Sequence[Rubric]) -> list[str]:
    """Rows of the table of agreement: where weights were fitted, and what they reach by each way to read."""
    asked = [(item, rubric) for item in items for rubric in rubrics]
    human = np.array([np.mean(item.human[rubric.name]) for item, rubric in asked])
    group = np.array([str(item.group) for item, _ in asked])
    learnt = np.isin(group, list(dict.fromkeys(group))[:ARTICLES])
    lines = []
    for there in (CPU, COPY, FILE):
        logits = np.stack([reading.norm for reading in found[there].readings])
        values = rubrics[0].scale.values
        weights = fit(logits[learnt], human[learnt], values, kind="full", lens="norm", groups=group[learnt]).weights
        cells = []
        for here in (CPU, COPY, FILE):
            readings, n_states = found[here].readings, logits.shape[1]
            scores = [judgment_of(*one, r, weights, n_states).score for one, r in zip(asked, readings)]
            cells.append(agreement(np.array(scores, dtype=float)[~learnt], human[~learnt]).spearman)
        lines.append(f"| {there} | {' | '.join('-' if cell is None else f'{cell:.3f}' for cell in cells)} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", help="The Newsroom set of JUDGE-BENCH.")
    parser.add_argument("-m", "--model")
    parser.add_argument("-n", "--limit", type=int, help="Only so many items.  [default: all]")
    parser.add_argument("--rounds", type=int, default=3, help="How often the items are read.  [default: 3]")
    parser.add_argument("--cpu-only", action="store_true", help="Try the command without a GPU.")
    given = parser.parse_args(arguments)
    if not given.cpu_only and not any(device.name.startswith("CUDA") for device in load().devices()):
        raise SystemExit("the library has no CUDA device: nothing was measured")
    warnings.simplefilter("ignore", LagerWarning)
    items = [
        replace(item, fields={name: text[:CHARACTERS] for name, text in item.fields.items()})
        for item in read_items(given.items).items[: given.limit]
    ]
    found = {}
    print("| way | device | first run, seconds | later runs (tokens/s) | tokens |\n| --- | --- | --- | --- | --- |")
    for way in ways(0 if given.cpu_only else "all"):
        found[way.name] = measure(given.model, items, way, given.rounds)
        print(line_of(way, found[way.name]), flush=True)
    print(f"\n| `e_score` against {CPU} | largest | median | rank correlation |\n| --- | --- | --- | --- |")
    print("\n".join(differences(found)), flush=True)
    print(f"\n| fitted on | {CPU} | {COPY} | {FILE} |\n| --- | --- | --- | --- |")
    print("\n".join(agreements(found, items, [load_rubric(path) for path in _RUBRICS])))


if __name__ == "__main__":
    main()
