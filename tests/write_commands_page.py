"""Writes lager_lite/docs/commands.md from the help of every command: python -m tests.write_commands_page"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import click

from lager_lite.cli import main
from lager_lite.cli.grammar import commands_of

PAGE = Path(__file__).resolve().parent.parent / "lager_lite" / "docs" / "commands.md"
WIDTH = 100
# Other versions of click wrap and word the same help in other ways.
CLICK = ".".join(version("click").split(".")[:2])
# Options with the same words in at least so many commands are described once, at the end.
SHARED_FROM = 3

# The heading that an option stands under, its names, and its text.
Described = tuple[str, str, str]


def commands_page() -> str:
    """The whole page, the same on every terminal."""
    root = click.Context(main, info_name="lager-lite", terminal_width=WIDTH)
    contexts = {"": root}
    for path, command in commands_of(main):
        before, _, name = path.rpartition(" ")
        contexts[path] = click.Context(command, info_name=name, parent=contexts[before], terminal_width=WIDTH)
    described = {path: _described(context) for path, context in contexts.items()}
    counts = Counter(option for options in described.values() for option in options)
    shared = {option for option, times in counts.items() if times >= SHARED_FROM}
    parts = [
        "# Commands",
        "The help of every command. Options that several commands share are described once, under "
        "[Shared options](#shared-options). "
        f"This page is written by `python -m tests.write_commands_page`, with click {CLICK}.",
        _block(main.get_help(root)),
    ]
    for path, context in contexts.items():
        if path:
            parts += [f"## {path}", _block(_help(context, described[path], shared))]
    ordered = list(dict.fromkeys(option for options in described.values() for option in options if option in shared))
    names = list(dict.fromkeys(option[1] for option in ordered))
    formatter = root.make_formatter()
    _write_sections(
        formatter, sorted(ordered, key=lambda option: names.index(option[1]))
    )  # texts of one option together
    parts += ["## Shared options", _block(formatter.getvalue())]
    return "\n\n".join(parts) + "\n"


def _described(context: click.Context) -> list[Described]:
    found = []
    for option in context.command.get_params(context):
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            found.append((str(getattr(option, "heading", "Options")), *record))
    return found


def _help(context: click.Context, options: Sequence[Described], shared: set[Described]) -> str:
    """The help of one command, with the names alone of the options that are described elsewhere."""
    formatter, command = context.make_formatter(), context.command
    command.format_usage(context, formatter)
    command.format_help_text(context, formatter)
    _write_sections(formatter, [option for option in options if option not in shared])
    names = [name for name in (_name(option) for option in options if option in shared) if name != "--help"]
    if names:
        formatter.write_paragraph()
        listed = textwrap.wrap("Shared options: " + ", ".join(names), WIDTH, break_on_hyphens=False)
        formatter.write("\n".join(listed) + "\n")
    if isinstance(command, click.Group):
        command.format_commands(context, formatter)
    command.format_epilog(context, formatter)
    return formatter.getvalue()


def _name(option: Described) -> str:
    """The longest of an option's names, without its value."""
    names = option[1].replace(" / ", ", ").split(", ")
    return max((name.split()[0].split("=")[0].split("[")[0] for name in names), key=len)


def _write_sections(formatter: click.HelpFormatter, options: Iterable[Described]) -> None:
    sections: dict[str, list[tuple[str, str]]] = {}
    for heading, names, text in options:
        sections.setdefault(heading, []).append((names, text))
    for heading, rows in sections.items():
        with formatter.section(heading):
            formatter.write_dl(rows)


def _block(text: str) -> str:
    return f"```text\n{text.strip()}\n```"


if __name__ == "__main__":
    PAGE.write_text(commands_page(), encoding="utf-8")
