"""lager-lite drift"""

from __future__ import annotations

import json
from typing import Any

import click

from ...backbones import locate_model
from ...data import read_items
from ...llama import check_loads
from ...performance import DRIFT_METHODS, Drift, measure_drift
from ...prompts import load_rubric
from .. import show
from ..options import backend_options, backend_settings, data_options
from .score import parse_map


def _show(found: Drift) -> None:
    click.echo(f"{found.model}, {found.judgments} judgments; largest difference of any score, in points\n")
    rows = [
        (f"{r.settings}, {r.change}", *(f"{r.points[m]:.1e}" for m in DRIFT_METHODS), f"{r.identical}")
        for r in found.rows
    ]
    click.echo(show.table(("settings, change", *DRIFT_METHODS, "same bits"), rows))


@click.command("drift")
@click.argument("items", metavar="ITEMS")
@backend_options
@click.option(
    "-r", "--rubric", "rubrics", multiple=True, help="Name or TOML file; repeat for several. [default: default]"
)
@click.option("-n", "--limit", type=click.IntRange(2), default=20, show_default=True, help="Only the first N items.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@data_options
def command(items: str, limit: int, as_json: bool, **given: Any) -> None:
    """Measure how far the scores of ITEMS move with threads, batches, order and company.

    Every change is measured under the settings as given and under --exact, without a store. Between
    machines scores may move more: other processors have other arithmetic.
    """
    dataset = read_items(items, mapping=parse_map(given["mapping"]), layout=given["layout"])
    click.echo(dataset.message, err=True)
    model, options = locate_model(given["model"]).path, backend_settings(given)
    if given["guard"]:
        check_loads(model, options)
    rubrics = [load_rubric(name) for name in given["rubrics"] or ("default",)]
    settings = ("exact",) if given["exact"] else ("default", "exact")
    found = measure_drift(
        model,
        rubrics,
        dataset.items[:limit],
        options,
        settings=settings,
        progress=lambda text: click.echo(text, err=True),
    )
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        _show(found)
