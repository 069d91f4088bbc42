"""What commands do with --shard whose figures need the whole: they read their part into the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from ..judging import Judge
from ..records import Item
from ..scaleout import Shard, fill_store
from . import show

_OPTIONS = {"side": "scores", "json_path": "json"}


def check_shard(given: dict[str, Any], options: Iterable[str]) -> None:
    """Refuse options that are about figures, or about not using the store, beside --shard."""
    asked = [name for name in ("no_store", *options) if given[name]]
    if given["shard"] and asked:
        option = _OPTIONS.get(asked[0], asked[0].replace("_", "-"))
        raise click.UsageError(f"--shard reads into the store, figures come from the whole: leave out --{option}")


def announce(shard: Shard, count: int) -> None:
    """Say how many items the shard has."""
    click.echo(f"shard {shard}: {count} items", err=True)


def fill(judge: Judge, items: Iterable[Item], count: int) -> None:
    """Read every item under every rubric into the store, with a bar."""
    with show.progress(count * len(judge.rubrics)) as progress:
        failed = fill_store(judge, items, progress)
    show.evaluated(judge.counts, failed)
