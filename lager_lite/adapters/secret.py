"""The bearer token of the server: who does not have it is answered nothing."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import LagerError
from ..system import token_path

TOKEN_VARIABLE = "LAGER_LITE_TOKEN"
_FORM = re.compile(r"[\x21-\x7e]{16,512}")


@dataclass(frozen=True)
class Token:
    """The token of a server.

    - `text`: the token.
    - `path`: the file that keeps it; None where the environment gave it.
    - `new`: whether it was made just now.
    """

    text: str
    path: Path | None
    new: bool

    def fits(self, header: str | None) -> bool:
        """Whether an `Authorization` header names the token; takes as long for a wrong one as for the right one."""
        scheme, _, given = (header or "").strip().partition(" ")
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self.text.encode())
        return scheme.lower() == "bearer" and same


def find_token(path: str | Path | None = None) -> Token:
    """Return the token of LAGER_LITE_TOKEN, else that of a file, which is made with a new token where there is none.

    path: the file; None: one in the user's settings folder. The environment is not asked where a file is named.

    Raises LagerError for a token that is too short or has blanks in it, and for a file that others may read or that
    cannot be read or written.
    """
    given = os.environ.get(TOKEN_VARIABLE) if path is None else None
    if given is not None:
        return Token(_checked(given, TOKEN_VARIABLE), None, False)
    file = Path(path) if path is not None else token_path()
    try:
        if not file.exists():
            with suppress(FileExistsError):  # another server made it meanwhile
                return _made(file)
        return _read(file)
    except OSError as error:
        raise LagerError(
            f"{file}: cannot keep the token there: {error.strerror}", "name another file for the token"
        ) from None


def _read(file: Path) -> Token:
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        raise LagerError(f"{file}: is no regular file, expected one that holds the token", "name another file")
    if os.name == "posix" and found.st_mode & 0o077:
        raise LagerError(f"{file}: others may read the token in it", f"chmod 600 {file}")
    try:
        text = file.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        text = ""
    return Token(_checked(text, str(file)), file, False)


def _made(file: Path) -> Token:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = secrets.token_urlsafe(32)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as opened:
        opened.write(text + "\n")
    return Token(text, file, True)


def _checked(text: str, where: str) -> str:
    if not _FORM.fullmatch(text):
        raise LagerError(
            f"{where}: a token has 16 to 512 letters, digits or signs, without blanks; this has {len(text)} characters",
            "delete the file, and a new token is made"
            if where != TOKEN_VARIABLE
            else "for instance: openssl rand -hex 32",
        )
    return text
