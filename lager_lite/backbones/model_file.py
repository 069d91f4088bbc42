"""The GGUF file of a backbone: what it says about itself, and its score-token rows.

Only the header and the few rows that are needed are read, so opening a 40 GB file takes moments.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, overload

import numpy as np

from ..errors import ModelFileError
from ..records import Head
from .architectures import LAYER_NORM, NO_NORM_WEIGHT, NORM_TENSOR, RECURRENT, SOFTCAP_DEFAULT, logit_scale
from .checks import (
    DOWNLOAD_AGAIN,
    check_architecture,
    check_head_tensors,
    check_purpose,
    check_sizes,
    check_tensor_types,
    check_vocabulary,
    damaged,
    integer,
)
from .header import Header, TensorInfo, read_header
from .tensors import fingerprint, quantization_name, read_rows

T = TypeVar("T")
_SPLIT_NAME = re.compile(r"^(?P<prefix>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf$")
# What a pruned copy says about the model whose first blocks it holds, and its own fingerprint, which no
# longer fits when somebody has quantized the copy again.
PRUNED_BLOCKS, PRUNED_FINGERPRINT = "lager_lite.pruned.whole_blocks", "lager_lite.pruned.fingerprint"
PRUNED_OWN = "lager_lite.pruned.own_fingerprint"


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says about itself.

    Where a field below may be None, the file is silent and llama.cpp decides by the kind of tokenizer.

    - `paths`: all parts of the model, the one to load first.
    - `architecture`: llama.cpp's name for it, for instance "qwen3".
    - `name`: the model's name; the file's name where it has none.
    - `n_blocks`: L, without blocks for multi-token prediction.
    - `whole_blocks`: the L of the model of which this file holds the first blocks (`lager-lite prune`);
      equal to `n_blocks` for a whole model.
    - `n_embd`: the width of a state.
    - `n_vocab`: the number of tokens in the vocabulary.
    - `n_ctx_train`: the context in tokens that the model was trained for.
    - `quantization`: as people write it, for instance "Q4_K_M".
    - `size_bytes`: the size of all parts together.
    - `chat_template`: jinja2 source; None where there is none.
    - `tokenizer_model`: the kind of tokenizer, for instance "gpt2".
    - `bos_id`, `bos_text`: the token that begins a text; None where none is named.
    - `eos_id`, `eos_text`: the token that ends a text; None where none is named.
    - `add_bos`: whether the BOS token belongs in front of a text, or None.
    - `add_space_prefix`: whether a blank is put in front of a text, or None.
    - `recurrent`: whether the memory is recurrent or hybrid, so that a prefix's cannot be reused.
    - `sliding_window`: tokens that attention looks back, 0 for all.
    - `fingerprint`: names the backbone; the same for renamed, split, pruned or re-described copies
      (see `tensors.fingerprint`).
    """

    paths: tuple[Path, ...]
    architecture: str
    name: str
    n_blocks: int
    whole_blocks: int
    n_embd: int
    n_vocab: int
    n_ctx_train: int
    quantization: str
    size_bytes: int
    chat_template: str | None
    tokenizer_model: str
    bos_id: int | None
    bos_text: str | None
    eos_id: int | None
    eos_text: str | None
    add_bos: bool | None
    add_space_prefix: bool | None
    recurrent: bool
    sliding_window: int
    fingerprint: str


@dataclass(frozen=True)
class ModelFile:
    """A model file that has passed all checks.

    - `info`: what it says about itself.
    - `header`: the metadata of its first part.
    - `tensors`: the tensors of all parts by name.
    """

    info: ModelInfo
    header: Header
    tensors: Mapping[str, TensorInfo]

    @property
    def parameters(self) -> int:
        """The number of numbers in its tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())

    def head(self, token_ids: Sequence[int]) -> Head:
        """The output norm and the rows of the K tokens, dequantized; nothing else is read.

        rows and bias are float32 (K, n_embd) and (K,). Raises UnsupportedModelError for a
        quantization that the gguf package cannot dequantize, ValueError for an id outside the
        vocabulary.
        """
        ids = [int(t) for t in token_ids]
        if any(not 0 <= t < self.info.n_vocab for t in ids):
            raise ValueError(f"token ids must lie in 0..{self.info.n_vocab - 1}, got {ids}")
        arch, norm = self.info.architecture, NORM_TENSOR.get(self.info.architecture, "output_norm")
        matrix = self.tensors.get("output.weight") or self.tensors["token_embd.weight"]
        bias, scale = self._vector("output.bias"), self._vector("output.scale")
        rows = read_rows(matrix, ids)
        kind, eps = self._norm_kind()
        cap = SOFTCAP_DEFAULT.get(arch)
        return Head(
            rows=rows if scale is None else rows * scale[0],
            bias=None if bias is None else bias[ids],
            norm_kind=kind,
            norm_weight=None if arch in NO_NORM_WEIGHT else self._vector(f"{norm}.weight"),
            norm_bias=None if arch in NO_NORM_WEIGHT else self._vector(f"{norm}.bias"),
            norm_eps=eps,
            logit_scale=logit_scale(arch, self._setting("logit_scale"), self.info.n_embd),
            softcap=0.0 if cap is None else self._setting("final_logit_softcapping", cap),
        )

    def _norm_kind(self) -> tuple[str, float]:
        layer = self._setting("attention.layer_norm_epsilon")
        rms = self._setting("attention.layer_norm_rms_epsilon")
        arch = self.info.architecture
        if arch in LAYER_NORM or (arch == "cohere2moe" and rms is None):
            kind, eps = "layer", layer
        else:
            kind, eps = "rms", layer if rms is None else rms
        if eps is None:
            raise ModelFileError(f"{self.info.paths[0]} has no epsilon for its output norm", DOWNLOAD_AGAIN)
        return kind, eps

    @overload
    def _setting(self, key: str) -> float | None: ...

    @overload
    def _setting(self, key: str, default: float) -> float: ...

    def _setting(self, key: str, default: float | None = None) -> float | None:
        """A number among the architecture's settings; `default` where the file has none."""
        name = f"{self.info.architecture}.{key}"
        value = self.header.get(name, default)
        if value is None:
            return None
        if not isinstance(value, (int, float)):
            raise damaged(self.header, f"the {name} {value!r}")
        return float(value)

    def _vector(self, name: str) -> np.ndarray | None:
        tensor = self.tensors.get(name)
        return None if tensor is None else read_rows(tensor, [0])[0]


_opened: dict[str, tuple[list[tuple[int, ...]], ModelFile]] = {}
# A file that was written a moment ago can change again without another time of change.
_SETTLED = 2.0


def open_model(path: str | os.PathLike[str]) -> ModelFile:
    """Check a GGUF file, all parts of a split one, and read what it says about itself.

    A file that was opened before and has not changed since is not read again: a vocabulary of 150,000 tokens takes some
    sixty milliseconds. Raises ModelFileError for a missing, damaged or incomplete file, UnsupportedModelError for a
    sound one that cannot be judged with.
    """
    name = os.path.abspath(path)
    stats, found = _opened.get(name, ([], None))
    if found is not None and stats == _stats(found.info.paths):
        return found
    found = _open(path)
    stats = _stats(found.info.paths)
    if stats and time.time() - max(stat[0] for stat in stats) / 1e9 > _SETTLED:
        _opened[name] = (stats, found)
    return found


def _stats(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    """The times of change, sizes and numbers of files; [] where one is gone."""
    try:
        return [(s.st_mtime_ns, s.st_ctime_ns, s.st_size, s.st_ino) for s in map(os.stat, paths)]
    except OSError:
        return []


def _open(path: str | os.PathLike[str]) -> ModelFile:
    header = read_header(path)
    check_purpose(header)
    headers = _all_parts(header)
    header = headers[0]
    tensors = {t.name: t for part in headers for t in part.tensors}
    architecture = check_architecture(header)
    n_blocks, n_embd = check_sizes(header, architecture)
    n_vocab = check_vocabulary(header, tensors, n_embd)
    check_head_tensors(header, tensors, architecture, n_embd, n_vocab)
    check_tensor_types(header, tensors)
    own = fingerprint(header, tensors)
    pruned = header.get(PRUNED_OWN) == own
    bos_id, eos_id = (_token_id(header, end, n_vocab) for end in ("bos", "eos"))
    bos_text, eos_text = _token_texts(header, (bos_id, eos_id))
    info = ModelInfo(
        paths=tuple(part.path for part in headers),
        architecture=architecture,
        name=str(header.get("general.name") or header.path.stem),
        n_blocks=n_blocks,
        whole_blocks=integer(header, PRUNED_BLOCKS, n_blocks) if pruned else n_blocks,
        n_embd=n_embd,
        n_vocab=n_vocab,
        n_ctx_train=integer(header, f"{architecture}.context_length"),
        quantization=quantization_name(header, tensors),
        size_bytes=sum(part.size for part in headers),
        chat_template=_entry(header, "tokenizer.chat_template", str),
        tokenizer_model=_entry(header, "tokenizer.ggml.model", str) or "",
        bos_id=bos_id,
        bos_text=bos_text,
        eos_id=eos_id,
        eos_text=eos_text,
        add_bos=_entry(header, "tokenizer.ggml.add_bos_token", bool),
        add_space_prefix=_entry(header, "tokenizer.ggml.add_space_prefix", bool),
        recurrent=architecture in RECURRENT,
        sliding_window=integer(header, f"{architecture}.attention.sliding_window", 0),
        fingerprint=str(header.get(PRUNED_FINGERPRINT)) if pruned else own,
    )
    return ModelFile(info, header, tensors)


def parts_of_model(path: Path) -> tuple[Path, ...]:
    """All files of the model that `path` is a part of, by their names; the path itself where it is not split."""
    name = _SPLIT_NAME.match(path.name)
    if not name:
        return (path,)
    return tuple(path.with_name(_part_name(name["prefix"], i, int(name["parts"]))) for i in range(int(name["parts"])))


def _part_name(prefix: str, number: int, count: int) -> str:
    return f"{prefix}-{number + 1:05d}-of-{count:05d}.gguf"


def _all_parts(header: Header) -> list[Header]:
    count = integer(header, "split.count", 1)
    if count <= 1:
        return [header]
    number, name = integer(header, "split.no"), _SPLIT_NAME.match(header.path.name)
    if not name or int(name["parts"]) != count or int(name["part"]) != number + 1:
        raise ModelFileError(
            f"{header.path} is part {number + 1} of {count}, but its name does not say so",
            f"rename the parts to NAME-00001-of-{count:05d}.gguf and so on",
        )
    paths = [header.path.with_name(_part_name(name["prefix"], i, count)) for i in range(count)]
    missing = [p.name for p in paths if not p.is_file()]
    if missing:
        raise ModelFileError(
            f"{header.path} is part {number + 1} of {count}; missing: {', '.join(missing)}",
            f"put all {count} parts into {header.path.parent}",
        )
    headers = [header if i == number else read_header(p) for i, p in enumerate(paths)]
    for i, part in enumerate(headers):
        if (part.get("split.no"), part.get("split.count")) != (i, count):
            raise ModelFileError(f"{part.path} is not part {i + 1} of {count} of this model", DOWNLOAD_AGAIN)
    found, wanted = sum(len(p.tensors) for p in headers), header.get("split.tensors.count")
    if wanted is not None and found != wanted:
        raise ModelFileError(f"the {count} parts of {header.path} hold {found} tensors, not {wanted}", DOWNLOAD_AGAIN)
    return headers


def _token_id(header: Header, end: str, n_vocab: int) -> int | None:
    token = integer(header, f"tokenizer.ggml.{end}_token_id", -1)
    return token if 0 <= token < n_vocab else None


def _token_texts(header: Header, ids: Sequence[int | None]) -> list[str | None]:
    """The tokens' texts."""
    texts = iter(header.strings_of("tokenizer.ggml.tokens", [i for i in ids if i is not None]))
    return [None if i is None else next(texts) for i in ids]


def _entry(header: Header, key: str, kind: type[T]) -> T | None:
    """An entry of this kind, None where there is none."""
    value = header.get(key)
    if value is not None and not isinstance(value, kind):
        raise damaged(header, f"the {key} {value!r}")
    return value
