"""lager-lite rubrics"""

from __future__ import annotations

import json
from importlib.resources import files

import click

from ...errors import PromptError
from ...prompts import describe_scale, list_rubrics, load_rubric, write_skeleton
from .. import show


@click.group("rubrics")
def command() -> None:
    """List and show the rubrics that ship, begin a new one."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True)
def list_(as_json: bool) -> None:
    """Every shipped rubric with its scale and the fields it needs."""
    rubrics = [(name, load_rubric(name)) for name in list_rubrics()]
    if as_json:
        click.echo(
            json.dumps([{"rubric": n, "labels": list(r.scale.labels), "needs": list(r.required)} for n, r in rubrics])
        )
        return
    click.echo(
        show.table(
            ("rubric", "scale", "needs"), [(n, describe_scale(r.scale), ", ".join(r.required)) for n, r in rubrics]
        )
    )


@command.command("show")
@click.argument("name")
def show_(name: str) -> None:
    """The TOML of a shipped rubric, to copy and change."""
    if name not in list_rubrics():
        raise PromptError(f"no rubric {name!r} ships", f"one of: {', '.join(list_rubrics())}")
    click.echo((files("lager_lite.prompts") / "rubrics" / f"{name}.toml").read_text(encoding="utf-8"), nl=False)


@command.command("new")
@click.argument("name")
@click.option("-o", "--output", type=click.Path(), help="Default: NAME.toml in this folder.")
def new(name: str, output: str | None) -> None:
    """Write a rubric of your own to begin with: valid as it is, every key explained.

    Nothing is overwritten. To begin with one that ships: lager-lite rubrics show NAME > mine.toml
    """
    path = write_skeleton(name, output)
    click.echo(
        f"{path} written; change it, then see what a model will read: lager-lite prompt ITEMS -r {path}", err=True
    )
