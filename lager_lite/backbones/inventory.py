"""Every GGUF model on this machine: what it is, whether it can judge, and the memory it will take."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import LagerError, ModelFileError
from ..system import copies_folder, or_nowhere
from .caches import Found, everything, gguf_files
from .catalog import read_catalog
from .checks import integer
from .locate import DEFAULT_PACKAGE, packaged
from .model_file import ModelFile, open_model

MEMORY_TOKENS = 4096
_BATCH = 512
_ROWS = 65


@dataclass(frozen=True)
class LocalModel:
    """One model on this machine.

    - `name`: what `-m` takes.
    - `source`: whose cache it is in, the package that carries it, or the folder that was asked for.
    - `path`: its first file, "" where there is none.
    - `size`: bytes of all parts.
    - `architecture`, `quantization`: "" where the file cannot be judged with.
    - `blocks`: L, 0 where the file cannot be judged with.
    - `context`: tokens that it was trained for, 0 where the file cannot be judged with.
    - `memory`: bytes, see `expected_memory`; 0 where the file cannot be judged with.
    - `judges`: whether it can be judged with.
    - `reason`: why not, "" where it can.
    """

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
        """A dictionary that json.dumps takes."""
        return asdict(self)


def list_models(folders: Sequence[str | Path] = ()) -> tuple[LocalModel, ...]:
    """All models in the caches of this machine and below `folders`, each file once, in that order.

    A file that is broken or cannot be judged with is listed with the reason. Raises ModelFileError for
    a folder that does not exist.
    """
    for folder in folders:
        if not Path(folder).is_dir():
            raise ModelFileError(f"{folder} is not a folder", "name a folder that holds .gguf files")
    models: list[LocalModel] = []
    seen: set[str] = set()
    for found in _all(folders):
        real = None if found.path is None else os.path.realpath(found.path)
        if real is not None:
            if real in seen:
                continue
            seen.add(real)
        models.append(_local_model(found))
    return tuple(models)


def expected_memory(file: ModelFile, tokens: int = MEMORY_TOKENS) -> int:
    """The bytes of memory that judging takes with prompts of up to `tokens` tokens.

    Counted are the weights, the KV cache in f16, the activations of a batch of 512 tokens and 65 rows of
    logits. What Python itself needs is not included.
    """
    info, head = file.info, file.header
    ask = f"{info.architecture}.attention."
    heads = _numbers(file, ask + "head_count") or [1]
    sharing = _numbers(file, ask + "head_count_kv") or heads
    width = info.n_embd // max(heads[0], 1)
    per_head = integer(head, ask + "key_length", width) + integer(head, ask + "value_length", width)
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
    for file in gguf_files(or_nowhere(copies_folder)):
        yield Found(str(file), file, "lager-lite")
    for folder in folders:
        for file in gguf_files(Path(folder), depth=6):
            yield Found(str(file), file, str(folder))


def _local_model(found: Found) -> LocalModel:
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
        name=found.name,
        source=found.source,
        path=str(found.path),
        size=info.size_bytes,
        architecture=info.architecture,
        quantization=info.quantization,
        blocks=info.n_blocks,
        context=info.n_ctx_train,
        memory=memory,
        judges=True,
        reason="",
    )


def _refused(found: Found, reason: str) -> LocalModel:
    size = found.path.stat().st_size if found.path is not None and found.path.is_file() else 0
    return LocalModel(found.name, found.source, str(found.path or ""), size, "", "", 0, 0, 0, False, reason)


def _numbers(file: ModelFile, key: str) -> list[int]:
    """A setting that is one number, or one per block."""
    value = file.header.get(key)
    found = file.header.array(key) if value is None else (value,)
    return [int(v) for v in found]
