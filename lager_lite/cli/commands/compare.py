"""lager-lite compare"""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from ...evaluation import Comparison, MethodPair, Pair, compare, load_run
from .. import show
from .evaluate import number, span


def _row(name: str, pair: Pair) -> tuple[str, ...]:
    found = pair.difference
    share = "-" if found.share is None else f"{found.share:.0%}"
    return name, number(pair.a.spearman), number(pair.b.spearman), number(found.value), span(found.interval), share


def _errors(methods: Sequence[MethodPair]) -> list[tuple[str, ...]]:
    return [
        (m.name, number(m.error[0]), number(m.error[1]), number(m.error[2].value), span(m.error[2].interval))
        for m in methods
        if m.error
    ]


def _names(what: str, only: Sequence[str]) -> None:
    if only:
        shown = ", ".join(only[:5]) + (", ..." if len(only) > 5 else "")
        click.echo(f"Warning: {len(only)} {what}: {shown}", err=True)


def _show(found: Comparison) -> None:
    click.echo(f"{found.n} judgments in {found.groups} groups, in both\n")
    if found.differences:
        click.echo(show.table(("differs", "A", "B"), [tuple(d) for d in found.differences]) + "\n")
    click.echo("Spearman with people; B - A with its 95% interval, and the share of resamples in which B is better\n")
    head = ("method", "A", "B", "B - A", "95% interval", "B better")
    click.echo(show.table(head, [_row(m.name, m.overall) for m in found.methods]))
    for name in found.methods[0].criteria if found.methods else ():
        click.echo(f"\n{name}\n\n" + show.table(head, [_row(m.name, m.criteria[name]) for m in found.methods]))
    if errors := _errors(found.methods):
        click.echo("\nMean absolute error after calibration\n\n" + show.table(head[:-1], errors))
    moved = [(m.name, number(m.moved), number(m.order)) for m in found.methods]
    click.echo("\nHow far the scores themselves moved\n\n" + show.table(("method", "points", "same order"), moved))
    _names("judgments are in A only", found.only_a)
    _names("judgments are in B only", found.only_b)
    _names("methods are in A only", found.methods_a)
    _names("methods are in B only", found.methods_b)


@click.command("compare")
@click.argument("a", metavar="A.json", type=click.Path(dir_okay=False))
@click.argument("b", metavar="B.json", type=click.Path(dir_okay=False))
@click.option("-s", "--seed", type=int, default=0, show_default=True, help="Of the resamples.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
def command(a: str, b: str, seed: int, as_json: bool) -> None:
    """Compare two evaluations of the same items: models, quantizations, rubrics or weights.

    A.json and B.json were written by `eval --json`. Every method is compared with itself, in pairs,
    so that small differences show: the interval is of the difference, resampled by group.
    """
    found = compare(load_run(a), load_run(b), seed=seed)
    if as_json:
        click.echo(json.dumps(found.to_dict(), allow_nan=False))
    else:
        _show(found)
