"""Errors that a user can act on: what was found, and what to do next, in the words of the door that the user came in by.

The command line prints a `LagerError` as two lines (`Error: ...`, `Try: ...`) and exits with
code 1. Anything else that is raised is a bug of ours and keeps its traceback.

A command has options, a program has arguments, a row that a program gives has keys, and who asks a server has only the
body of a request. What is advised through one door cannot be done through another.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass

NOT_INSTALLED = "llama.cpp is not installed in this environment yet"
BUILD_HINT = "lager-lite backend build   (once; it compiles llama.cpp in a few minutes)"
"""The one line that brings a library."""


COMMAND, PYTHON, GIVEN, REQUEST = "command", "python", "given", "request"
"""The doors: a command line, a program that calls functions of the package, rows that a program gives to such a
function, and a request to a server. What is not said of one is said as for the one before it."""

_door: ContextVar[str] = ContextVar("door", default=PYTHON)


@contextmanager
def through(door: str) -> Iterator[None]:
    """Give advice in the words of this door until the block ends, in this thread."""
    before = _door.set(door)
    try:
        yield
    finally:
        _door.reset(before)


@contextmanager
def rows_given() -> Iterator[None]:
    """Give advice about rows that a program gives until the block ends; a request stays a request."""
    with through(REQUEST if _door.get() == REQUEST else GIVEN):
        yield


@dataclass(frozen=True)
class Advice:
    """What to do, in the words of every door; as text (`str`) in those of the door that is in use.

    - `command`: with the options of a command.
    - `python`: with the arguments of functions. None: as for a command.
    - `given`: for rows that a program gives, with their keys. None: as for Python.
    - `request`: for a request to a server. None: as for rows that a program gives.
    """

    command: str
    python: str | None = None
    given: str | None = None
    request: str | None = None

    def __str__(self) -> str:
        said = self.command
        for door, text in ((PYTHON, self.python), (GIVEN, self.given), (REQUEST, self.request)):
            if _door.get() == COMMAND:
                break
            said = said if text is None else text
            if _door.get() == door:
                break
        return said


def name_key(field: str) -> Advice:
    """What to do where no row has the key of a field."""
    return Advice(
        f"name the key with --map {field}=KEY",
        f'name the key with mapping={{"{field}": "KEY"}}',
        f"put it under the key {field}",
    )


def mapped(keys: Mapping[str, str]) -> Advice:
    """Fields that are taken from keys, as what does something: "... judges the one". keys: field -> key."""
    given = " and ".join(f"{key!r} as {field}" for field, key in keys.items())
    return Advice(_options(keys), _argument(keys), f"giving {given}")


def give_mapped(keys: Mapping[str, str] | Sequence[tuple[str, str]]) -> Advice:
    """The request to take fields from keys. keys: field -> key, or pairs of these where a field has several."""
    pairs = list(keys.items()) if isinstance(keys, Mapping) else list(keys)
    given = " and ".join(f"{key!r} as {field}" for field, key in pairs)
    together: dict[str, list[str]] = {}
    for field, key in pairs:
        together.setdefault(field, []).append(key)
    argument = {field: own[0] if len(own) == 1 else own for field, own in together.items()}
    return Advice(
        f"give {_options(pairs)}", f"give mapping={json.dumps(argument, ensure_ascii=False)}", f"give {given}"
    )


def compare_mapped(keys: Mapping[str, str]) -> Advice:
    """What compares two responses under keys of one row, as what does something. keys: field of a pair -> key."""
    return Advice(
        f"`lager-lite pairs {_options(keys)}`",
        f"compare_pairs after read_pairs with {_argument(keys)}",
        "compare_pairs",
        "a request to compare pairs",
    )


def leave_out(*keys: str) -> Advice:
    """The request to leave out what stands under some keys."""
    options = " ".join(f"--ignore {shlex.quote(key)}" for key in keys)
    return Advice(
        f"leave it out with {options}",
        f"leave it out with ignore={json.dumps(keys, ensure_ascii=False)}",
        f"leave out the key{'s' * (len(keys) > 1)} {', '.join(keys)}",
    )


def ignoring(*keys: str) -> Advice:
    """Leaving out what stands under some keys, as what does something: "... reads the other one"."""
    return Advice(
        " ".join(f"--ignore {shlex.quote(key)}" for key in keys),
        f"ignore={json.dumps(keys, ensure_ascii=False)}",
        f"leaving out {' and '.join(map(repr, keys))}",
    )


def each_text(key: str) -> Advice:
    """What to do where the response is a list of texts."""
    maps = {"responses": key}
    return Advice(
        f"{_options(maps)} judges each of its texts",
        f"{_argument(maps)} judges each of its texts",
        "give each of its texts a dict or a row of its own",
        "give each of its texts an item of its own",
    )


def _options(keys: Mapping[str, str] | Sequence[tuple[str, str]]) -> str:
    pairs = keys.items() if isinstance(keys, Mapping) else keys
    return " ".join(f"--map {shlex.quote(f'{field}={key}')}" for field, key in pairs)


def _argument(keys: Mapping[str, str]) -> str:
    return f"mapping={json.dumps(dict(keys), ensure_ascii=False)}"


class LagerError(Exception):
    """A failure with its remedy.

    `message` says what was found and where; `advice` says what to do (may be empty).
    """

    def __init__(self, message: str, advice: str | Advice = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    @property
    def hint(self) -> str:
        """What to do, in the words of the door through which the user came in (see `Advice`); may be empty."""
        return str(self.advice)


class ModelFileError(LagerError):
    """A model file that is missing, damaged, incomplete or not a GGUF."""


class UnsupportedModelError(LagerError):
    """A sound GGUF that this version cannot judge with."""


class BackendError(LagerError):
    """llama.cpp failed, is missing, or is a version whose interface is not known."""


class PromptError(LagerError):
    """A rubric, template or scale that cannot be turned into a prompt."""


class DataError(LagerError):
    """Input rows that cannot be used."""


class FitError(LagerError):
    """Labelled data from which nothing can be fitted."""


class WeightsError(LagerError):
    """A weights file that is corrupt or belongs to something else."""


class OutputError(LagerError):
    """A file that cannot be written."""


class StoreError(LagerError):
    """The store cannot be opened, read or written."""


class MisuseError(LagerError):
    """Something open that was used after it was closed, in a forked process, or in the middle of another use."""


class LagerWarning(UserWarning):
    """Something that a user should know of, although the work goes on."""


class StoreWarning(LagerWarning):
    """The store cannot be written any more, or holds readings that this processor would compute a little differently."""


class KeyWarning(LagerWarning):
    """Keys of items given from Python that nothing was taken from, or that gave way to others."""


class JudgeWarning(LagerWarning):
    """Scores that mean little: of a model that was not made to judge, or all nearly the same."""


def error_to_json(error: LagerError) -> str:
    """An error as one line of JSON, for another process: its kind, message and hint."""
    advice = error.advice if isinstance(error.advice, str) else asdict(error.advice)
    return json.dumps({"kind": type(error).__name__, "message": error.message, "hint": advice})


def error_from_json(text: str) -> LagerError:
    """The error that `error_to_json` wrote; a kind that is not known here becomes a plain LagerError.

    Raises ValueError, KeyError or TypeError for any other text.
    """
    told = json.loads(text)
    kinds = {kind.__name__: kind for kind in _kinds(LagerError)}
    advice = told["hint"] if isinstance(told["hint"], str) else Advice(**told["hint"])
    return kinds.get(told["kind"], LagerError)(told["message"], advice)


def _kinds(kind: type[LagerError]) -> Iterator[type[LagerError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
