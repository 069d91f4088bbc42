"""Every GGUF model on this machine: what it is, whether it can judge, and the memory it will take."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import LagerError, ModelFileError
from ..system import copies_folder
from .caches import Found, everything, gguf_files
from .catalog import read_catalog
from .locate import DEFAULT_PACKAGE, packaged
from .model_file import ModelFile, open_model

MEMORY_TOKENS = 4096
_BATCH = 512
_ROWS = 65


@dataclass(frozen=True)
class LocalModel:
    """One model. name: what `-m` takes; size: bytes of all parts; blocks, context (tokens trained
    for), memory (bytes, see `expected_memory`): 0 where the file cannot be read; judges: whether it
    can; reason: why not, "" where it can."""

    name: str
    source: str
    path: str
    size: int
    architecture: str
    quantization: str
    blocks: int
    context: int
    memory: int
    judges: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """As a JSON dictionary."""
        return asdict(self)


def list_models(folders: Sequence[str | Path] = ()) -> tuple[LocalModel, ...]:
    """All models in the caches of this machine and below `folders`, each file once, in that order.

    A file that is broken or cannot judge is a row with its reason. Raises ModelFileError for a
    folder that is none.
    """
    for folder in folders:
        if not Path(folder).is_dir():
            raise ModelFileError(f"{folder} is not a folder", "name a folder that holds .gguf files")
    rows, seen = [], set()
    for found in _all(folders):
        real = None if found.path is None else os.path.realpath(found.path)
        if real is not None and real in seen:
            continue
        seen.add(real)
        rows.append(_row(found))
    return tuple(rows)


def expected_memory(file: ModelFile, tokens: int = MEMORY_TOKENS) -> int:
    """Bytes that judging prompts of up to `tokens` takes: weights, KV cache in f16, activations of a
    batch of 512 tokens and 65 rows of logits. What Python itself needs is not in it."""
    info, head = file.info, file.header
    ask = f"{info.architecture}.attention."
    heads = _numbers(file, ask + "head_count") or [1]
    sharing = _numbers(file, ask + "head_count_kv") or heads
    width = info.n_embd // max(heads[0], 1)
    per_head = int(head.get(ask + "key_length", width)) + int(head.get(ask + "value_length", width))  # type: ignore[call-overload]
    blocks = sharing if len(sharing) > 1 else sharing * info.n_blocks
    cache = 2 * per_head * sum(blocks) * (tokens + _BATCH)
    inner = max(_numbers(file, f"{info.architecture}.feed_forward_length") or [4 * info.n_embd])
    activations = 4 * _BATCH * (4 * info.n_embd + 2 * inner)
    return info.size_bytes + cache + activations + 4 * _ROWS * info.n_vocab


def _all(folders: Iterable[str | Path]) -> Iterator[Found]:
    for entry in read_catalog().values():
        path = packaged(entry.package.replace("-", "_")) if entry.package else None
        if path is not None:
            default = entry.package.replace("-", "_") == DEFAULT_PACKAGE
            yield Found(entry.name, path, "package" + (", default" if default else ""))
    named = os.environ.get("LAGER_LITE_MODEL")
    if named and Path(named).is_file():
        yield Found(named, Path(named), "LAGER_LITE_MODEL")
    yield from everything()
    for file in gguf_files(copies_folder()):
        yield Found(str(file), file, "lager-lite")
    for folder in folders:
        for file in gguf_files(Path(folder), depth=6):
            yield Found(str(file), file, str(folder))


def _row(found: Found) -> LocalModel:
    if found.path is None or found.problem:
        return _refused(found, found.problem)
    try:
        file = open_model(found.path)
        info, memory = file.info, expected_memory(file)
    except LagerError as error:
        return _refused(found, error.message.replace(f"{found.path} ", "", 1))
    except (TypeError, ValueError, OverflowError) as error:
        return _refused(found, f"damaged: {error}")
    return LocalModel(
        found.name,
        found.source,
        str(found.path),
        info.size_bytes,
        info.architecture,
        info.quantization,
        info.n_blocks,
        info.n_ctx_train,
        memory,
        True,
        "",
    )


def _refused(found: Found, reason: str) -> LocalModel:
    size = found.path.stat().st_size if found.path is not None and found.path.is_file() else 0
    return LocalModel(found.name, found.source, str(found.path or ""), size, "", "", 0, 0, 0, False, reason)


def _numbers(file: ModelFile, key: str) -> list[int]:
    """A setting that is one number, or one per block."""
    value = file.header.get(key)
    found = file.header.array(key) if value is None else (value,)
    return [int(v) for v in found]
