"""The study of agreement: backbones x sets x methods, with length, surface and words beside every method.

    python -m tests.measure.agreement READINGS -o table.md

takes what `tests.measure.readings` has kept (READINGS/<backbone>/<set>.npz) and writes one Markdown table per set and
backbone. Whatever is fitted is fitted in grouped folds, and again for every split. The methods' scores are kept beside
the readings (<set>.scores), so that a study that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lager_lite.errors import FitError
from lager_lite.fitting import (
    FEATURES,
    WORDS,
    Columns,
    FeatureMethod,
    KindMethod,
    Method,
    WordsMethod,
    baseline_features,
    lenses_for,
    word_sets,
)
from lager_lite.fitting.splits import over_splits, split_folds
from lager_lite.fitting.states import STATES, StatesMethod
from lager_lite.records import Item
from lager_lite.scoring import direct, e_score, uniform_score
from lager_lite.stats import Estimate, Figures, rank_figures
from tests.measure.backbones import REAL
from tests.measure.readings import Kept, load_readings

BASELINES = ("length", "surface", "words")
KINDS = ("simplex", "signed", "full")
ORDER = (*BASELINES, "direct", "e_score", "uniform", *KINDS, "states")
FOLDS = 5
ABOUT = {name: real.about for name, real in REAL.items()} | {"default": "SmolLM2-135M-Instruct, Q4_1 (the default)"}


@dataclass(frozen=True)
class Row:
    """One method on one set with one backbone; (value, low, high) each, None where undefined.

    - `method`: its name.
    - `agreement`: Spearman correlation with people.
    - `at_surface`: the same at equal surface (partial, given the surface baseline's out-of-fold score).
    - `with_length`: Spearman correlation with the logarithm of the number of words.
    - `gain`: its agreement minus that of the best of the baselines; None for these.
    """

    method: str
    agreement: tuple[float, float, float] | None
    at_surface: tuple[float, float, float] | None
    with_length: float | None
    gain: tuple[float, float, float] | None


@dataclass(frozen=True)
class Table:
    """All methods on one set with one backbone.

    - `backbone`, `set`: their names.
    - `judgments`, `groups`, `splits`: how many there are.
    - `base`: the baseline that agrees best.
    - `best`: the method that agrees best.
    - `gain`: its gain on `base`, with an interval that allows for its having been chosen; None where undefined.
    - `rows`: the methods.
    """

    backbone: str
    set: str
    judgments: int
    groups: int
    splits: int
    base: str
    best: str
    gain: tuple[float, float, float] | None
    rows: tuple[Row, ...]


def people_on_scale(kept: Kept) -> np.ndarray:
    """The human scores float64 (n,); preferences, which are 0 or 1 on a longer scale, become its two ends."""
    low, high = kept.values[0], kept.values[-1]
    if set(np.unique(kept.human)) <= {0.0, 1.0} and high > 1:
        return np.asarray(low + kept.human * (high - low))
    return kept.human


def scores_of_all(
    kept: Kept, *, splits: int, hold_out: bool = False, methods: Sequence[str] = ORDER
) -> dict[str, list[np.ndarray]]:
    """By method, its scores (n,) of every split, ranked inside folds; one entry for methods without folds.

    methods: of ORDER, which to try beside the baselines. hold_out: whether folds hold out the systems that wrote the responses, too.
    """
    human, values, words = people_on_scale(kept), kept.values, word_sets(_items(kept))
    systems = kept.system if hold_out else None
    ways = split_folds(kept.group, human, folds=FOLDS, seed=0, splits=splits, held_out=systems)
    features = baseline_features(_items(kept))
    logits = {"raw": kept.raw, "norm": kept.norm}
    tried: dict[str, tuple[Method, Columns]] = {
        "length": (FeatureMethod(values), {FEATURES: features["length"]}),
        "surface": (FeatureMethod(values), {FEATURES: features["surface"]}),
        "words": (WordsMethod(), {WORDS: words}),
        **{kind: (KindMethod(kind, values), lenses_for(kind, logits)) for kind in KINDS},
        "states": (StatesMethod(values), {STATES: kept.states}),
    }
    found = {
        "direct": [direct(kept.norm[:, -1], values)],
        "e_score": [e_score(kept.norm[:, -1], values)],
        "uniform": [uniform_score(kept.raw, values)],
    }
    for name, (method, columns) in tried.items():
        if name not in (*BASELINES, *methods):
            continue
        try:
            ranks = over_splits(method, columns, human, kept.group, ways).ranks
        except FitError as error:
            print(f"{name}: {error.message}", file=sys.stderr)
            continue
        found[name] = [one if one.ndim == 1 else one[0] for one in ranks]
    return {name: found[name] for name in ORDER if name in found}


def table_of(
    backbone: str,
    name: str,
    kept: Kept,
    scores: Mapping[str, Sequence[np.ndarray]],
    *,
    resamples: int = 1000,
) -> Table:
    """The figures of one set with one backbone; scores from `scores_of_all`."""
    human = people_on_scale(kept)
    splits = max(map(len, scores.values()))

    def figures(given: Sequence[np.ndarray] | None = None) -> Figures:
        rng = np.random.default_rng(0)
        return rank_figures(scores, human, kept.group, rng=rng, resamples=resamples, given=given)

    plain, partial = figures(), figures(scores["surface"])
    values = {method: plain.estimate(method).value for method in scores}
    base = max((method for method in BASELINES if method in scores), key=lambda method: values[method] or 0.0)
    length = np.log1p(kept.length)
    rows = []
    for method, columns in scores.items():
        with_length = rank_figures({method: columns}, length, kept.group, rng=np.random.default_rng(0), resamples=1)
        rows.append(
            Row(
                method,
                _triple(plain.estimate(method)),
                None if method == "surface" else _triple(partial.estimate(method)),
                None if method == "length" else with_length.estimate(method).value,
                None if method in BASELINES else _triple(_gain(plain, method, base, values)),
            )
        )
    judges = [method for method in scores if method not in BASELINES and values[method] is not None]
    best = max(judges, key=lambda method: values[method] or 0.0)
    corrected = _triple(plain.best_gain(judges, best, base)) if (values[base] or 0.0) > 0 else None
    return Table(backbone, name, len(human), len(set(kept.group)), splits, base, best, corrected, tuple(rows))


def markdown(tables: Sequence[Table]) -> str:
    """The whole study as Markdown: what it shows in one paragraph, then one table per set and backbone."""
    lines = [verdict(tables), ""]
    for name in dict.fromkeys(table.set for table in tables):
        for table in (one for one in tables if one.set == name):
            head = f"{ABOUT.get(table.backbone, table.backbone)}: {table.judgments} judgments in {table.groups} groups, {table.splits} splits"
            lines += [f"### {name}, {head}", "", _HEAD, "| --- | --- | --- | --- | --- |"]
            lines += [_line(row) for row in table.rows]
            lines += ["", f"Gain of the best method (`{table.best}`) on *{table.base}*: {_text(table.gain)}.", ""]
    return "\n".join(lines)


def verdict(tables: Sequence[Table]) -> str:
    """Whether any method agrees better with people than length, surface and words do, in one sentence or two."""
    good = [table for table in tables if table.gain is not None and table.gain[1] > 0]
    tried = f"{len({t.backbone for t in tables})} backbones and {len({t.set for t in tables})} sets"
    if not good:
        return f"No method agrees with people better than the best of length, surface and words does, on {tried}."
    named = "; ".join(
        f"{table.set} with {ABOUT.get(table.backbone, table.backbone)} (`{table.best}`, {_text(table.gain)})"
        for table in good
    )
    return (
        f"On {len(good)} of {len(tables)} combinations of {tried}, the best method agrees with people better than the "
        f"best of length, surface and words does, with an interval of the gain above 0 that allows for the choice among "
        f"methods: {named}."
    )


_HEAD = "| method | Spearman | at equal surface | with length | gain on the best baseline |"


def _line(row: Row) -> str:
    name = f"*{row.method}*" if row.method in BASELINES else f"`{row.method}`"
    length = "-" if row.with_length is None else f"{row.with_length:.2f}"
    return f"| {name} | {_text(row.agreement)} | {_text(row.at_surface)} | {length} | {_text(row.gain)} |"


def _text(figure: tuple[float, float, float] | None) -> str:
    return "-" if figure is None else "{:.3f} [{:.3f}, {:.3f}]".format(*figure)


def _triple(found: Estimate | None) -> tuple[float, float, float] | None:
    if found is None or found.value is None or found.interval is None:
        return None
    return found.value, found.interval.low, found.interval.high


def _gain(figures: Figures, method: str, base: str, values: Mapping[str, float | None]) -> Estimate | None:
    """The gain on a baseline; on nothing, where no baseline agrees at all."""
    if not values[base] or (values[base] or 0.0) <= 0:
        return figures.estimate(method)
    return figures.gain(method, base)


def _items(kept: Kept) -> list[Item]:
    """The texts as items, for the baselines that count in them."""
    return [
        Item(str(item), {"response": str(text)} | ({"source": str(source)} if source else {}))
        for item, text, source in zip(kept.item, kept.response, kept.source)
    ]


def _kept_tables(path: Path, splits: int, held: bool) -> list[Table]:
    """The tables of one set; its scores are read from the file beside its readings, where they were kept there."""
    kept = load_readings(path)
    ways = [False] + [True] * (held and len(set(kept.system)) > 1)
    tables = []
    for hold_out in ways:
        name = f"{path.stem}, systems held out" if hold_out else path.stem
        beside = path.with_name(f"{name}.scores")
        if beside.exists():
            with np.load(beside) as file:
                scores = {method: list(file[method]) for method in file.files}
        else:
            start = time.monotonic()
            scores = scores_of_all(kept, splits=splits, hold_out=hold_out)
            with beside.open("wb") as file:
                np.savez(file, **{method: np.stack(columns) for method, columns in scores.items()})
            print(f"{path.parent.name}, {name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        tables.append(table_of(path.parent.name, name, kept, scores))
    return tables


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readings", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file; the screen by default.")
    parser.add_argument("--splits", type=int, default=3, help="Splits into folds.  [default: 3]")
    parser.add_argument("--hold-out", action="store_true", help="Also hold out the systems, where a set names them.")
    given = parser.parse_args(arguments)
    # Sets with a plus are second readings, for `tests.measure.label_free`.
    paths = [path for path in sorted(given.readings.glob("*/*.npz")) if "+" not in path.stem]
    tables = [table for path in paths for table in _kept_tables(path, given.splits, given.hold_out)]
    text = markdown(tables)
    if given.output is None:
        print(text)
    else:
        given.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
