"""A panel from the options of a command that takes several models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ...judging import Panel
from ...scoring import PanelWeights, load_panel
from .judging import open_judge
from .parsed import Given, chosen_rubrics, option_name


def is_panel(given: Given) -> bool:
    """Whether several models were given."""
    return isinstance(given["model"], tuple)


def check_panel_options(given: Given, refused: Sequence[str]) -> None:
    """Refuse options that are about one model; refused: the names of their parameters, besides those of feedback."""
    for name in (*refused, "reason", "votes", "temperature"):
        if given.get(name) not in (None, False, (), ""):
            raise click.UsageError(f"{option_name(name)} is about one model: leave it out, or give one -m")


def panel_weights(given: Given) -> PanelWeights | None:
    """The weights of -w, None without it."""
    return load_panel(given["weights"]) if given.get("weights") else None


def panel_of(given: Given, weights: PanelWeights | None = None, **more: Any) -> Panel:
    """The panel of the models of -m. more: as `Judge` takes it, for every member."""
    force = bool(given.get("force"))
    return Panel(
        given["model"],
        rubric=chosen_rubrics(given),
        weights=weights,
        force=force,
        opener=lambda model, own: open_judge({**given, "model": model}, own, force=force, **more),
    )
