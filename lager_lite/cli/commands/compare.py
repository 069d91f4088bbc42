"""lager-lite compare"""

from __future__ import annotations

import click

from ...evaluation import compare, load_run
from ..grammar import command as cli_command
from ..options import json_option, seed_option
from ..show.evaluations import show_comparison
from ..show.terminal import present


@cli_command("compare", example="lager-lite compare small.json large.json")
@click.argument("a", metavar="A.json", type=click.Path(dir_okay=False))
@click.argument("b", metavar="B.json", type=click.Path(dir_okay=False))
@seed_option
@json_option
def command(a: str, b: str, seed: int, json_file: str | None) -> None:
    """Compare two evaluations of the same items: models, quantizations, rubrics or weights.

    A.json and B.json are files of `eval --json=FILE`. Every method is compared with itself, judgment by judgment, so
    that small differences show: the interval is that of the difference, resampled by group.
    """
    found = compare(load_run(a), load_run(b), seed=seed)
    present(json_file, found.to_dict, lambda: show_comparison(found))
