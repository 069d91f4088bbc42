"""Panels of two backbones beside each of them, from readings that `tests.measure.readings` has kept.

    python -m tests.measure.panels READINGS default qwen-coder-1.5b emotions --kind states

prints what `lager-lite eval -m A -m B` prints of the same judgments: Spearman with people of each member alone and of
the panel, in the same folds, with intervals over groups and splits.

    python -m tests.measure.panels READINGS default qwen-coder-1.5b emotions --draws 12 --labels 60 --labels 120

draws labels of whole groups so many times, fits weights of kind `states` to them, and prints the mean Spearman
correlation on the rest of the set: of each backbone, of both with equal shares, of all their layers in one fit, and of
both with fitted shares.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lager_lite.cli.show.terminal import number, span, text_table
from lager_lite.evaluation import Plan, compare_members, cross_validate_panel
from lager_lite.fitting import (
    STATES,
    Labelled,
    PanelMethod,
    StatesMethod,
    panel_columns,
    same_judgments,
    select_rows,
)
from lager_lite.fitting.panel import member_columns
from lager_lite.fitting.states import states_column
from lager_lite.stats import agreement
from tests.measure.agreement import items_of, people_on_scale
from tests.measure.readings import load_readings


def labelled(path: Path) -> Labelled:
    """What one backbone has read of a set, as the judge gives it."""
    kept = load_readings(path)
    human = people_on_scale(kept)
    return Labelled(
        kept.raw,
        kept.norm,
        human,
        tuple((float(score),) for score in human),
        kept.criterion,
        kept.group,
        kept.item,
        kept.values.astype(np.float64),
        (),
        tuple(items_of(kept)),
        kept.states,
    )


def all_layers(read: Sequence[Labelled]) -> np.ndarray:
    """The states of all backbones as those of one, float16 (n, S, n_embd): narrow ones are filled up with zeros."""
    whole = [np.asarray(one.states) for one in read]
    width = max(states.shape[2] for states in whole)
    return np.concatenate([np.pad(s, ((0, 0), (0, 0), (0, width - s.shape[2]))) for s in whole], axis=1)


def drawn_once(read: Sequence[Labelled], together: np.ndarray, labels: int, rng: np.random.Generator) -> list[float]:
    """Spearman on the rest of a set, by weights fitted to about so many labels of groups that are drawn."""
    first = read[0]
    names = rng.permutation(np.unique(first.group))
    count = np.cumsum([np.sum(first.group == name) for name in names])
    kept = np.isin(first.group, names[: int(np.searchsorted(count, labels)) + 1])
    panel = PanelMethod(tuple(StatesMethod(first.values) for _ in read), first.values)
    columns = panel_columns([states_column(one.columns) for one in read])
    fitted = panel.fit(select_rows(columns, kept), first.human[kept], first.group[kept])
    rest = select_rows(columns, ~kept)
    alone = [one.predict(member_columns(rest, place))[0] for place, one in enumerate(fitted.members)]
    one_fit = StatesMethod(first.values).fit({STATES: together[kept]}, first.human[kept], first.group[kept])
    scores = (*alone, np.mean(alone, axis=0), one_fit.predict({STATES: together[~kept]})[0], fitted.predict(rest)[0])
    return [agreement(one, first.human[~kept]).spearman or 0.0 for one in scores]


def show_draws(read: Sequence[Labelled], names: Sequence[str], labels: Sequence[int], draws: int) -> None:
    """The table of means over draws of the labels."""
    together, rows = all_layers(read), []
    for count in labels:
        rng = np.random.default_rng(0)
        means = np.mean([drawn_once(read, together, count, rng) for _ in range(draws)], axis=0)
        rows.append((str(count), *(f"{one:.3f}" for one in means)))
    print(text_table(("labels", *names, "equal shares", "all layers in one fit", "stacked"), rows))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readings", type=Path)
    parser.add_argument("backbones", nargs=2)
    parser.add_argument("set")
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--draws", type=int, default=0, help="how often labels are drawn; 0: all of them, in folds")
    parser.add_argument("--labels", type=int, action="append", help="about how many are drawn  [default: 60 and 120]")
    given = parser.parse_args(arguments)
    data = same_judgments([labelled(given.readings / name / f"{given.set}.npz") for name in given.backbones])
    if given.draws:
        return show_draws(data, given.backbones, given.labels or (60, 120), given.draws)
    plan = Plan(kinds=tuple(given.kind), splits=given.splits)
    alone, whole, shares = cross_validate_panel(data, plan)
    rows = []
    for row in compare_members(alone, whole, data[0], plan):
        cells = [f"{number(one.value)} {span(one.interval)}" for one in (*row.members, row.panel, row.gain)]
        share = " ".join(number(one, 2) for one in shares.get(row.method, ())) or "equal"
        rows.append((row.method, *cells, f"on {given.backbones[row.best]}", share))
    head = ("method", *given.backbones, "panel", "gain on the best", "", "shares")
    print(f"{given.set}: {whole.n} judgments in {whole.groups} groups\n")
    print(text_table(head, rows))
    for name in ("length", "surface"):
        one = whole.method(name)
        print(f"{name} {number(one.overall.spearman)} {span(one.interval)}")


if __name__ == "__main__":
    main()
