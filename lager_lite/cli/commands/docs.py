"""lager-lite docs"""

from __future__ import annotations

import difflib
import sys
from importlib.resources import files

import click
from click.shell_completion import CompletionItem

from ..grammar import command as cli_command


def _pages() -> dict[str, str]:
    """The text of every page by topic, sorted."""
    folder = files("lager_lite") / "docs"
    pages = {entry.name[:-3]: entry for entry in folder.iterdir() if entry.name.endswith(".md")}
    return {topic: pages[topic].read_text(encoding="utf-8") for topic in sorted(pages)}


def _known(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The topic that `value` names, with or without .md. Raises BadParameter where there is no such page."""
    topics = list(_pages())
    if value is None or value in topics:
        return value
    topic = value.lower().removesuffix(".md")
    if topic in topics:
        return topic
    near = difflib.get_close_matches(topic, topics, n=1)
    advice = f"Did you mean {near[0]!r}?" if near else f"The pages are {', '.join(topics)}."
    raise click.BadParameter(f"there is no page {value!r}. {advice}")


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(topic) for topic in _pages() if topic.startswith(incomplete)]


@cli_command("docs", example="lager-lite docs scoring")
@click.argument("topic", required=False, callback=_known, shell_complete=_complete)
def command(topic: str | None) -> None:
    """Show the page TOPIC of the documentation, or list all pages.

    The pages are part of the program, so no network is needed.
    """
    pages = _pages()
    if topic is None:
        for name, text in pages.items():
            click.echo(f"{name:<12}{text.partition(chr(10))[0].removeprefix('# ')}")
    elif sys.stdout.isatty():
        click.echo_via_pager(pages[topic])
    else:
        click.echo(pages[topic], nl=False)
