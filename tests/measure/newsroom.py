"""What fitting reaches on Newsroom, from readings that were kept: folds by article, new systems, few labels, control.

    python -m tests.measure.newsroom READINGS/default/newsroom.npz

prints Markdown: the methods with folds by article and with the systems held out as well; weights of kind states with
length under control and with surface beside them; and what a number of labels of one criterion is worth, by how many
articles they come from. With the program itself, the first table is that of `lager-lite eval --kind full --kind states`,
with and without `--hold-out system`. Kind full takes a quarter of an hour, so it must be asked for (`--kinds full states`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lager_lite.data import term_columns
from lager_lite.fitting import FEATURES, FeatureMethod, baseline_features
from lager_lite.fitting.beside import TERMS, TextMethod
from lager_lite.fitting.folds import out_of_fold, within_fold_ranks
from lager_lite.fitting.splits import split_folds
from lager_lite.fitting.states import STATES, StatesMethod, fit_states
from lager_lite.records import LayerWeights
from lager_lite.scoring import load_weights, shipped_path, states_score
from lager_lite.stats import agreement, partial_spearman
from tests.measure.agreement import FOLDS, items_of, scores_of_all, table_of
from tests.measure.pages import put
from tests.measure.readings import Kept, load_readings
from tests.measure.sets import SYSTEMS
from tests.measure.tables import Row, cells_of

DRAWS = 10
# Articles and summaries of each, all of one criterion.
LABELS = ((14, 7), (49, 2), (28, 7), (49, 4))
PRIOR_ARTICLES = (3, 5, 10, 20)


def by_folds(kept: Kept, splits: int, kinds: Sequence[str], *, hold_out: bool) -> list[str]:
    """Lines of a table: baselines and kinds, with folds by article, and with the systems held out as well or not."""
    lines = [
        "| method | Spearman | at equal surface | with length | gain on the best baseline |",
        "| --- | --- | --- | --- | --- |",
    ]
    scores = scores_of_all(kept, splits=splits, hold_out=hold_out, methods=kinds)
    table = table_of("", "", kept, scores, hold_out=hold_out)
    return lines + [_line(row) for row in table.rows]


def _line(row: Row) -> str:
    return f"| {row.method} | {' | '.join(cells_of(row))} |"


def with_terms(kept: Kept) -> list[str]:
    """Lines of a table: kind states plain, with length under control, and with surface beside it, in one split."""
    items = items_of(kept)
    length = np.log1p(kept.length)
    fold = split_folds(kept.group, kept.human, folds=FOLDS, seed=0, splits=1)[0]
    plain = StatesMethod(kept.values)
    lines = [
        "| kind states | Spearman | with length | at equal length | at equal surface |",
        "| --- | --- | --- | --- | --- |",
    ]
    marks = baseline_features(items)["surface"]
    surface, _ = out_of_fold(FeatureMethod(kept.values), {FEATURES: marks}, kept.human, kept.group, fold)
    surface_ranks, lengths = within_fold_ranks(surface[0], fold), within_fold_ranks(length, fold)
    for mode, name in ((None, ""), ("control", "length"), ("control", "surface"), ("beside", "surface")):
        method = plain if mode is None else TextMethod(plain, mode, (name,), kept.values)
        columns = {STATES: kept.states} | ({TERMS: term_columns(items, (name,))} if name else {})
        scores, _ = out_of_fold(method, columns, kept.human, kept.group, fold)
        ranks = within_fold_ranks(scores[0], fold)
        figures = (
            agreement(ranks, kept.human).spearman,
            agreement(ranks, lengths).spearman,
            partial_spearman(ranks, kept.human, lengths, length),
            partial_spearman(ranks, kept.human, surface_ranks, lengths, length),
        )
        shown = " | ".join("-" if figure is None else f"{figure:.3f}" for figure in figures)
        lines.append(f"| {f'--{mode} {name}' if mode else 'plain'} | {shown} |")
    return lines


def of_few_labels(kept: Kept, draws: int = DRAWS) -> list[str]:
    """Lines of a table: kind states and the surface, fitted to few labels of one criterion, on all other articles.

    Every criterion is drawn for `draws` times.
    """
    lines = [
        "| labels of one criterion | articles | states: mean | states: least to most | surface: mean |",
        "| --- | --- | --- | --- | --- |",
    ]
    marks = baseline_features(items_of(kept))["surface"]
    for articles, each in LABELS:
        rng = np.random.default_rng(0)
        found = np.array(
            [_few(kept, marks, rng, str(c), articles, each) for c in _criteria(kept) for _ in range(draws)]
        )
        states, surface = found.T
        lines.append(
            f"| {articles * each} | {articles} | {states.mean():.3f} | {states.min():.3f} to {states.max():.3f} "
            f"| {surface.mean():.3f} |"
        )
    return lines


def with_prior(kept: Kept, draws: int = DRAWS) -> list[str]:
    """Lines of a table: few labels of one criterion, with and without a prior that labels of the other criteria made.

    The prior's labels are of 20 articles, those of the criterion of others, and the figures of the rest. Weights of
    another task, which ship, show what a prior costs that knows little.
    """
    lines = [
        "| labels of one criterion | articles | without a prior | with the prior | the prior alone | with weights that ship |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    found: dict[int, list[list[float]]] = {count: [] for count in PRIOR_ARTICLES}
    ships = load_weights(str(shipped_path("smollm2-135m-instruct-faithfulness"))).weights
    for criterion in _criteria(kept):
        rng = np.random.default_rng(0)
        for _ in range(draws):
            names = rng.permutation(np.unique(kept.group))
            mine = kept.criterion == criterion
            taught = np.flatnonzero(~mine & np.isin(kept.group, names[:20]))
            prior = fit_states(kept.states[taught], kept.human[taught], kept.values, groups=kept.group[taught]).weights
            others = np.flatnonzero(mine & np.isin(kept.group, names[20 + max(PRIOR_ARTICLES) :]))
            for count in PRIOR_ARTICLES:
                rows = np.flatnonzero(mine & np.isin(kept.group, names[20 : 20 + count]))
                drawn = [_fitted(kept, rows, toward) for toward in (None, prior)]
                ways = [*drawn, prior, _fitted(kept, rows, ships)]
                found[count].append([_agrees(kept, others, weights) for weights in ways])
    for count, rows_of in found.items():
        means = " | ".join(f"{mean:.3f}" for mean in np.mean(rows_of, axis=0))
        lines.append(f"| {count * SYSTEMS} | {count} | {means} |")
    return lines


def _fitted(kept: Kept, rows: np.ndarray, prior: LayerWeights | None) -> LayerWeights:
    states, human, groups = kept.states[rows], kept.human[rows], kept.group[rows]
    return fit_states(states, human, kept.values, groups=groups, prior=prior, calibrate=False).weights


def _agrees(kept: Kept, rows: np.ndarray, weights: LayerWeights) -> float:
    return agreement(states_score(kept.states[rows], kept.values, weights)[1], kept.human[rows]).spearman or 0.0


def _criteria(kept: Kept) -> list[str]:
    return sorted(set(map(str, kept.criterion)))


def _few(
    kept: Kept, marks: np.ndarray, rng: np.random.Generator, criterion: str, articles: int, each: int
) -> tuple[float, float]:
    """Spearman correlations with people, of kind states and of the surface, on the articles that were not drawn."""
    names = rng.permutation(np.unique(kept.group))[:articles]
    mine = kept.criterion == criterion
    rows = np.concatenate([rng.permutation(np.flatnonzero(mine & (kept.group == name)))[:each] for name in names])
    others = np.flatnonzero(mine & ~np.isin(kept.group, names))
    human, groups = kept.human[rows], kept.group[rows]
    found = []
    for method, column, x in (
        (StatesMethod(kept.values, calibrate=False), STATES, kept.states),
        (FeatureMethod(kept.values), FEATURES, marks),
    ):
        scores = method.fit({column: x[rows]}, human, groups).predict({column: x[others]})[0]
        found.append(agreement(scores, kept.human[others]).spearman or 0.0)
    return found[0], found[1]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readings", type=Path, help="The file that tests.measure.readings wrote.")
    parser.add_argument("--splits", type=int, default=3, help="Splits into folds.  [default: 3]")
    parser.add_argument("--kinds", nargs="+", default=["states"], help="Kinds of weights.  [default: states]")
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"Draws of few labels.  [default: {DRAWS}]")
    parser.add_argument("--page", type=Path, help="Put the tables in their place on this page (evidence.md), too.")
    parser.add_argument(
        "--only", choices=("articles", "systems", "terms", "labels", "prior"), help="One of the tables."
    )
    given = parser.parse_args(arguments)
    kept = load_readings(given.readings)
    parts = {
        "articles": lambda: by_folds(kept, given.splits, given.kinds, hold_out=False),
        "systems": lambda: by_folds(kept, given.splits, given.kinds, hold_out=True),
        "terms": lambda: with_terms(kept),
        "labels": lambda: of_few_labels(kept, given.draws),
        "prior": lambda: with_prior(kept, max(1, given.draws // 3)),
    }
    for name, part in parts.items():
        if given.only in (None, name):
            text = "\n".join(part())
            print(text, end="\n\n", flush=True)
            if given.page is not None:
                put(given.page, f"newsroom {name}", text)


if __name__ == "__main__":
    main()
