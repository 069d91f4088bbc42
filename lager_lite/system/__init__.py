"""This machine: where files live, how they are written, and how a process is stopped.

Outputs are written beside their place and renamed, so that they are complete or absent. Signals are held
back while a batch is stored. `offline` refuses sockets unless the user asks for the network.
"""

from __future__ import annotations

from .files import Identity, as_usual, check_not_read, check_writable, file_identity, write_beside
from .interrupts import Interrupted, signal_waits, signals_deferred, signals_held, watching
from .locks import lock_file
from .offline import is_refusing, only_listening, refusing
from .paths import (
    builds_folder,
    cache_base,
    copies_folder,
    loaded_folder,
    or_nowhere,
    settings_base,
    shipped_folder,
    speeds_folder,
    store_path,
    token_path,
    unpacked_folder,
)

__all__ = [
    "Identity",
    "Interrupted",
    "as_usual",
    "builds_folder",
    "cache_base",
    "check_not_read",
    "check_writable",
    "copies_folder",
    "file_identity",
    "loaded_folder",
    "lock_file",
    "or_nowhere",
    "shipped_folder",
    "speeds_folder",
    "store_path",
    "signal_waits",
    "signals_deferred",
    "signals_held",
    "is_refusing",
    "only_listening",
    "refusing",
    "settings_base",
    "token_path",
    "unpacked_folder",
    "watching",
    "write_beside",
]
