"""What a command that was stopped by a signal leaves behind, in words."""

from __future__ import annotations

import click

SERVED = "What was evaluated is in the store, and is not evaluated again when somebody asks for it."
"""What a command says that answers other programs."""

_KEY, _STORELESS = "lager_lite.kept", "lager_lite.storeless"
_STORED = "What is in the store is kept, and the same command resumes where this one stopped."
_NOTHING = "What was evaluated is not kept, since there is no store."
_FILES = "Output files are complete or absent."


def kept_when_stopped(text: str) -> None:
    """Say this where the command in use is stopped, in the place of what `kept` says of its options."""
    click.get_current_context().meta[_KEY] = text


def nothing_is_stored() -> None:
    """Say this where the command in use has no store."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_STORELESS] = True


def kept(context: click.Context, command: click.Command | None) -> str:
    """What is left behind, in sentences; context: of the program. command: the one that was stopped, where it is known."""
    storeless = context.meta.get(_STORELESS, False)
    if _KEY in context.meta:
        return _NOTHING if storeless else str(context.meta[_KEY])
    names = {parameter.name for parameter in command.params} if command is not None else set()
    return " ".join([*([_STORED] if "store_path" in names and not storeless else []), _FILES])
