"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def write_beside(path: str | os.PathLike, write: Callable[[Any], T], *, text: bool = False) -> T:
    """Let `write` fill a file beside `path`, sync it, and rename it into place; return what `write` returns.

    A link keeps pointing to what is replaced, and the mode of a file that was there is kept. text:
    UTF-8 without translation of line ends, else bytes. Raises OSError; `path` is then as it was.
    """
    target = Path(path).resolve()
    handle, beside = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") if text else open(handle, "wb") as file:
            result = write(file)
            file.flush()
            os.fsync(file.fileno())
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        os.chmod(beside, mode)
        os.replace(beside, target)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return result


def _umask() -> int:
    mask = os.umask(0o077)  # there is no way to read it without setting it
    os.umask(mask)
    return mask
