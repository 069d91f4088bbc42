"""Files that appear complete or not at all."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, TypeVar

from ..errors import OutputError

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be deleted
    fcntl = None  # type: ignore[assignment]

_T = TypeVar("_T")
_ELSEWHERE = "choose another place"
_DATABASE = b"SQLite format 3\0"
# A file on disk: its device and its number there, which links share.
Identity = tuple[int, int]


def write_beside(path: str | os.PathLike[str], write: Callable[[Any], _T], *, text: bool = False) -> _T:
    """Let `write` fill a file beside `path`, sync it, and rename it into place; return what `write` returns.

    A link keeps pointing to what is replaced, and the mode of a file that was there is kept. What a
    killed process left beside is removed. A pipe or a device, such as /dev/null, is written to directly. A file that is
    a database or a model is not overwritten.
    text: UTF-8 without translation of line ends, else bytes. Raises OutputError; a file is then as it was.
    """
    target = Path(path).resolve()
    try:
        if target.is_dir():
            raise OutputError(f"{path}: is a folder, expected a file to write", _ELSEWHERE)
        if target.exists() and not target.is_file():
            with _opened(target, text) as file:
                return write(file)
        _check_plain(path, target)
        return _replaced(target, write, text)
    except OSError as error:
        raise OutputError(f"{path}: cannot write: {error.strerror or error}", _ELSEWHERE) from error


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise what `write_beside` would raise for a folder that is missing or cannot be written. Nothing is left there."""
    target = Path(path).resolve()
    try:
        if target.is_dir():
            raise OutputError(f"{path}: is a folder, expected a file to write", _ELSEWHERE)
        if not target.exists() or target.is_file():
            _check_plain(path, target)
            tempfile.TemporaryFile(prefix=f".{target.name}.", dir=target.parent).close()
    except OSError as error:
        raise OutputError(f"{path}: cannot write: {error.strerror or error}", _ELSEWHERE) from error


def _check_plain(path: str | os.PathLike[str], target: Path) -> None:
    """Raise OutputError for a file that is a database, as the store, or a model: nothing that we write is one."""
    if not target.exists():
        return
    with open(target, "rb") as file:
        begin = file.read(len(_DATABASE))
    if begin == _DATABASE or Path(f"{target}-wal").exists():
        raise OutputError(f"{path}: is a database, as the store is, and is not overwritten", "name another file")
    if begin.startswith(b"GGUF"):
        raise OutputError(f"{path}: is a model file, and is not overwritten", "name another file")


def file_identity(path: str | os.PathLike[str]) -> Identity | None:
    """The identity of a regular file, which all links to it share. None: there is no such file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # a text is no path where it is too long or holds a NUL
        return None
    return (found.st_dev, found.st_ino) if os.path.isfile(path) else None


def check_not_read(output: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Raise OutputError where an output is one of the files that the same call reads, through a link or not."""
    mine = file_identity(output)
    for path in inputs if mine is not None else ():
        if file_identity(path) == mine:
            raise OutputError(f"{output}: would overwrite {path}, which is read", "name another file")


def _replaced(target: Path, write: Callable[[Any], _T], text: bool) -> _T:
    _sweep(target)
    handle, beside = _begin(target)
    try:
        with _opened(handle, text) as file:
            result = write(file)
            file.flush()
            os.fsync(file.fileno())
            as_usual(beside, target)
            if fcntl is not None:
                os.replace(beside, target)  # while it is locked
        if fcntl is None:
            os.replace(beside, target)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return result


def _opened(file: Path | int, text: bool) -> IO[Any]:
    return open(file, "w", encoding="utf-8", newline="") if text else open(file, "wb")


def as_usual(beside: str | os.PathLike[str], target: Path) -> None:
    """Give a temporary file the mode of the file it will replace, or of a new one."""
    os.chmod(beside, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())


def _begin(target: Path) -> tuple[int, str]:
    """A new file beside, locked for as long as it is open: so others see that its writer lives."""
    while True:
        handle, beside = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        try:
            _lock(handle)
        except BlockingIOError:
            pass  # just being swept away
        except OSError:
            return handle, beside  # a file system without locks, where nothing is swept either
        if os.path.exists(beside):
            return handle, beside
        os.close(handle)


def _sweep(target: Path) -> None:
    for found in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        try:
            with open(found, "rb+") as file:
                _lock(file.fileno())
                if fcntl is not None:
                    found.unlink()
            if fcntl is None:
                found.unlink()
        except OSError:
            pass  # in use, gone already, or not ours


def _lock(handle: int) -> None:
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _umask() -> int:
    mask = os.umask(0o077)  # there is no way to read it without setting it
    os.umask(mask)
    return mask
