"""What commands write: one check of all their output files, before anything runs.

An output that is an input of the same call, through a link or not, would destroy what the user brought. A suffix that
the program does not write would put one format into a file named for another. A folder that is missing or cannot be
written would be noticed only after the work. A command takes part by giving its options the type `OutputFile`.
"""

from __future__ import annotations

import itertools
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ..errors import LagerError
from ..system import Identity, check_writable, file_identity, store_path

STDOUT = "-"
ROW_FILES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
_READ = (click.types.StringParamType, click.Path)
_ENVIRONMENT = ("LAGER_LITE_MODEL", "LAGER_LITE_CONFIG")


class OutputFile(click.Path):
    """The type of an option whose value is a file that the command writes.

    - `suffixes`: the suffixes that it can write; a file without a suffix is always allowed. None: the command checks
      suffix and folder in words of its own.
    - `unnamed`: from the parameters of a call without the option, the file that is written all the same. None: then
      nothing is written.
    - `stdout`: whether "-" stands for stdout.
    """

    def __init__(
        self,
        suffixes: Sequence[str] | None,
        *,
        unnamed: Callable[[Mapping[str, Any]], str | None] | None = None,
        stdout: bool = False,
    ) -> None:
        super().__init__(dir_okay=False, allow_dash=stdout)
        self.suffixes, self.unnamed = suffixes, unnamed

    def check_suffix(self, option: str, path: str) -> None:
        """Raise click.UsageError where the command cannot write a file of this name."""
        if self.suffixes is None or _is_special(path):
            return
        if path == STDOUT:
            if not self.allow_dash:
                raise click.UsageError(f"{option} cannot write to stdout: name a file")
            return
        suffix = Path(path).suffix.lower()
        if suffix and suffix not in self.suffixes:
            raise click.UsageError(f"{option} {path}: cannot write {suffix} files, only {', '.join(self.suffixes)}")


class NamedFile(click.types.StringParamType):
    """The type of an option that names a file, by its path or otherwise.

    find: from the value, None without the option, to the paths of the file's parts; may raise LagerError.
    """

    def __init__(self, find: Callable[[str | None], Sequence[Path]]) -> None:
        super().__init__()
        self.find = find


def check_outputs(command: click.Command, params: Mapping[str, Any]) -> None:
    """Refuse outputs of a call that are inputs, or each other, or that cannot be written.

    params: the values of the call by the names of its parameters. Raises click.UsageError, and OutputError where the
    folder of an output is missing or cannot be written.
    """
    outputs = list(_outputs(command, params))
    printed = _stream(sys.stdout)
    read = list(_inputs(command, params)) if printed or any(file_identity(path) for _, path, _ in outputs) else []
    for role, other in read:
        if printed is not None and printed == other:
            raise click.UsageError(f"stdout is redirected into what is given as {role}: redirect it to another file")
    for name, path, type_ in outputs:
        mine = file_identity(path)
        for role, other in read:
            if mine is not None and mine == other:
                raise click.UsageError(f"{name} {path} would overwrite what is given as {role}: name another file")
        type_.check_suffix(name, path)
    for (name, path, _), (other_name, other_path, _) in itertools.combinations(outputs, 2):
        if path == other_path == STDOUT:
            raise click.UsageError(f"{name} and {other_name} both write to stdout: give one of them a file")
        if STDOUT not in (path, other_path) and not _is_special(path) and _is_same(path, other_path):
            raise click.UsageError(f"{name} and {other_name} both write to {path}: name two files")
        if os.path.realpath(path).casefold() == os.path.realpath(other_path).casefold() and STDOUT not in (
            path,
            other_path,
        ):
            raise click.UsageError(
                f"{name} {path} and {other_name} {other_path} differ only in capitals, which many disks do not tell "
                "apart: name two files"
            )
    for _, path, type_ in outputs:
        if type_.suffixes is not None and path != STDOUT:
            check_writable(path)


def store_of(params: Mapping[str, Any]) -> str | None:
    """The store that a call without --store uses, None where it uses none."""
    if params.get("no_store"):
        return None
    try:
        return str(store_path())
    except LagerError:
        return None  # without a home folder, said where the store is opened


def _outputs(command: click.Command, params: Mapping[str, Any]) -> Iterator[tuple[str, str, OutputFile]]:
    """Every output of a call: its option, its path and its type."""
    for parameter in command.params:
        if isinstance(parameter.type, OutputFile):
            value = params.get(str(parameter.name))
            if value is None and parameter.type.unnamed is not None:
                value = parameter.type.unnamed(params)
            if value is not None:
                yield parameter.opts[0], str(value), parameter.type


def _inputs(command: click.Command, params: Mapping[str, Any]) -> Iterator[tuple[str, Identity | None]]:
    """Every file that a call may read: what gives it, and the file's identity.

    Any text that names a file counts: rubrics and models are given by name or by file.
    """
    for parameter in command.params:
        if not isinstance(parameter.type, OutputFile) and isinstance(parameter.type, _READ):
            named = isinstance(parameter, click.Argument)
            role = parameter.human_readable_name.strip("[].") if named else parameter.opts[0]
            value = params.get(str(parameter.name))
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(parameter.type, NamedFile):
                    with suppress(LagerError):  # what is missing is said where it is needed
                        yield from ((role, file_identity(str(path))) for path in parameter.type.find(text))
                elif text is not None:
                    yield role, _stream(sys.stdin) if text == STDOUT else file_identity(str(text).removeprefix("@"))
    for variable in _ENVIRONMENT:
        yield variable, file_identity(os.environ.get(variable, ""))


def _stream(stream: Any) -> Identity | None:
    """The file that stdin or stdout is redirected from or to, None where it is none."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _is_special(path: str) -> bool:
    """Whether a path is a pipe or a device, such as /dev/null."""
    return os.path.exists(path) and not os.path.isfile(path)


def _is_same(path: str, other: str) -> bool:
    mine = file_identity(path)
    return os.path.realpath(path) == os.path.realpath(other) or (mine is not None and mine == file_identity(other))
