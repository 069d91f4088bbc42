"""The files of unpacked copies: made once, told of, and deleted where no process reads them.

Beside every copy lies a small note with the path of the file that it was last read for. The note's time is that of the
last use, and a process that makes, loads or has loaded the copy holds a lock on it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from ..backbones import locate_model, open_model
from ..errors import Advice, BackendError, LagerError
from ..system import lock_file, or_nowhere, unpacked_folder
from .quantize import requantize

UNFINISHED = "unfinished"
_MAKING = ".making-"
_AS_FILE = Advice("--weights-as file reads the file as it is", 'unpack="off" reads the file as it is')


@dataclass(frozen=True)
class UnpackedCopy:
    """A copy in the cache.

    - `path`: the copy; the folder of what a killed process left of one.
    - `source`: the path of the file that it was last read for; "" where that is not known.
    - `kind`: "BF16", "F32", or UNFINISHED.
    - `bytes`: its size.
    - `used`: when it was last loaded, in seconds since 1970.
    - `in_use`: whether a running process makes it or has loaded it. Always False where the file system has no locks.
    """

    path: Path
    source: str
    kind: str
    bytes: int
    used: float
    in_use: bool

    def to_dict(self) -> dict[str, object]:
        """Return the copy as a dict for JSON."""
        return {**asdict(self), "path": str(self.path)}


def copy_place(path: Path, kind: str) -> Path:
    """Return where the copy of a file is or would be. Raises what `open_model` raises."""
    return or_nowhere(unpacked_folder) / f"{_stem(path)}.{kind}.gguf"


def hold_copy(path: Path, kind: str) -> tuple[Path, IO[str] | None]:
    """Return the path of a file's copy, and an open file that keeps others from deleting it until it is closed.

    The copy is made where it is missing or damaged; a second process waits for the first. None in the place of the open
    file: the copy is there, in a folder that cannot be written. Raises BackendError where it cannot be made, and the
    error of `unpacked_folder` for a user without a home.
    """
    place = unpacked_folder() / copy_place(path, kind).name
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        while True:
            held = lock_file(_note(place), shared=True)
            if _is_sound(place):
                _note_use(held, place, path)
                return place, held
            held.close()
            with lock_file(_note(place)):
                if not _is_sound(place):
                    _make(path, place, kind)
    except OSError as error:
        if _is_sound(place):
            return place, None
        raise BackendError(f"no copy of {path.name} in {kind} can be made for the GPU: {error}", _AS_FILE) from error


def list_copies() -> tuple[UnpackedCopy, ...]:
    """Return the copies in the cache, the one that was used last first, with what killed processes left of others."""
    folder = or_nowhere(unpacked_folder)
    found = [*folder.glob("*.gguf"), *folder.glob(f"*.gguf{_MAKING}*")]
    return tuple(sorted(filter(None, map(_described, found)), key=lambda copy: -copy.used))


def copies_of(model: str | Path) -> tuple[UnpackedCopy, ...]:
    """Return the copies of one model.

    model: what `-m` takes, the path of a file that is gone, or the path or name of a copy. Raises what `locate_model` and
    `open_model` raise.
    """
    found = list_copies()
    names = {str(model), os.path.abspath(model)}
    if named := tuple(copy for copy in found if names & {str(copy.path), copy.path.name, copy.source}):
        return named
    stem = _stem(locate_model(str(model)).path)
    return tuple(copy for copy in found if copy.path.name.startswith(f"{stem}."))


def delete_copies(copies: Iterable[UnpackedCopy]) -> list[tuple[UnpackedCopy, str]]:
    """Delete copies, and return each with the reason why it was kept; "" for one that is gone."""
    return [(copy, _delete(copy)) for copy in copies]


def _delete(copy: UnpackedCopy) -> str:
    note = _note(copy.path)
    try:
        with lock_file(note, wait=False):
            if copy.path.is_dir():
                shutil.rmtree(copy.path)
            else:
                copy.path.unlink(missing_ok=True)
            if not any(_of_note(note)):
                # Windows deletes no file that is open.
                with suppress(PermissionError):
                    note.unlink()
    except BlockingIOError:
        return "a running process reads it"
    except OSError as error:
        return str(error.strerror or error)
    if not any(_of_note(note)):
        with suppress(OSError):
            note.unlink()
    return ""


def _of_note(note: Path) -> Iterator[Path]:
    """The copy that a note is of, and what is left of others that were not finished."""
    yield from note.parent.glob(f"{note.stem}*.gguf*")


def _described(path: Path) -> UnpackedCopy | None:
    """What is known of a copy; None where it was deleted meanwhile."""
    note = _note(path)
    unfinished = _MAKING in path.name
    try:
        files = [file for file in path.iterdir() if file.is_file()] if unfinished else [path]
        size, used = sum(file.stat().st_size for file in files), path.stat().st_mtime
        kind = UNFINISHED if unfinished else path.name.split(".")[-2]
        if not note.exists():
            return UnpackedCopy(path, "", kind, size, used, False)
        source, used = note.read_text(encoding="utf-8"), note.stat().st_mtime
        return UnpackedCopy(path, source, kind, size, used, _is_held(note))
    except (OSError, UnicodeDecodeError):
        return None


def _is_held(note: Path) -> bool:
    try:
        lock_file(note, wait=False).close()
    except BlockingIOError:
        return True
    except OSError:  # of another user, who alone may write it
        return False
    return False


def _make(path: Path, place: Path, kind: str) -> None:
    """Write a copy, and remove what a killed process left of one; while the note is locked."""
    for left in place.parent.glob(f"{place.name}{_MAKING}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{place.name}{_MAKING}", dir=place.parent) as beside:
        os.replace(requantize(path, Path(beside) / place.name, kind), place)
    if not _is_sound(place):
        raise BackendError(f"the copy {place} was written and cannot be read", _AS_FILE)


def _note_use(held: IO[str], place: Path, path: Path) -> None:
    """Note for which file a copy is read, and when."""
    held.seek(0)
    source = os.path.abspath(path)
    if held.read() != source:
        held.truncate(0)
        held.write(source)
        held.flush()
    with suppress(OSError):
        os.utime(_note(place))


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name.partition('.gguf')[0]}.note")


def _stem(path: Path) -> str:
    info = open_model(path).info
    # A pruned file has the fingerprint of the whole model.
    return f"{info.fingerprint.partition(':')[2][:32]}-{info.n_blocks}"


def _is_sound(place: Path) -> bool:
    try:
        open_model(place)
    except LagerError:
        return False
    return True
