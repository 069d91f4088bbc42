"""What was understood of a file of items, on stderr."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import click

from ...data import Understood
from ...prompts import Rubric
from .terminal import warn


def shown_fields(rubrics: Iterable[Rubric]) -> frozenset[str]:
    """The fields that rubrics show to the judge, where an item has them."""
    return frozenset(
        name for rubric in rubrics for name in (*rubric.required, *(section.field for section in rubric.sections))
    )


def show_understood(understood: Understood, shown: Collection[str] | None = None, *, limit: int | None = None) -> None:
    """Say on stderr what a file holds, which key each field was taken from, and what is probably not as it was meant.

    shown: see `Understood.mapping_line`. limit: how many of the items are used, None for all.
    """
    first = f"; the first {limit} are used" if limit is not None and limit < understood.items else ""
    click.echo(understood.message + first, err=True)
    click.echo(f"  {understood.mapping_line(shown)}", err=True)
    warn(understood.warnings)
