"""The study of agreement: backbones x sets x methods, with length, surface and words beside every method.

    python -m tests.measure.agreement READINGS -o table.md

takes what `tests.measure.readings` has kept (READINGS/<backbone>/<set>.npz) and writes one Markdown table per set.
Whatever is fitted is fitted in grouped folds, and again for every split. The methods' scores are kept beside the
readings (<set>.scores), so that a study that was interrupted goes on; `--again` computes them anew.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lager_lite.errors import FitError
from lager_lite.evaluation import Footing, on_equal_footing
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
from lager_lite.stats import Estimate
from lager_lite.system.files import write_beside
from tests.measure.pages import put
from tests.measure.readings import Kept, load_readings
from tests.measure.tables import BARE, BASELINES, Row, Table, markdown

KINDS = ("simplex", "signed", "full")
RAW = ("direct", "e_score", "uniform")
"""The methods that nothing is fitted for."""
ORDER = (*BASELINES, *RAW, *KINDS, "states", BARE)
FOLDS = 5


def people_on_scale(kept: Kept) -> np.ndarray:
    """The human scores float64 (n,); preferences, which are 0 or 1 on a longer scale, become its two ends."""
    low, high = kept.values[0], kept.values[-1]
    if set(np.unique(kept.human)) <= {0.0, 1.0} and high > 1:
        return np.asarray(low + kept.human * (high - low))
    return kept.human


def ways_of(kept: Kept, splits: int, *, hold_out: bool) -> tuple[np.ndarray, ...]:
    """The folds of every split; hold_out: whether the systems that wrote the responses are held out, too."""
    systems = kept.system if hold_out else None
    return split_folds(kept.group, people_on_scale(kept), folds=FOLDS, seed=0, splits=splits, held_out=systems)


def scores_of_all(
    kept: Kept,
    *,
    splits: int,
    hold_out: bool = False,
    methods: Sequence[str] = ORDER,
    bare: Kept | None = None,
) -> dict[str, list[np.ndarray]]:
    """By method, its scores (n,) of every split, ranked inside folds; one entry for methods without folds.

    methods: of ORDER, which to try beside the baselines. hold_out: whether folds hold out the systems that wrote the responses, too.
    bare: the same judgments read without their source, for the method BARE.
    """
    human, values, words = people_on_scale(kept), kept.values, word_sets(items_of(kept))
    ways = ways_of(kept, splits, hold_out=hold_out)
    features = baseline_features(items_of(kept))
    logits = {"raw": kept.raw, "norm": kept.norm}
    tried: dict[str, tuple[Method[Any], Columns]] = {
        "length": (FeatureMethod(values), {FEATURES: features["length"]}),
        "surface": (FeatureMethod(values), {FEATURES: features["surface"]}),
        "words": (WordsMethod(), {WORDS: words}),
        **{kind: (KindMethod(kind, values), lenses_for(kind, logits)) for kind in KINDS},
        "states": (StatesMethod(values), {STATES: kept.states}),
    }
    if bare is not None:
        assert list(bare.item) == list(kept.item)
        tried[BARE] = StatesMethod(values), {STATES: bare.states}
    found = {
        "direct": [direct(kept.norm[:, -1], values)],
        "e_score": [e_score(kept.norm[:, -1], values)],
        "uniform": [uniform_score(kept.raw, values)],
    }
    for name, (method, columns) in tried.items():
        if name not in (*BASELINES, BARE, *methods):
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
    resamples: int = 2000,
    combinations: int = 1,
    hold_out: bool = False,
) -> Table:
    """The figures of one set with one backbone; scores from `scores_of_all` with the same `hold_out`.

    combinations: how many sets and backbones the study has, for `Table.strict`.
    """
    human, splits = people_on_scale(kept), max(map(len, scores.values()))
    found = on_equal_footing(
        scores,
        human,
        kept.group,
        fitted=[method for method in scores if method not in RAW],
        ways=ways_of(kept, splits, hold_out=hold_out),
        length=np.log1p(kept.length),
        seed=0,
        resamples=resamples,
    )
    values = {method: found.estimate(method).value or 0.0 for method in scores}
    base = found.best([method for method in BASELINES if method in scores])
    easy = found.best(("length", "surface"))
    rows = [
        Row(
            method,
            _triple(found.estimate(method)),
            None if method in ("length", "surface") else _triple(found.at_equal_surface(method)),
            None if method == "length" else found.with_length[method],
            None if method in BASELINES else _triple(_gain(found, method, base, values)),
        )
        for method in scores
    ]
    judges = [row.method for row in rows if row.method not in (*BASELINES, BARE) and row.agreement is not None]
    best = max(judges, key=lambda method: values[method])

    def of_best(on: str, level: float = 0.95) -> tuple[float, float, float] | None:
        return _triple(found.best_gain(judges, best, on, level=level)) if values[on] > 0 else None

    return Table(
        backbone,
        name,
        len(human),
        len(set(kept.group)),
        splits,
        base,
        best,
        of_best(base),
        of_best(base, 1.0 - 0.05 / combinations),
        tuple(rows),
        of_best(easy),
        _triple(found.gain("states", BARE)) if BARE in scores else None,
    )


def _triple(found: Estimate | None) -> tuple[float, float, float] | None:
    if found is None or found.value is None or found.interval is None:
        return None
    return found.value, found.interval.low, found.interval.high


def _gain(found: Footing, method: str, base: str, values: Mapping[str, float]) -> Estimate:
    """The gain on a baseline; on nothing, where no baseline agrees at all."""
    return found.gain(method, base) if values[base] > 0 else found.estimate(method)


def items_of(kept: Kept) -> list[Item]:
    """The texts as items, for the baselines that count in them."""
    return [
        Item(str(item), {"response": str(text)} | ({"source": str(source)} if source else {}))
        for item, text, source in zip(kept.item, kept.response, kept.source)
    ]


@dataclass(frozen=True)
class Run:
    """How a study is made.

    - `splits`: into folds.
    - `held`: whether systems are also held out, where a set names them.
    - `again`: whether scores that were kept are computed anew.
    - `combinations`: how many sets and backbones there are.
    """

    splits: int
    held: bool
    again: bool
    combinations: int


def _kept_tables(path: Path, run: Run) -> list[Table]:
    """The tables of one set; its scores are read from the file beside its readings, where they were kept there."""
    kept = load_readings(path)
    tables = []
    for hold_out in (False, True)[: 1 + (run.held and len(set(kept.system)) > 1)]:
        name = f"{path.stem}, systems held out" if hold_out else path.stem
        scores = _kept_scores(path.with_name(f"{name}.scores"), kept, run, hold_out=hold_out)
        backbone, count = path.parent.name, run.combinations
        tables.append(table_of(backbone, name, kept, scores, combinations=count, hold_out=hold_out))
    return tables


def _kept_scores(beside: Path, kept: Kept, run: Run, *, hold_out: bool) -> dict[str, list[np.ndarray]]:
    """The scores of all methods, from the file `beside` where it holds those of as many splits."""
    bare = beside.with_name(f"{beside.stem.partition(',')[0]}+bare.npz")
    known = bare.exists()
    if beside.exists() and not run.again:
        with np.load(beside) as file:
            scores = {method: list(file[method]) for method in file.files}
        if max(map(len, scores.values())) == run.splits and known == (BARE in scores):
            return scores
    start = time.monotonic()
    scores = scores_of_all(kept, splits=run.splits, hold_out=hold_out, bare=load_readings(bare) if known else None)
    write_beside(beside, lambda file: np.savez(file, **{method: np.stack(c) for method, c in scores.items()}))
    print(f"{beside}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readings", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file; the screen by default.")
    parser.add_argument("--page", type=Path, help="Put the study in its place on this page (evidence.md), too.")
    parser.add_argument("--splits", type=int, default=3, help="Splits into folds.  [default: 3]")
    parser.add_argument("--hold-out", action="store_true", help="Also hold out the systems, where a set names them.")
    parser.add_argument("--again", action="store_true", help="Compute scores anew that were kept by an earlier run.")
    given = parser.parse_args(arguments)
    # Sets with a plus are second readings, for `tests.measure.label_free`.
    paths = [path for path in sorted(given.readings.glob("*/*.npz")) if "+" not in path.stem]
    run = Run(given.splits, given.hold_out, given.again, len(paths))
    tables = [table for path in paths for table in _kept_tables(path, run)]
    tables.sort(key=lambda table: (_SETS.index(table.set) if table.set in _SETS else len(_SETS), table.set))
    text = markdown(tables)
    if given.page is not None:
        put(given.page, "study", text)
    if given.output is None:
        print(text)
    else:
        given.output.write_text(text, encoding="utf-8")


_SETS = ("newsroom", "newsroom-part", "helpsteer-part", "mt-bench-part", "faithfulness", "emotions", "eq-bench")
"""The order of the sets; others follow."""


if __name__ == "__main__":
    main()
