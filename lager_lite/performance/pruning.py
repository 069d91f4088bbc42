"""Write a copy of a model that holds only its first blocks.

Where weights need no state above k, blocks k+1 to L are never run; a file without them is smaller on
disk and in memory. The copy keeps block k+1, and the judge ends the graph before it: llama.cpp computes
a model's last block for the output rows alone, with other kernels than the blocks before it, and so the
last block's state would differ in its last bits. Tensors are copied bit by bit. The copy says in its
metadata which model it was cut from, so that weights and stored readings of that model hold.
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
from ..errors import BackendError, ModelFileError, UnsupportedModelError
from ..llama import Backbone, BackendOptions
from ..scoring import WeightsFile, check_weights
from ..system import as_usual

_BLOCK = re.compile(r"^blk\.(\d+)\.")
_LEFT_OUT = ("split.", "general.architecture", "lager_lite.pruned.")
_UNKNOWN = "sha256:" + 64 * "0"


def prune(model: str | Path, target: str | Path, max_state: int) -> Path:
    """Write what gives states 0..max_state of a model to `target`, complete or not at all; return its path.

    Blocks 1 to max_state + 1, embeddings, output norm and output matrix stay. Raises ModelFileError
    where a file cannot be read or written, UnsupportedModelError where there is nothing to cut,
    ValueError for a negative state.
    """
    source, target = open_model(model), Path(target)
    info = source.info
    if max_state < 0:
        raise ValueError(f"max_state must be at least 0, got {max_state}")
    blocks = max_state + 1
    if blocks >= info.n_blocks:
        raise UnsupportedModelError(
            f"{info.paths[0].name} has {info.n_blocks} blocks, and state {max_state} needs {blocks} of them: nothing to cut",
            "fit weights that read fewer states (fit --budget)",
        )
    beside = ""
    try:
        handle, beside = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
        os.close(handle)
        _write(source, Path(beside), blocks)
        as_usual(beside, target)
        os.replace(beside, target)
    except OSError as error:
        raise ModelFileError(
            f"{target} cannot be written: {error.strerror or error}", "name another file with -o"
        ) from error
    finally:
        if beside and os.path.exists(beside):
            os.unlink(beside)
    return target


@dataclass(frozen=True)
class Pruned:
    """What `prune_for` wrote: blocks kept of all, the highest state, file sizes in bytes."""

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
    """Prune a model to what the weights read, and compare both files' states of one prompt, bit by bit.

    Raises WeightsError for weights of another backbone (`force` lets them pass), BackendError where
    the states differ (the file is then removed), and as `prune`.
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
            "use the whole model: it, too, ends after the states that the weights read; and report this architecture",
        )
    cut = open_model(path).info
    return Pruned(path, cut.n_blocks, info.whole_blocks, state, info.size_bytes, cut.size_bytes)


def _sample(path: Path, max_state: int, options: BackendOptions) -> np.ndarray:
    with Backbone(path, options) as backbone:
        prompt = np.random.default_rng(0).integers(0, backbone.n_vocab, min(96, backbone.n_ctx_train))
        return backbone.read_states([prompt], max_state=max_state)[0].states


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
