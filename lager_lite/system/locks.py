"""Locks on files, by which processes see that another one still uses what lies beside them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be deleted
    fcntl = None  # type: ignore[assignment]


def lock_file(path: Path, *, shared: bool = False, wait: bool = True) -> IO[str]:
    """Open a file, which is made where it is missing, and lock it for as long as it is open.

    - `shared`: whether others may hold such a lock, too.
    - `wait`: whether to wait for others who hold one; otherwise BlockingIOError is raised.

    Where the system or the file system has no such locks, the file is opened without one. Raises OSError where it
    cannot be opened.
    """
    while True:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115, the caller closes it
        try:
            _lock(file, shared, wait)
        except BlockingIOError:
            file.close()
            raise
        except OSError:
            return file
        # Who held it before may have deleted it.
        if _is_there(path, file):
            return file
        file.close()


def _lock(file: IO[str], shared: bool, wait: bool) -> None:
    if fcntl is not None:
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(file, how if wait else how | fcntl.LOCK_NB)


def _is_there(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except OSError:
        return False
