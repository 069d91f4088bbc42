"""Hidden states of given prompts as a NumPy file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..data import Row, open_rows
from ..errors import DataError
from ..judging import tokenize_prompt
from ..llama import Backbone
from ..prompts import ChatTemplate, Slot, lay_out
from ..records import Prompt, Segment
from ..system import check_not_read, write_beside


def prompts_of(text: str, encoding: str | None = None) -> list[str]:
    """The prompts meant by a command-line argument: a text, @FILE, or a .jsonl file of rows with
    `prompt`. encoding: of a .jsonl file, None for UTF-8. Raises DataError for files that cannot be read."""
    if text.endswith(".jsonl"):
        return [_prompt(row) for row in open_rows(text, encoding=encoding)]
    return [_read(Path(text[1:]))] if text.startswith("@") else [text]


def write_states(
    path: str | Path,
    backbone: Backbone,
    prompts: Sequence[str],
    chat: ChatTemplate | None = None,
    *,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> int:
    """Write the states of `prompts` to a .npz, complete or not at all; return how many.

    chat: put every prompt into this template as the user's message (untrusted). progress: told how many tokens are
    evaluated, and how many there are. Arrays as the command's help says. Raises DataError where there is no prompt, OutputError where the file cannot be written or is the model.
    """
    check_not_read(path, [backbone.path])
    if not prompts:
        raise DataError("there is no prompt", "give a text, @FILE or a .jsonl file")
    tokens = [tokenize_prompt(backbone, Prompt(_segments(p, chat), ""), ()).tokens for p in prompts]
    if any(len(t) == 0 for t in tokens):
        raise DataError("a prompt without any text has no states", "give a text")
    found = backbone.read_states([t.tolist() for t in tokens], progress=progress)
    arrays = {name: np.stack([getattr(s, name) for s in found]) for name in ("states", "final", "logits")}
    if len(found) == 1:
        arrays = {name: array[0] for name, array in arrays.items()}
    else:
        arrays["offsets"] = np.concatenate(([0], np.cumsum([len(t) for t in tokens])))
    arrays["tokens"] = np.concatenate(tokens)
    write_beside(path, lambda file: _save(file, arrays))
    return len(found)


def _save(file: IO[bytes], arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    # The stubs of NumPy know `allow_pickle` only, and not the names of arrays.
    save: Any = np.savez
    save(file, **arrays)


def _segments(text: str, chat: ChatTemplate | None) -> tuple[Segment, ...]:
    if chat is None:
        return (Segment(text, False),)
    parts = lay_out(chat, "", [Slot("text")]).parts
    return tuple(Segment(text, False) if isinstance(p, Slot) else Segment(p, True) for p in parts)


def _prompt(row: Row) -> str:
    prompt = row.values.get("prompt")
    if not isinstance(prompt, str):
        raise DataError(f"{row.where} has no text under `prompt`", 'write {"prompt": "..."} on every line')
    return prompt


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: byte {error.start}", "convert it to UTF-8") from error
