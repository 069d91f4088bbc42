"""Apply unified diffs, exactly or not at all.

The source that is patched is pinned by its hash, so a hunk must fit exactly the lines that it names; it is not
looked for elsewhere. Patches may change and create files; anything else in a patch is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import BackendError

_HEADER = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_NO_NEWLINE = "\\"


class PatchError(BackendError):
    """A patch that is damaged, or that does not fit the source it is applied to."""


@dataclass(frozen=True)
class Hunk:
    """One hunk of a patch.

    - `header`: its header line, for messages.
    - `start`: the first line of the old file that it covers, counted from 0.
    - `old`: the lines before the change, with their line ends.
    - `new`: the lines after the change, with their line ends.
    """

    header: str
    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True)
class FileChange:
    """What a patch does to one file.

    - `path`: the file's path below the patched folder, with slashes.
    - `creates`: whether the patch creates the file, which then must not exist before.
    - `hunks`: the changes in the order of the file's lines; one for a new file.
    """

    path: str
    creates: bool
    hunks: tuple[Hunk, ...]


def apply_series(folder: Path, patches: Sequence[Path]) -> list[str]:
    """Apply patches below a folder, in the order given; return the paths that were changed.

    Raises PatchError, which names the patch, the file and the hunk, where a patch does not fit. The patches before
    that one have then been applied.
    """
    changed: list[str] = []
    for patch in patches:
        fresh = {}
        for change in parse_patch(patch.name, patch.read_text(encoding="utf-8")):
            fresh[change.path] = _changed(patch.name, change, folder)
        for path, text in fresh.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="")
        changed += [path for path in fresh if path not in changed]
    return changed


def parse_patch(name: str, text: str) -> list[FileChange]:
    """Return the changes of one patch; text before the first file is skipped. Raises PatchError where it is damaged."""
    lines = text.splitlines(keepends=True)
    changes: list[FileChange] = []
    i = 0
    while i < len(lines):
        if not lines[i].startswith("--- ") or i + 1 >= len(lines) or not lines[i + 1].startswith("+++ "):
            if changes and lines[i].strip():
                raise PatchError(f"{name}, line {i + 1}: expected a hunk or a file, found {lines[i].strip()!r}")
            i += 1
            continue
        creates, path = lines[i].split()[1] == "/dev/null", _path(name, lines[i + 1])
        i += 2
        hunks = []
        while i < len(lines) and lines[i].startswith("@@ "):
            hunk, i = _hunk(name, path, lines, i)
            hunks.append(hunk)
        if not hunks:
            raise PatchError(f"{name}: no hunk for {path}")
        changes.append(FileChange(path, creates, tuple(hunks)))
    if not changes:
        raise PatchError(f"{name} changes no file")
    return changes


def _path(name: str, line: str) -> str:
    path = PurePosixPath(line.split()[1])
    if len(path.parts) < 2 or path.is_absolute() or ".." in path.parts:
        raise PatchError(f"{name}: {line.strip()!r} names no file below the patched folder")
    return str(PurePosixPath(*path.parts[1:]))


def _hunk(name: str, path: str, lines: list[str], i: int) -> tuple[Hunk, int]:
    header = lines[i].strip()
    found = _HEADER.match(header)
    if not found:
        raise PatchError(f"{name}: {path}: {header!r} is no hunk header")
    first, n_old, _, n_new = (int(g) if g is not None else 1 for g in found.groups())
    old: list[str] = []
    new: list[str] = []
    i += 1
    while i < len(lines) and (len(old) < n_old or len(new) < n_new):
        kind, rest = lines[i][:1], lines[i][1:]
        if kind in " -":
            old.append(rest)
        if kind in " +":
            new.append(rest)
        if kind not in " -+":
            break
        i += 1
    if (len(old), len(new)) != (n_old, n_new):
        raise PatchError(f"{name}: {path}: hunk {header} is damaged: it has {len(old)} old and {len(new)} new lines")
    if i < len(lines) and lines[i].startswith(_NO_NEWLINE):
        raise PatchError(f"{name}: {path}: hunk {header} ends without a line end, which is not understood")
    return Hunk(header, first - 1 if n_old else first, tuple(old), tuple(new)), i


def _changed(name: str, change: FileChange, folder: Path) -> str:
    path = folder / change.path
    if change.creates == path.exists():
        state = "exists already" if change.creates else "is not there"
        raise PatchError(f"{name} does not apply: {change.path}: hunk {change.hunks[0].header}: the file {state}")
    lines = [] if change.creates else path.read_bytes().decode("utf-8").splitlines(keepends=True)
    done: list[str] = []
    at = 0
    for hunk in change.hunks:
        if hunk.start < at or tuple(lines[hunk.start : hunk.start + len(hunk.old)]) != hunk.old:
            raise PatchError(
                f"{name} does not apply: {change.path}: hunk {hunk.header}: {_difference(lines, hunk)}",
                "the source is not the one that the patches were made for",
            )
        done += lines[at : hunk.start] + list(hunk.new)
        at = hunk.start + len(hunk.old)
    return "".join(done + lines[at:])


def _difference(lines: list[str], hunk: Hunk) -> str:
    for number, wanted in enumerate(hunk.old, hunk.start):
        found = lines[number] if number < len(lines) else ""
        if found != wanted:
            return f"line {number + 1} is {found.strip()!r}, expected {wanted.strip()!r}"
    return "it lies before the end of the hunk above it"
