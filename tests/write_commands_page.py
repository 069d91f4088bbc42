"""Writes lager_lite/docs/commands.md from the help of every command: python -m tests.write_commands_page"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import click

from lager_lite.cli import main
from lager_lite.cli.grammar import commands_of

PAGE = Path(__file__).resolve().parent.parent / "lager_lite" / "docs" / "commands.md"
WIDTH = 100
# Other versions of click wrap and word the same help in other ways.
CLICK = ".".join(version("click").split(".")[:2])


def commands_page() -> str:
    """The whole page, the same on every terminal."""
    root = click.Context(main, info_name="lager-lite", terminal_width=WIDTH)
    parts = [
        "# Commands",
        "The help of every command, as `--help` prints it. "
        f"This page is written by `python -m tests.write_commands_page`, with click {CLICK}.",
        _block(main, root),
    ]
    contexts = {"": root}
    for path, command in commands_of(main):
        before, _, name = path.rpartition(" ")
        contexts[path] = click.Context(command, info_name=name, parent=contexts[before], terminal_width=WIDTH)
        parts += [f"## {path}", _block(command, contexts[path])]
    return "\n\n".join(parts) + "\n"


def _block(command: click.Command, context: click.Context) -> str:
    return f"```text\n{command.get_help(context)}\n```"


if __name__ == "__main__":
    PAGE.write_text(commands_page(), encoding="utf-8")
