"""Where files live on this machine: the user's folders, and what lager_lite keeps in them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from ..errors import LagerError

PROGRAM = "lager-lite"


def cache_base(program: str = PROGRAM) -> Path:
    """Where a program keeps what can be made again: below LOCALAPPDATA, ~/Library/Caches, XDG_CACHE_HOME or ~/.cache.

    Raises LagerError where the user has no home folder.
    """
    return _known(lambda: platformdirs.user_cache_path(program, appauthor=False, opinion=False))


def settings_base(program: str = PROGRAM) -> Path:
    """Where a program keeps settings: below APPDATA, ~/Library/Application Support, XDG_CONFIG_HOME or ~/.config.

    Raises LagerError where the user has no home folder.
    """
    return _known(lambda: platformdirs.user_config_path(program, appauthor=False, roaming=True))


def store_path() -> Path:
    """The store of readings: `LAGER_LITE_STORE`, or a file in the user's cache folder."""
    named = os.environ.get("LAGER_LITE_STORE")
    return Path(named) if named else cache_base() / "readings.sqlite"


def token_path() -> Path:
    """Where the token of `serve` is kept, for its user alone."""
    return settings_base() / "serve.token"


def copies_folder() -> Path:
    """Where re-quantized copies of models are kept."""
    return cache_base() / "models"


def unpacked_folder() -> Path:
    """Where copies of quantized models are kept that GPUs read in place of the files."""
    return cache_base() / "unpacked"


def builds_folder() -> Path:
    """Where wheels of llama-cpp-python that were built here are kept, so that no environment builds one twice."""
    return cache_base() / "builds"


def loaded_folder() -> Path:
    """Where the guard remembers the files that llama.cpp has loaded: one small file for each."""
    return cache_base() / "loaded"


def speeds_folder() -> Path:
    """Where it is kept which way of computing is the fastest on this machine: one small file for each kind of model."""
    return cache_base() / "speeds"


def or_nowhere(folder: Callable[[], Path]) -> Path:
    """Return what `folder` returns, to look into; for a user without a home, a place where nothing is or can be."""
    try:
        return folder()
    except (LagerError, RuntimeError):  # pathlib raises the latter
        return Path(os.devnull, "nowhere")


def shipped_folder() -> Path | None:
    """The folder of the catalog and the shipped weights: of an installed package, or of a checkout."""
    spec = importlib.util.find_spec("lager_lite.models")
    places = [Path(p) for p in spec.submodule_search_locations or []] if spec else []
    places.append(Path(__file__).resolve().parents[2] / "models")
    return next((p for p in places if (p / "catalog.toml").is_file()), None)


def _known(folder: Callable[[], Path]) -> Path:
    # Where the system knows no home folder, newer releases of platformdirs raise; older ones leave "~" as it is, which
    # would become a folder of that name.
    try:
        path = folder()
    except RuntimeError:
        path = Path("~")
    if path.parts[:1] == ("~",):
        raise LagerError("this user has no home folder", "set HOME, or LAGER_LITE_STORE for the store alone")
    return path
