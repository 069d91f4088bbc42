"""Types of option values: each a name for the help and a function from text to the value."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import click

from ...llama import parse_servers
from ...scaleout import parse_shard
from ...scoring import shipped_names, shipped_path


class Parsed(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic to type checkers only, since click 8.5
    """A value that `parse` makes of its text.

    name: how the help shows the value. parse: raises ValueError whose text says what was expected.
    """

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value; one that was parsed before (a default) stays as it is."""
        if not isinstance(value, (str, int, float)):
            return value
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class WeightsPath(click.Path):
    """A weights file by its path, or one that ships by its name; a file of that name comes first.

    A name without an ending that is neither is refused, with the names that ship.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        found = None if os.path.exists(value) else shipped_path(str(value))
        if found is None and not os.path.exists(value) and not os.path.splitext(os.path.basename(value))[1]:
            names = ", ".join(shipped_names()) or "none"
            self.fail(f"File {str(value)!r} does not exist. Weights that ship: {names}.", param, ctx)
        return super().convert(value if found is None else str(found), param, ctx)


def _gpu_layers(text: str) -> int | str:
    if text in ("auto", "all"):
        return text
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number, auto or all") from None


def _ray_address(text: str) -> str:
    if text in ("local", "auto") or ":" in text:
        return text
    raise ValueError(f"{text!r} is not an address: expected local, auto, HOST:PORT or ray://HOST:PORT")


def _top(text: str) -> int | float:
    try:
        if text.endswith("%"):
            number: int | float = float(text[:-1]) / 100
        else:
            number = float(text) if "." in text else int(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a number of rows (1000) nor a share (0.1 or 10%)") from None
    if not number > 0 or (isinstance(number, float) and number > 1):
        raise ValueError(f"{text!r}: expected a number of rows from 1, or a share above 0.0 and up to 1.0")
    return number


def _field_key(text: str) -> tuple[str, str]:
    field, _, key = text.partition("=")
    if not (field and key):
        raise ValueError(f"{text!r}: expected FIELD=KEY, for instance response=answer")
    return field, key


def _rubric_number(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise ValueError(f"{text!r}: expected RUBRIC=NUMBER") from None


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a finite number")
    return number


def _bound(text: str) -> tuple[str, float]:
    part, _, number = text.rpartition("=")
    return part, _finite(number)


def _points(text: str) -> float:
    number = _finite(text)
    if number < 0:
        raise ValueError(f"{text!r}: expected points of the scale from 0, for instance 0.1")
    return number


def _percent(text: str) -> float:
    number = _finite(text.removesuffix("%"))
    if not 50 <= number < 100:
        raise ValueError(f"{text!r}: expected a percentage from 50 to below 100, for instance 95")
    return number


def _max_errors(text: str) -> float:
    share = text.endswith("%")
    number = _finite(text.removesuffix("%"))
    if number < 0 or (share and number >= 100) or (not share and number != int(number)):
        raise ValueError(f"{text!r}: expected a number of rows (3) or a share below 100% (2%)")
    return number / 100 if share else number


GPU_LAYERS = Parsed("N|auto|all", _gpu_layers)
SERVERS = Parsed("HOST:PORT[,...]", parse_servers)
SHARD = Parsed("I/N", parse_shard)
RAY_ADDRESS = Parsed("ADDRESS", _ray_address)
TOP = Parsed("N|SHARE", _top)
FIELD_KEY = Parsed("FIELD=KEY", _field_key)
WEIGHTS = WeightsPath(dir_okay=False)
RUBRIC_NUMBER = Parsed("RUBRIC=NUMBER", _rubric_number)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise ValueError("expected names with commas between them, for instance length,turns")
    return names


NAMES = Parsed("names", _names)
BOUND = Parsed("[PART=]BOUND", _bound)
POINTS = Parsed("POINTS", _points)
PERCENT = Parsed("PERCENT", _percent)
MAX_ERRORS = Parsed("N|SHARE", _max_errors)
