"""Defaults from a file: `lager-lite.toml` in the working folder, else in the user's settings folder.

    model = "hf:user/repo:Q4_K_M"      # for every command that has --model
    threads = 4

    [score]                            # for one command
    rubric = ["helpfulness", "fluency"]

Keys are the long names of options. The command line and the environment come before the file. A file in the
working folder may have come with somebody else's data, so it cannot allow the network, turn off a check or name
what is written: those keys count in the user's own file only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..errors import LagerError
from ..system import settings_base
from .grammar import JsonOption, commands_of
from .outputs import STDOUT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG_NAME = "lager-lite.toml"
CONFIG_VARIABLE = "LAGER_LITE_CONFIG"
OWN_ONLY = frozenset(
    ["offline", "guard", "rpc", "force", "yes", "apply", "output", "store", "json", "report", "wheel", "sdist"]
)
_ENVIRONMENT = {"model": "LAGER_LITE_MODEL", "store": "LAGER_LITE_STORE"}
# Converts a value, and returns it under the name that the command knows; raises ValueError for a wrong one.
Converter = Callable[[Any], tuple[str, Any]]
# By command ("models tune"): its options by long name.
Known = Mapping[str, Mapping[str, Converter]]


class ConfigError(LagerError):
    """A settings file that cannot be read, or that has a key or value which no option takes."""


@dataclass(frozen=True)
class Config:
    """A settings file.

    path: where it is.
    own: whether it is the user's own, and not the working folder's.
    values: what it says, as TOML has it.
    """

    path: Path
    own: bool
    values: Mapping[str, Any]


def user_path() -> Path:
    """Where the user's own file would be."""
    return settings_base() / CONFIG_NAME


def find_config() -> Config | None:
    """The one settings file that is used, None where there is none.

    `LAGER_LITE_CONFIG` names it, and none if it is empty; otherwise it is the working folder's file, else the
    user's. Raises ConfigError where it cannot be read.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named is not None:
        return _read(Path(named), True) if named else None
    here = Path(CONFIG_NAME)
    if os.path.lexists(here):
        return _read(here, False)
    try:
        path = user_path()
    except LagerError:
        return None  # no home, no settings
    return _read(path, True) if os.path.lexists(path) else None


def defaults(config: Config, known: Known) -> dict[str, Any]:
    """What the file says, as nested {command: {name: value}}.

    Raises ConfigError with the file and the key where a key is not an option, or a value does not suit it.
    """
    tables = {name: value for name, value in config.values.items() if isinstance(value, dict)}
    common = {key: value for key, value in config.values.items() if key not in tables}
    commands = {path.partition(" ")[0] for path in known}
    for name in tables:
        if name not in commands:
            raise ConfigError(
                f"{config.path}: there is no command {name!r} for [{name}]", f"one of: {', '.join(sorted(commands))}"
            )
    for key in common:
        if not any(key in options for options in known.values()):
            raise ConfigError(f"{config.path}: no command has an option --{key} for the key {key!r}", _NAMES)
    found: dict[str, Any] = {}
    for path, options in known.items():
        values = {**{k: v for k, v in common.items() if k in options}, **_section(config, tables, path, known)}
        place = found
        for part in path.split():
            place = place.setdefault(part, {})
        place.update(_converted(config, path, options, values))
    return found


_NAMES = "keys are the long names of options, without the dashes; lager-lite COMMAND --help lists them"


def _read(path: Path, own: bool) -> Config:
    try:
        return Config(path, own, tomllib.loads(path.read_bytes().decode("utf-8-sig")))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", f"unset {CONFIG_VARIABLE}, or repair the file"
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}", "see https://toml.io for the format") from None


def _section(config: Config, tables: Mapping[str, Any], path: str, known: Known) -> dict[str, Any]:
    table: Any = tables
    for part in path.split():
        table = table.get(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{config.path}: {part!r} must be a table: [{path.replace(' ', '.')}]", _NAMES)
    inner = {p.split()[-1] for p in known if p.startswith(f"{path} ")}
    unknown = [key for key in table if key not in known[path] and key not in inner]
    if unknown:
        section = path.replace(" ", ".")
        raise ConfigError(
            f"{config.path}: lager-lite {path} has no option --{unknown[0]} for the key {unknown[0]!r} of [{section}]",
            _NAMES,
        )
    return {key: value for key, value in table.items() if key not in inner}


def _converted(
    config: Config, path: str, options: Mapping[str, Converter], values: Mapping[str, Any]
) -> dict[str, Any]:
    done = {}
    for key, value in values.items():
        if key in OWN_ONLY and not config.own:
            raise ConfigError(
                f"{config.path}: the key {key!r} does not count in a file of the working folder",
                f"give --{key} on the command line, or set it in your own file, {user_path()}",
            )
        if os.environ.get(_ENVIRONMENT.get(key, "")):
            continue
        try:
            name, converted = options[key](value)
        except ValueError as error:
            raise ConfigError(
                f"{config.path}: the key {key!r} for lager-lite {path}: {error}", f"see lager-lite {path} --help"
            ) from None
        done[name] = converted
    return done


def default_map(main: click.Group, ctx: click.Context) -> dict[str, Any] | None:
    """The defaults of every command from the settings file, None without one.

    All commands are imported only where there is a file. Raises ConfigError.
    """
    config = find_config()
    if config is None:
        return None
    return defaults(config, {path: dict(_long_options(command, ctx)) for path, command in commands_of(main)})


def _long_options(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, Converter]]:
    for parameter in command.params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            if option.startswith("--"):
                yield option[2:], _converter(parameter, ctx)


def _converter(parameter: click.Parameter, ctx: click.Context) -> Converter:
    def convert(value: Any) -> tuple[str, Any]:
        """The parameter's name, and a value of the file as click takes it. Raises ValueError for a wrong type."""
        name = str(parameter.name)
        if getattr(parameter, "is_flag", False):
            if not isinstance(value, bool):
                raise ValueError(f"{value!r} is neither true nor false")
            return name, value
        if isinstance(parameter, JsonOption) and isinstance(value, bool):
            return name, STDOUT if value else None
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
