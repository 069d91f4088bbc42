"""Do intervals cover, and do verdicts see through length? Simulations on synthetic layer logits; no model is needed.

    python -m tests.measure.intervals --runs 300 --seed 1
    python -m tests.measure.intervals --only length --runs 100
    python -m tests.measure.intervals --only words --runs 100
    python -m tests.measure.intervals --only kinds
    python -m tests.measure.intervals --fit full

Every run draws a data set, evaluates what is fitted to it as `lager-lite eval` does, and looks whether the 95%
interval holds the agreement that such fits reach on fresh items, on average over the runs. Intervals know nothing of
what was fitted: a ridge regression takes minutes for all of it, weights of kind full take an hour. Nulls have labels
that the logits know nothing of. In the runs of `length`, labels follow the length of the response, and so do the
logits: the verdict must say so, and weights with the length under control must not correlate with it. In those of
`words`, one method is the logarithm of the number of words, and another the same with noise: whatever the number of
folds, the first must add nothing to length, and of the second nothing may be left at equal surface. In those of
`kinds`, three kinds are fitted to noise, and the verdict is on the best of them.

The constants of the intervals (`lager_lite/stats/estimates.py`) were tuned with seed 0 and the ridge regression.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from lager_lite.data import term_columns
from lager_lite.evaluation.footing import Column, on_equal_footing
from lager_lite.evaluation.side_by_side import Setting, set_side_by_side
from lager_lite.fitting import SPLITS, OutOfFold, baseline_features
from lager_lite.fitting.beside import TERMS, TextMethod
from lager_lite.fitting.folds import out_of_fold
from lager_lite.fitting.splits import over_splits, split_folds
from lager_lite.fitting.states import STATES, StatesMethod
from lager_lite.records import Item
from lager_lite.scoring import e_score
from lager_lite.stats import agreement, rank_figures
from tests.measure.simulated import CASES, FITS, STATES_DRAWN, STEPS, VALUES, Case, drawn, labelled


def covering(case: Case, runs: int, seed: int, fit: str = "ridge", resamples: int = 400) -> dict[str, float]:
    """Shares of the runs: the interval covers, it lies above the truth, and it lies above zero; and means."""
    rng = np.random.default_rng(seed)
    found, truths = [], []
    for _ in range(runs):
        x, human, group = drawn(case, rng, case.groups)
        ways = split_folds(group, human, folds=5, seed=int(rng.integers(1 << 30)), splits=SPLITS)
        method, column = FITS[fit]
        full = over_splits(method, {column: x}, human, group, ways)
        fresh, graded, _ = drawn(case, rng, 1500 // case.size)
        reached = [agreement(one.predict({column: fresh})[0], graded).spearman for one in full.fits]
        truths.append(np.mean([0.0 if one is None else one for one in reached]))
        ranks = {"full": [one[0] for one in full.ranks]}
        one = rank_figures(ranks, human, group, rng=rng, resamples=resamples).estimate("full")
        unknown = one.interval is None or one.value is None
        found.append((0.0, -1.0, 1.0) if unknown else (one.value, one.interval.low, one.interval.high))
    value, low, high = np.array(found).T
    truth = float(np.mean(truths))
    return {
        "truth": truth,
        "mean": float(value.mean()),
        "covers": float(np.mean((low <= truth) & (truth <= high))),
        "above": float(np.mean(low > truth)),
        "positive": float(np.mean(low > 0)),
        "width": float(np.mean(high - low)),
    }


def tried_on_noise(case: Case, runs: int, seed: int, fit: str = "ridge", resamples: int = 400) -> tuple[float, float]:
    """Shares of the runs of a null in which the best of three kinds seems to agree with people.

    Every kind is fitted to layer logits of its own. First by the interval of the best one alone, then by the verdict.
    """
    rng = np.random.default_rng(seed)
    alone = said = 0
    method, column = FITS[fit]
    for _ in range(runs):
        x, human, group = drawn(case, rng, case.groups)
        ways = split_folds(group, human, folds=5, seed=int(rng.integers(1 << 30)), splits=SPLITS)
        scores = {"e_score": OutOfFold(e_score(x[:, -1], VALUES), None)}
        for kind in ("simplex", "signed", "full"):
            found = over_splits(method, {column: drawn(case, rng, case.groups)[0]}, human, group, ways)
            scores[kind] = OutOfFold(found.scores[0], None, ranks=tuple(one[0] for one in found.ranks))
        setting = Setting(5, int(rng.integers(1 << 30)), SPLITS, resamples=resamples)
        result = set_side_by_side(labelled(x, human, group), scores, (), setting, ways=ways)
        if result.verdict is not None:
            best = result.method(result.verdict.method).interval
            alone += best is not None and best.low > 0
            said += result.verdict.finding != "none"
    return alone / runs, said / runs


def of_length(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, tuple[Item, ...]]:
    """Layer logits (n, S, K), human scores (n,) and items, whose length both follow."""
    size = rng.normal(size=count)
    human = np.clip(np.round(3.0 + 1.1 * (size + 0.7 * rng.normal(size=count))), 1, 5)
    x = rng.normal(size=(count, STATES_DRAWN, VALUES.size))
    x[:, 1] += 0.7 * np.outer(size, STEPS)
    words = np.maximum(1, np.round(np.exp(3.5 + 0.5 * size))).astype(int)
    return x, human, tuple(Item(str(i), {"response": " ".join(["word"] * n)}) for i, n in enumerate(words))


def seen_through(runs: int, seed: int, fit: str = "ridge", count: int = 200, resamples: int = 400) -> float:
    """Share of the runs whose verdict says that the weights agree with people no better than length or surface."""
    rng = np.random.default_rng(seed)
    said = 0
    for _ in range(runs):
        x, human, items = of_length(rng, count)
        group = np.arange(count)
        ways = split_folds(group, human, folds=5, seed=int(rng.integers(1 << 30)), splits=SPLITS)
        scores = {"e_score": OutOfFold(e_score(x[:, -1], VALUES), None)}
        for name, x_of in {"length": None, "surface": None, "full": x}.items():
            scores[name] = _tried(name, x_of, items, human, fit, ways)
        data = labelled(x, human, group, items)
        verdict = set_side_by_side(data, scores, (), Setting(5, 0, SPLITS, resamples=resamples), ways=ways).verdict
        said += verdict is not None and verdict.finding in ("no better", "worse") and verdict.baseline != "e_score"
    return said / runs


def under_control(runs: int, seed: int, count: int = 200) -> np.ndarray:
    """Correlations of out-of-fold scores with the length, (2, runs): without and with `fit --control length`.

    Weights of kind states, one split.
    """
    rng = np.random.default_rng(seed)
    found = np.empty((2, runs))
    inner = StatesMethod(VALUES)
    for run in range(runs):
        x, human, items = of_length(rng, count)
        group, numbers = np.arange(count), term_columns(items, ("length",))
        fold = split_folds(group, human, folds=5, seed=int(rng.integers(1 << 30)), splits=1)[0]
        held = TextMethod(inner, "control", ("length",), VALUES)
        for row, method in enumerate((inner, held)):
            columns = {STATES: x} | ({TERMS: numbers} if method is held else {})
            scores, _ = out_of_fold(method, columns, human, group, fold)
            found[row, run] = agreement(scores[0], numbers[:, 0]).spearman or 0.0
    return found


def beside_length(folds: int, runs: int, seed: int, resamples: int = 400) -> dict[str, np.ndarray]:
    """(value, low, high) each, (runs, 3), for methods that are the length: what they add to it, and what is left of them.

    24 groups of 5 that share a part of length and labels. "words" is the logarithm of the words, and its gain on the
    length is also given as it would be if the one were ranked in folds and the other were not; "noisy" has noise added.
    """
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(24), 5)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ("words", "unequal", "noisy")}
    for _ in range(runs):
        size = (rng.normal(size=group.size) + rng.normal(size=24)[group]) / np.sqrt(2.0)
        human = np.clip(np.round(3.0 + 1.1 * (0.7 * size + 0.7 * rng.normal(size=group.size))), 1, 5)
        words = np.maximum(1, np.round(np.exp(3.5 + 0.5 * size))).astype(int)
        items = tuple(Item(str(i), {"response": " ".join(["word"] * n)}) for i, n in enumerate(words))
        ways = split_folds(group, human, folds=folds, seed=int(rng.integers(1 << 30)), splits=SPLITS)
        fitted = {name: _tried(name, None, items, human, "ridge", ways, group).ranks for name in ("length", "surface")}
        length = np.log1p(words)
        scores = {"words": [length], "noisy": [length + 0.3 * rng.normal(size=group.size)], **fitted}
        options: dict[str, Any] = {"fitted": tuple(fitted), "ways": ways, "length": length, "resamples": resamples}
        one = on_equal_footing(scores, human, group, seed=int(rng.integers(1 << 30)), **options)
        figures = (
            one.gain("words", "length"),
            one.plain.gain(Column("words"), Column("length")),
            one.at_equal_surface("noisy"),
        )
        for name, figure in zip(found, figures):
            assert figure is not None and figure.value is not None and figure.interval is not None
            found[name].append((figure.value, figure.interval.low, figure.interval.high))
    return {name: np.array(rows) for name, rows in found.items()}


def show_words(runs: int, seed: int) -> None:
    """What the number of words adds to length, and what is left of it with noise, by the number of folds."""
    about = {
        "words": "log words, gain on length",
        "unequal": "  the same, compared unequally",
        "noisy": "log words and noise, at equal surface",
    }
    for folds in (5, 12, 20):
        for name, rows in beside_length(folds, runs, seed).items():
            value, low, high = rows.T
            print(
                f"{folds:2} folds, {about[name]:38} {runs} runs: mean {value.mean():.3f}, covers 0 in "
                f"{np.mean((low <= 0) & (high >= 0)):.3f}, wholly above 0 in {np.mean(low > 0):.3f}",
                flush=True,
            )


def _tried(
    name: str,
    x: np.ndarray | None,
    items: tuple[Item, ...],
    human: np.ndarray,
    fit: str,
    ways: Sequence[np.ndarray],
    group: np.ndarray | None = None,
) -> OutOfFold:
    # Constant marks are left out: they change nothing. The others are standardised, as for weights of kind full.
    if x is None:
        marks = baseline_features(items)[name]
        marks = marks[:, np.ptp(marks, axis=0) > 0]
        marks = marks / marks.std(axis=0)
        x = np.zeros((len(human), -(-marks.shape[1] // VALUES.size), VALUES.size))
        x.reshape(len(human), -1)[:, : marks.shape[1]] = marks
    # What is read of the text is fitted as the layers are, but for kind states, which is a ridge regression, too.
    method, column = FITS[fit] if fit != "states" or name == "full" else FITS["ridge"]
    found = over_splits(method, {column: x}, human, np.arange(len(human)) if group is None else group, ways)
    return OutOfFold(found.scores[0], None, ranks=tuple(one[0] for one in found.ranks))


def show_length(runs: int, seed: int, fit: str) -> None:
    """What becomes of labels that follow the length: the verdict, and the correlation under control."""
    share = seen_through(runs, seed, fit)
    print(f"labels that follow length  {runs} runs: the verdict says so in {share:.3f}", flush=True)
    plain, held = under_control(runs, seed)
    print(
        f"--control length, states   {runs} runs: correlation with length {plain.mean():.3f} without it, "
        f"{held.mean():.3f} with it (mean size {np.abs(held).mean():.3f}, 95 of 100 within "
        f"{np.quantile(np.abs(held), 0.95):.3f})",
        flush=True,
    )


def show_kinds(runs: int, seed: int, fit: str) -> None:
    """What becomes of three kinds that know nothing: the interval of the best one alone, and the verdict's."""
    for case in CASES:
        if not case.signal:
            alone, said = tried_on_noise(case, runs, seed, fit)
            print(
                f"best of 3 kinds, {case.name:26} {runs} runs: its own interval above 0 in {alone:.3f}, agrees with people by "
                f"the verdict in {said:.3f}",
                flush=True,
            )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", choices=("length", "words", "kinds", *map(str, range(len(CASES)))), help="one of the cases"
    )
    parser.add_argument("--fit", choices=tuple(FITS), default="ridge", help="what is fitted")
    given = parser.parse_args(arguments)
    with threadpool_limits(1):
        for place, case in enumerate(CASES):
            if given.only in (None, str(place)):
                one = covering(case, given.runs, given.seed, given.fit)
                print(
                    f"{case.name:26} {given.runs} runs: truth {one['truth']:.3f}, mean {one['mean']:.3f}, covers "
                    f"{one['covers']:.3f}, above the truth {one['above']:.3f}, above zero {one['positive']:.3f}, "
                    f"width {one['width']:.2f}",
                    flush=True,
                )
        if given.only in (None, "length"):
            show_length(given.runs, given.seed, given.fit)
        if given.only in (None, "words"):
            show_words(given.runs, given.seed)
        if given.only in (None, "kinds"):
            show_kinds(given.runs, given.seed, given.fit)


if __name__ == "__main__":
    main()
