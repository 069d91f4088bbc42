"""The options that say which items a command reads, and how."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...data import ANSWER, UNITS
from ..grammar import SharedOption
from .types import FIELD_KEY, SHARD

C = TypeVar("C", bound=Callable[..., Any])


def option_under(heading: str, *names: str, **attributes: Any) -> Callable[[C], C]:
    """An option that stands under a heading of the help, one of HEADINGS; the rest as `click.option` takes it."""
    return click.option(*names, cls=SharedOption, heading=heading, **attributes)


def all_of(*decorators: Callable[[Any], Any]) -> Callable[[C], C]:
    """One decorator of several; options appear in the order in which they are named here."""

    def decorate(function: C) -> C:
        return functools.reduce(lambda inner, decorator: decorator(inner), reversed(decorators), function)

    return decorate


def limit_option(what: str = "items", *, at_least: int = 1, default: int | None = None) -> Callable[[C], C]:
    """`-n N`, which always limits how many items a command takes."""
    return option_under(
        "Items",
        "-n",
        "--limit",
        type=click.IntRange(at_least),
        default=default,
        show_default=default is not None,
        metavar="N",
        help=f"Use only the first N {what}." if not what.endswith(".") else what,
    )


map_option = option_under(
    "Items",
    "--map",
    "mapping",
    multiple=True,
    type=FIELD_KEY,
    help="Take FIELD from the key KEY of your rows, for instance response=answer. May be repeated.",
)
layout_option = option_under(
    "Items", "--layout", help='Layout of the file: "rows", or the name of a public layout. By default it is detected.'
)
encoding_option = option_under(
    "Items", "--encoding", metavar="NAME", help="Encoding of the file's text, for instance latin-1.  [default: utf-8]"
)
ignore_option = option_under(
    "Items",
    "--ignore",
    multiple=True,
    metavar="KEY",
    help="Read the rows as if they had no such key; the name of a field stands for all its usual keys. May be repeated.",
)
thoughts_option = option_under(
    "Items", "--keep-thoughts", is_flag=True, help="Judge what a response thinks in <think> marks, too."
)
unit_option = option_under(
    "Items",
    "--unit",
    type=click.Choice(UNITS),
    default=ANSWER,
    show_default=True,
    help="What of a conversation is judged: its last answer, every turn of the assistant, or the whole.",
)
table_options = all_of(map_option, ignore_option, layout_option, encoding_option)
items_options = all_of(table_options, thoughts_option)
group_option = option_under(
    "Items", "--group", metavar="FIELD", help="Keep items with the same text in FIELD on one side of every split."
)
shard_option = option_under(
    "Items",
    "--shard",
    type=SHARD,
    help="Take only part I of N of the items, split by group. Run every part, then merge.",
)
