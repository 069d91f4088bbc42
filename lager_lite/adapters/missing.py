"""One line about a package that an adapter needs and that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import LagerError


@contextmanager
def needed(package: str, extra: str) -> Iterator[None]:
    """Say how `package` is installed where an import in the block fails. Raises LagerError then."""
    try:
        yield
    except ImportError as error:
        lacks = (error.name or "").partition(".")[0] == package
        found = f"{package} is not installed here" if lacks else f"{package} cannot be used: {error}"
        raise LagerError(found, f"pip install 'lager-lite[{extra}]'") from error
