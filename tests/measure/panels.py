"""Panels of two backbones beside each of them, from readings that `tests.measure.readings` has kept.

    python -m tests.measure.panels READINGS default qwen-coder-1.5b emotions --kind states

prints what `lager-lite eval -m A -m B` prints of the same judgments: Spearman with people of each member alone and of
the panel, in the same folds, with intervals over groups and splits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lager_lite.cli.show.terminal import number, span, text_table
from lager_lite.evaluation import Plan, compare_members, cross_validate_panel
from lager_lite.fitting import Labelled, same_judgments
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readings", type=Path)
    parser.add_argument("backbones", nargs=2)
    parser.add_argument("set")
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--splits", type=int, default=3)
    given = parser.parse_args()
    data = same_judgments([labelled(given.readings / name / f"{given.set}.npz") for name in given.backbones])
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
