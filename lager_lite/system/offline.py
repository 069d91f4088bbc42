"""Offline as a promise: while it holds, this process opens no connection to any other machine.

Python announces every use of a socket to audit hooks before it happens; ours refuses. A hook cannot
be taken away again, so one is set once and asks how many `refusing()` blocks are open. Compiled code
does not pass by here: the tests run the commands in a network namespace without interfaces too.

A server must listen. `only_listening()` lets it, and still refuses what would reach another machine first.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import LagerError

# -1 means that an open file descriptor is wrapped, whose family is read later; then `connect` and the others ask again.
_LOCAL_FAMILIES = frozenset({-1, getattr(socket, "AF_UNIX", -1)})
_WITH_SOCKET = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"})
_LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"})
_REACHING = _WITH_SOCKET - {"socket.bind"}
_OPENING = "socket.__new__"
_lock = threading.Lock()
_open_blocks = _listening_blocks = 0
_hooked = False


class OfflineError(LagerError):
    """Something tried to reach the network while this was promised not to happen."""


@contextmanager
def refusing(active: bool = True) -> Iterator[None]:
    """Refuse every socket but local ones (AF_UNIX) in this process until the block ends.

    active False does nothing, for `--online`. What tries all the same gets an OfflineError.
    """
    if not active:
        yield
        return
    _change(1)
    try:
        yield
    finally:
        _change(-1)


@contextmanager
def only_listening() -> Iterator[None]:
    """Refuse until the block ends whatever begins a connection, and every look-up of a name, in this process.

    Listening on a numeric address and answering who connects is allowed. What tries more gets an OfflineError.
    """
    _change(0, listening=1)
    try:
        yield
    finally:
        _change(0, listening=-1)


def is_refusing() -> bool:
    """Whether network sockets are refused now: compiled code must ask, since no hook sees it."""
    return _open_blocks > 0


def _change(by: int, *, listening: int = 0) -> None:
    global _open_blocks, _listening_blocks, _hooked
    with _lock:
        _open_blocks += by
        _listening_blocks += listening
        if not _hooked:
            sys.addaudithook(_audit)
            _hooked = True


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not (_open_blocks or _listening_blocks) or not event.startswith("socket."):
        return
    if event in _LOOKUPS:
        raise _refusal(f"look up {arguments[0]!r}")
    if event == _OPENING and _open_blocks and arguments[1] not in _LOCAL_FAMILIES:
        raise _refusal("open a network socket")
    if event in (_WITH_SOCKET if _open_blocks else _REACHING) and arguments[0].family not in _LOCAL_FAMILIES:
        raise _refusal(f"use a network socket ({event.partition('.')[2]} {arguments[1]!r})")


def _refusal(what: str) -> OfflineError:
    hint = "give --online if that is wanted" if _open_blocks else "a server answers, and connects to nobody"
    return OfflineError(f"offline: something tried to {what}", hint)
