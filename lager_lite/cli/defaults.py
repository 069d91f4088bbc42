"""From a settings file to click's default map: which options there are, and what their values may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from .settings import Converter, defaults, find_config


def default_map(main: click.Group, ctx: click.Context) -> dict[str, Any] | None:
    """The defaults of every command from the settings file, None without one.

    Only then all commands are imported. Raises ConfigError.
    """
    config = find_config()
    if config is None:
        return None
    return defaults(config, {path: dict(_options(command, ctx)) for path, command in _commands(main, ctx)})


def _commands(group: click.Group, ctx: click.Context, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        path = f"{before} {name}".strip()
        yield path, command
        if isinstance(command, click.Group):
            yield from _commands(command, ctx, path)


def _options(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, Converter]]:
    for parameter in command.params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            if option.startswith("--"):
                yield option[2:], _converter(parameter, ctx)


def _converter(parameter: click.Parameter, ctx: click.Context) -> Converter:
    def convert(value: Any) -> tuple[str, Any]:
        name = str(parameter.name)
        if getattr(parameter, "is_flag", False):
            if not isinstance(value, bool):
                raise ValueError(f"{value!r} is neither true nor false")
            return name, value
        values = value if parameter.multiple and isinstance(value, list) else [value]
        for one in values:
            if isinstance(one, (bool, dict, list)):
                raise ValueError(f"{one!r} is not a value of --{parameter.opts[-1].lstrip('-')}")
            try:
                parameter.type.convert(one, parameter, ctx)
            except click.UsageError as error:
                raise ValueError(error.message) from None
        return name, values if parameter.multiple else value

    return convert
