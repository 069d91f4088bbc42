"""lager-lite rubrics"""

from __future__ import annotations

from importlib.resources import files

import click

from ..errors import PromptError
from ..rubric import list_rubrics, load_rubric
from ..scale import describe
from ..skeleton import write_skeleton
from . import show


@click.group("rubrics")
def command() -> None:
    """List and show the rubrics that ship, begin a new one."""


@command.command("list")
def list_() -> None:
    """Every shipped rubric with its scale and the fields it needs."""
    rows = []
    for name in list_rubrics():
        rubric = load_rubric(name)
        rows.append((name, describe(rubric.scale), ", ".join(rubric.required)))
    click.echo(show.table(("rubric", "scale", "needs"), rows))


@command.command("show")
@click.argument("name")
def show_(name: str) -> None:
    """The TOML of a shipped rubric, to copy and change."""
    if name not in list_rubrics():
        raise PromptError(f"no rubric {name!r} ships", f"one of: {', '.join(list_rubrics())}")
    click.echo((files("lager_lite") / "rubrics" / f"{name}.toml").read_text(encoding="utf-8"), nl=False)


@command.command("new")
@click.argument("name")
@click.option("-o", "--output", type=click.Path(), help="Default: NAME.toml in this folder.")
def new(name: str, output: str | None) -> None:
    """Write a rubric of your own to begin with: valid as it is, every key explained.

    Nothing is overwritten. To begin with one that ships: lager-lite rubrics show NAME > mine.toml
    """
    path = write_skeleton(name, output)
    click.echo(f"{path} written; change it, then see what a model will read: lager-lite prompt ITEMS -r {path}", err=True)
