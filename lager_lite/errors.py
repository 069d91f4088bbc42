"""Errors that a user can act on: what was found, and what to do next.

The command line prints a `LagerError` as two lines (`Error: ...`, `Try: ...`) and exits with
code 1. Anything else that is raised is a bug of ours and keeps its traceback.
"""

from __future__ import annotations


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


class StoreError(LagerError):
    """The store cannot be opened, read or written."""
