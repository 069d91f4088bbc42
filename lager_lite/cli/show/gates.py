"""The table of a gate."""

from __future__ import annotations

import click

from ...report import gate_head, gate_notes, gate_rows
from ...tasks import GateResult
from .terminal import text_table


def show_gate(found: GateResult) -> None:
    """Print every check, what is undecided or without a score, and the outcome in one line."""
    click.echo(text_table(gate_head(found), gate_rows(found)))
    notes = gate_notes(found)
    if notes:
        click.echo()
        for note in notes:
            click.echo(note)
    click.echo(f"\n{found.summary}")
