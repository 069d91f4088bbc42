"""Tables of compared pairs: the position, the methods and the systems."""

from __future__ import annotations

import click

from ...data import counted
from ...stats import interval_text
from ...tasks import PairAccuracy, PairFigures, Standing, Tournament
from .terminal import number, signed, span, text_table


def show_pairs(figures: PairFigures, systems: Tournament | None, *, err: bool) -> None:
    """Print what the position says, how often each method is right, and how the systems stand; err: on stderr."""
    place = figures.position
    if place.judged:
        click.echo(
            f"{counted(place.judged, 'pair')} judged in both orders; the verdict changes with the order in {place.flips} "
            f"({place.flip_rate:.1%}{f' {span(place.interval)}' if place.interval else ''}); what stands first wins {place.first:.1%} of the prompts",
            err=err,
        )
    if figures.methods:
        _show_methods(figures, err)
    if systems is not None and systems.standings:
        _show_systems(systems, err)


def _show_methods(figures: PairFigures, err: bool) -> None:
    apart = ", without either system of a pair" if figures.held_out else ""
    fitted = f"; surface and weights fitted in {counted(figures.folds, 'fold')}{apart}" if figures.folds else ""
    tied = f", {figures.tied} more undecided" if figures.tied else ""
    click.echo(
        f"\nPeople decided {counted(figures.pairs, 'pair')}{tied}, in {counted(figures.groups, 'group')}{fitted}\n",
        err=err,
    )
    gain = f"gain on {figures.baseline}"
    head = ("method", "accuracy", "95% interval", gain, "95% interval", "equal length", "one order", "flips", "Brier")
    click.echo(text_table(head, [_method_row(method) for method in figures.methods]), err=err)
    click.echo(
        f"(length prefers the longer response; equal length: on the {counted(figures.near_pairs, 'pair')} whose lengths "
        "differ by less than a tenth)",
        err=err,
    )
    if figures.verdict:
        click.echo(f"\n{figures.verdict}", err=err)


def _method_row(method: PairAccuracy) -> tuple[str, ...]:
    found = method.accuracy
    return (
        found.method,
        number(found.accuracy),
        span(found.interval),
        *signed(found.over_baseline),
        number(found.near_accuracy),
        number(method.one_order),
        number(method.flips),
        number(method.brier),
    )


def _show_systems(systems: Tournament, err: bool) -> None:
    ranked = systems.standings[0].strength is not None
    people = any(one.human_rate is not None for one in systems.standings)
    head = ["system", "pairs", "win rate", "95% interval"]
    head += ["by people"] if people else []
    head += ["strength", "95% interval"] if ranked else []
    head += ["part"] if systems.parts > 1 else []
    rows = [_system_row(one, people, ranked, systems.parts > 1) for one in systems.standings]
    click.echo(f"\n{counted(systems.pairs, 'comparison')} of systems on {counted(systems.groups, 'prompt')}\n", err=err)
    click.echo(text_table(head, rows), err=err)
    if people and systems.human_pairs < systems.pairs:
        click.echo(f"({systems.by_people})", err=err)


def _system_row(one: Standing, people: bool, ranked: bool, parts: bool) -> tuple[str, ...]:
    return (
        one.system,
        str(one.pairs),
        number(one.win_rate),
        span(one.interval),
        *((number(one.human_rate),) if people else ()),
        *(
            (f"{one.strength:+.3f}", interval_text(one.strength_interval, sign=True))
            if ranked and one.strength is not None
            else ()
        ),
        *((str(one.part),) if parts else ()),
    )
