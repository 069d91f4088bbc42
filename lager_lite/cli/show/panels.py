"""Tables of panels: every member alone, and the panel."""

from __future__ import annotations

import click

from ...data import counted
from ...evaluation import PanelRun
from ...fitting import FittedPanel
from ...stats import Estimate
from .evaluations import show_evaluation
from .terminal import number, span, text_table


def _estimate(found: Estimate) -> str:
    return number(found.value) if found.value is None else f"{number(found.value)} {span(found.interval)}"


def show_panel(run: PanelRun) -> None:
    """Print how the members and the panel agree with people, then the panel as any evaluation."""
    letters = [chr(ord("A") + place) for place in range(len(run.names))]
    click.echo(f"Panel of {counted(len(run.names), 'model')}")
    for letter, name in zip(letters, run.names):
        click.echo(f"  {letter}  {name}")
    click.echo(
        "\nSpearman with people of every member alone and of the panel, and the panel's gain on the best member\n"
    )
    rows = [
        (
            row.method,
            *map(_estimate, row.members),
            _estimate(row.panel),
            f"{_estimate(row.gain)} on {letters[row.best]}",
            " ".join(number(share, 2) for share in run.shares.get(row.method, ())) or "equal",
        )
        for row in run.rows
    ]
    click.echo(text_table(("method", *letters, "panel", "gain", "shares"), rows))
    click.echo("\nThe panel; its e_score is the mean of the members'\n")
    show_evaluation(run.panel.evaluation)


def panel_facts(found: FittedPanel, names: tuple[str, ...], output: str) -> dict[str, object]:
    """What was fitted, as --json prints it."""
    members = [
        {
            "name": name,
            "kind": one.kind,
            "lens": one.lens,
            "strength": one.strength,
            "share": one.share,
            "spearman_cv": one.agreement,
        }
        for name, one in zip(names, found.members)
    ]
    return {**found.weights.fit, "members": members, "written": output}


def show_fitted_panel(found: FittedPanel, names: tuple[str, ...], output: str) -> None:
    """Print what was fitted and where it was written."""
    rows = [
        (
            name,
            one.kind,
            one.lens,
            "-" if one.strength is None else f"{one.strength:g}",
            number(one.agreement),
            number(one.share, 2),
        )
        for name, one in zip(names, found.members)
    ]
    rows.append(("panel", "", "", "", number(found.agreement), number(1.0, 2)))
    click.echo(text_table(("member", "kind", "lens", "strength", "spearman", "share"), rows))
    click.echo(f"\nlabels    {found.items} in {counted(found.groups, 'group')} (spearman is by nested folds)")
    if found.trivial:
        listed = ", ".join(f"{name} {number(one)}" for name, one in found.trivial.items())
        click.echo(f"without   a model: {listed} (of the response, fitted in the same folds)")
    click.echo(f"written   {output}")
