"""What commands advise: every option that a hint names must be one that the command has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import click

from lager_lite.cli import main
from lager_lite.cli.grammar import commands_of

OPTION = re.compile(r"(?<![\w-])(?:--[a-z][a-z-]*[a-z]|-(?:[bcmnorvw]|ub|ctk|ctv|fa|ngl))(?![\w-])")
_ADVICE = re.compile(r"^(?:\S*: )?(?:Try|Warning|Error): ")
_NAMED = re.compile(r"lager-lite ((?:[a-z]+ )*[a-z]+)|`([a-z]+(?: [a-z]+)?)\b")
_ONE = re.compile(
    r"(?<![\w.,:/='\"-])1 (?!(?:is|has|was|as|does|its|plus|times|across)\b)[a-z]*[a-rt-z]s\b|\b1 of \d+ [a-z ]*s are\b"
)
# Lines about options of other programs, of a settings file for all commands, and of what the user gave.
_OTHERS = (
    "python -m",
    "pip ",
    "cmake",
    "xcode-select",
    "No such option",
    "an option --",
    "no option --",
    "on the command line",
)


def options_of(command: click.Command) -> set[str]:
    """Every spelling of the options of a command, and of those that stand before it."""
    return {name for one in (command, main) for p in one.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}


def command_of(arguments: Sequence[str]) -> str:
    """The name of the command that arguments begin with, "" where they name none."""
    names = dict(commands_of(main))
    found = [" ".join(arguments[:n]) for n in (3, 2, 1) if " ".join(arguments[:n]) in names]
    return found[0] if found else ""


def misadvised(name: str, lines: Iterable[str]) -> list[str]:
    """The lines of what a command printed on stderr that advise an option which it lacks.

    An option is also right where the line names the command that has it: "fit with --budget, see `fit`".
    """
    tree = dict(commands_of(main))
    if name not in tree:
        return []
    wrong = []
    for line in lines:
        if not _ADVICE.match(line) or any(other in line for other in _OTHERS):
            continue
        known = options_of(tree[name])
        for words in (one or other for one, other in _NAMED.findall(line)):
            known |= options_of(tree[command]) if (command := command_of(words.split())) else set()
        lacking = [option for option in OPTION.findall(line) if option not in known]
        wrong += [f"{name} advises {', '.join(lacking)}: {line}"] if lacking else []
    return wrong


def plurals_of_one(lines: Iterable[str]) -> list[str]:
    """The lines that say "1 items", and "1 of 3 items are"; JSON is no prose."""
    return [line for line in lines if not line.startswith(("{", "[", "|")) and _ONE.search(line)]
