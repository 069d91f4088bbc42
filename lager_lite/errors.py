"""Errors that a user can act on: what was found, and what to do next.

The command line prints a `LagerError` as two lines (`Error: ...`, `Try: ...`) and exits with
code 1. Anything else that is raised is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

NOT_INSTALLED = "llama.cpp is not installed in this environment yet"
BUILD_HINT = "lager-lite backend build   (once; it compiles llama.cpp in a few minutes)"
"""The one line that brings a library."""


class LagerError(Exception):
    """A failure with its remedy.

    `message` says what was found and where; `hint` says what to do (may be empty).
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


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
    """The store cannot be written any more, so the run goes on without it."""


class KeyWarning(LagerWarning):
    """Keys of items given from Python that nothing was taken from, or that gave way to others."""


class JudgeWarning(LagerWarning):
    """Scores that mean little: of a model that was not made to judge, or all nearly the same."""


def error_to_json(error: LagerError) -> str:
    """An error as one line of JSON, for another process: its kind, message and hint."""
    return json.dumps({"kind": type(error).__name__, "message": error.message, "hint": error.hint})


def error_from_json(text: str) -> LagerError:
    """The error that `error_to_json` wrote; a kind that is not known here becomes a plain LagerError.

    Raises ValueError, KeyError or TypeError for any other text.
    """
    told = json.loads(text)
    kinds = {kind.__name__: kind for kind in _kinds(LagerError)}
    return kinds.get(told["kind"], LagerError)(told["message"], told["hint"])


def _kinds(kind: type[LagerError]) -> Iterator[type[LagerError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
