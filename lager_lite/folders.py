"""The user's folders for caches and settings, as each system has them; nothing else names them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .errors import LagerError


def cache_base() -> Path:
    """Where programs keep what can be made again: LOCALAPPDATA, ~/Library/Caches, XDG_CACHE_HOME or ~/.cache."""
    if sys.platform == "win32":
        return _named("LOCALAPPDATA") or home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return home() / "Library" / "Caches"
    return _named("XDG_CACHE_HOME") or home() / ".cache"


def settings_base() -> Path:
    """Where programs keep settings: APPDATA, ~/Library/Application Support, XDG_CONFIG_HOME or ~/.config."""
    if sys.platform == "win32":
        return _named("APPDATA") or home() / "AppData" / "Roaming"
    if sys.platform == "darwin":
        return home() / "Library" / "Application Support"
    return _named("XDG_CONFIG_HOME") or home() / ".config"


def home() -> Path:
    """The user's home folder. Raises LagerError where the system knows none, as in some containers."""
    try:
        return Path.home()
    except RuntimeError:
        raise LagerError("this user has no home folder", "set HOME, or LAGER_LITE_STORE for the store alone") from None


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
