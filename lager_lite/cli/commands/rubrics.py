"""lager-lite rubrics"""

from __future__ import annotations

from importlib.resources import files

import click

from ...errors import PromptError
from ...prompts import list_rubrics, load_rubric, write_skeleton
from ..grammar import group
from ..options import json_option
from ..outputs import OutputFile
from ..show.machine import rubric_facts, show_rubrics
from ..show.progress import say
from ..show.terminal import present


@group("rubrics", example="lager-lite rubrics list")
def command() -> None:
    """List and show the rubrics that ship, and begin a new one."""


@command.command("list", example="lager-lite rubrics list")
@json_option
def list_(json_file: str | None) -> None:
    """List every shipped rubric with its scale and the fields that it needs."""
    rubrics = {name: load_rubric(name) for name in list_rubrics()}
    present(json_file, lambda: rubric_facts(rubrics), lambda: show_rubrics(rubrics))


@command.command("show", example="lager-lite rubrics show helpfulness > mine.toml")
@click.argument("name")
def show_(name: str) -> None:
    """Print the TOML of a shipped rubric, to copy and change."""
    if name not in list_rubrics():
        raise PromptError(f"no rubric {name!r} ships", f"one of: {', '.join(list_rubrics())}")
    click.echo((files("lager_lite.prompts") / "rubrics" / f"{name}.toml").read_text(encoding="utf-8"), nl=False)


@command.command("new", example="lager-lite rubrics new politeness")
@click.argument("name")
@click.option("-o", "--output", type=OutputFile(None), help="Write to this file.  [default: NAME.toml in this folder]")
def new(name: str, output: str | None) -> None:
    """Write a new rubric to start from: valid as it is, with every key explained.

    Nothing is overwritten. To start from a rubric that ships instead, use `rubrics show`.
    """
    path = write_skeleton(name, output)
    say(f"{path} written; change it, then see what a model will read: lager-lite prompt ITEMS -r {path}")
