"""Write a copy of a model that holds only its first blocks.

Where weights need no state above k, the judge never runs blocks k+1 to L, and a file without them is
smaller on disk and in memory. The copy still keeps block k+1, and the judge stops before it: llama.cpp
computes a model's last block for the output rows only and with other kernels than the blocks before it, so that
the last block's state would differ in its last bits. Tensors are copied bit by bit. The copy's metadata name
the model that it was cut from, so that weights and stored readings of that model stay valid for it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from gguf import GGUFValueType, GGUFWriter

from ..backbones import (
    PRUNED_BLOCKS,
    PRUNED_FINGERPRINT,
    PRUNED_OWN,
    ModelFile,
    TensorInfo,
    fingerprint,
    open_model,
    read_header,
)
from ..errors import Advice, BackendError, ModelFileError, UnsupportedModelError
from ..llama import Backbone, BackendOptions
from ..scoring import WeightsFile, check_weights
from ..system import as_usual, check_not_read

_BLOCK = re.compile(r"^blk\.(\d+)\.")
_LEFT_OUT = ("split.", "general.architecture", "lager_lite.pruned.")
_UNKNOWN = "sha256:" + 64 * "0"


def prune(model: str | Path, target: str | Path, max_state: int) -> Path:
    """Write the part of a model that gives states 0..max_state to `target`, complete or not at all; return its path.

    Blocks 1 to max_state + 1, the embeddings, the output norm and the output matrix are kept. Raises
    ModelFileError where a file cannot be read or written, UnsupportedModelError where there is nothing to cut,
    OutputError where `target` is the model itself, and ValueError for a negative state.
    """
    source, target = open_model(model), Path(target)
    info = source.info
    check_not_read(target, info.paths)
    if max_state < 0:
        raise ValueError(f"max_state must be at least 0, got {max_state}")
    blocks = max_state + 1
    if blocks >= info.n_blocks:
        raise UnsupportedModelError(
            f"nothing can be cut from {info.paths[0].name}: states up to {max_state} need all of its {info.n_blocks} blocks",
            Advice("fit weights that read fewer states (fit --budget)", "fit weights that read fewer states"),
        )
    beside = ""
    try:
        handle, beside = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
        os.close(handle)
        _write(source, Path(beside), blocks)
        as_usual(beside, target)
        os.replace(beside, target)
    except OSError as error:
        raise ModelFileError(f"{target} cannot be written: {error.strerror or error}", "name another file") from error
    finally:
        if beside and os.path.exists(beside):
            os.unlink(beside)
    return target


@dataclass(frozen=True)
class Pruned:
    """What `prune_for` wrote.

    - `path`: the pruned file.
    - `blocks`: blocks in it.
    - `whole_blocks`: blocks of the whole model.
    - `max_state`: the highest state that the file gives.
    - `bytes_before`, `bytes_after`: sizes of the whole model's files and of the pruned file.
    """

    path: Path
    blocks: int
    whole_blocks: int
    max_state: int
    bytes_before: int
    bytes_after: int


def prune_for(
    model: str | Path,
    weights: WeightsFile,
    target: str | Path,
    options: BackendOptions = BackendOptions(),
    *,
    force: bool = False,
) -> Pruned:
    """Prune a model to the states that the weights read, and compare both files' states of one prompt bit by bit.

    Raises WeightsError for weights of another backbone (`force` accepts them), BackendError where
    the states differ (the file is then removed), and whatever `prune` raises.
    """
    info = open_model(model).info
    then = weights.provenance
    check_weights(weights, replace(then, fingerprint=info.fingerprint, n_states=info.whole_blocks + 1), force=force)
    state = len(weights.weights.weights) - 1
    path = prune(model, target, state)
    if not np.array_equal(_sample(info.paths[0], state, options), _sample(path, state, options)):
        path.unlink()
        raise BackendError(
            f"the pruned copy of {info.paths[0].name} ({info.architecture}) gives other states than the whole model",
            "use the whole model, which also stops after the states that the weights read, and report this architecture",
        )
    cut = open_model(path).info
    return Pruned(path, cut.n_blocks, info.whole_blocks, state, info.size_bytes, cut.size_bytes)


def _sample(path: Path, max_state: int, options: BackendOptions) -> np.ndarray:
    with Backbone(path, options) as backbone:
        prompt = np.random.default_rng(0).integers(0, backbone.n_vocab, min(96, backbone.n_ctx_train))
        return backbone.read_states([prompt.tolist()], max_state=max_state)[0].states


def _write(source: ModelFile, path: Path, blocks: int) -> None:
    info, header, arch = source.info, source.header, source.info.architecture
    writer = GGUFWriter(str(path), arch)
    changed = {f"{arch}.block_count": blocks, f"{arch}.nextn_predict_layers": 0}
    for key, entry in header.entries.items():
        if key.startswith(_LEFT_OUT):
            continue
        if entry.value is not None:
            writer.add_key_value(key, changed.get(key, entry.value), GGUFValueType(entry.item))
        elif entry.count:
            items = list(header.array(key))
            per_block = key.startswith(f"{arch}.") and len(items) >= info.n_blocks
            items = items[:blocks] if per_block else items
            writer.add_key_value(key, items, GGUFValueType.ARRAY, GGUFValueType(entry.item))
    writer.add_uint32(PRUNED_BLOCKS, info.whole_blocks)
    writer.add_string(PRUNED_FINGERPRINT, info.fingerprint)
    writer.add_string(PRUNED_OWN, _UNKNOWN)
    kept = list(_kept(source, blocks))
    for tensor in kept:
        raw = np.memmap(tensor.path, dtype=np.uint8, mode="r", offset=tensor.offset, shape=(tensor.nbytes,))
        rows = tensor.shape[1:][::-1] or (1,)
        writer.add_tensor(tensor.name, raw.reshape(*rows, -1) if len(tensor.shape) > 1 else raw, raw_dtype=tensor.kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_header(path)
    own = fingerprint(header, {t.name: t for t in header.tensors}).encode()
    with path.open("r+b") as file:
        file.seek(header.entries[PRUNED_OWN].end - len(own))
        file.write(own)


def _kept(source: ModelFile, blocks: int) -> Iterator[TensorInfo]:
    for tensor in source.tensors.values():
        found = _BLOCK.match(tensor.name)
        if not found or int(found[1]) < blocks:
            yield tensor
