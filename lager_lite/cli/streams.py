"""Stdout and stderr of the program: UTF-8 whatever the locale says, and harmless on a terminal.

Text of users may hold characters that a terminal obeys or hides: escape sequences that clear the screen or rewrite
what was printed, a bell, signs that turn the direction of writing around so that a text reads as another one. On a
terminal these are shown as \\uXXXX, which inside JSON means the same; a file or a pipe gets them as they are.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

QUIET = "lager_lite.quiet"
"""The key of click's `Context.meta` under which --quiet is kept."""

BROKEN_PIPE = 141
"""The exit code where the reader of stdout ends before the program: 128 and the number of SIGPIPE, as in shells."""

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}

# The controls of C0 but tab and line feed, DEL, the controls of C1, signs of direction, separators of lines and
# paragraphs, and the invisible tag characters.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]", re.UNICODE
)


def visible(text: str) -> str:
    """Return a text with every character that a terminal obeys or hides written as \\uXXXX (UTF-16, as in JSON)."""
    return _OBEYED.sub(lambda found: _escaped(found.group()), text)


class Terminal:
    """A terminal to which only `visible` text is written; otherwise the stream that it wraps.

    `raw` is that stream, for what moves the cursor on purpose, such as a progress bar.
    """

    # Click would write to the buffer of a Windows console, past this class.
    buffer = None

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        self.raw.write(visible(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def prepare_streams() -> None:
    """Make stdout and stderr UTF-8, and a Terminal where they are one.

    What is no text at all, such as the bytes of a file name that is not UTF-8, is written as escapes.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
            if stream.isatty():
                setattr(sys, name, Terminal(stream))


@contextmanager
def stdout_watched() -> Iterator[None]:
    """End the program in words where stdout takes no more, for instance on a full disk, and where its reader has ended
    with the exit code of a program that SIGPIPE ends."""
    own = sys.stdout
    try:
        yield
    except SystemExit:
        if sys.stdout is not own:  # click's answer to a pipe without a reader, with exit code 1
            raise SystemExit(BROKEN_PIPE) from None
        raise
    except OSError as error:
        # Errors of files have names, or were put into words where they arose.
        if error.filename is not None or error.errno not in _NO_ROOM:
            raise
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)  # Python flushes once more at its end
        os.close(null)
        click.echo(f"Error: stdout: cannot write: {error.strerror}\nTry: write to a file on another disk", err=True)
        raise SystemExit(1) from None


def is_quiet() -> bool:
    """Whether the running command was asked for its result and errors only."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def raw_stderr() -> TextIO:
    """Stderr for what moves the cursor on purpose."""
    return sys.stderr.raw if isinstance(sys.stderr, Terminal) else sys.stderr


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
