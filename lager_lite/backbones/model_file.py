"""The GGUF file of a backbone: what it is, whether it can be judged with, and its score-token rows.

Only the header and the few rows that are needed are read, so opening a 40 GB file takes moments.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ModelFileError, UnsupportedModelError
from ..records import Head
from .architectures import (
    LAYER_NORM,
    NO_NORM_WEIGHT,
    NORM_TENSOR,
    RECURRENT,
    SOFTCAP_DEFAULT,
    UNSUPPORTED,
    WHOLE_HEAD_TURNS,
    logit_scale,
)
from .header import Header, TensorInfo, read_header
from .tensors import fingerprint, quantization_name, read_rows

_DOWNLOAD = "download the file again from its publisher"
_OTHER_MODEL = "choose a chat or instruct model in GGUF format"
_SPLIT_NAME = re.compile(r"^(?P<prefix>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf$")
# Limits and rules behind which llama.cpp aborts the process instead of reporting an error.
_MAX_BLOCKS, _MAX_EXPERTS = 512, 512
# Written by `pruning.prune`: of which model a file holds the first blocks, and the file's own fingerprint,
# which no longer fits when somebody has quantized the file again.
PRUNED_BLOCKS, PRUNED_FINGERPRINT = "lager_lite.pruned.whole_blocks", "lager_lite.pruned.fingerprint"
PRUNED_OWN = "lager_lite.pruned.own_fingerprint"
_ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
# Kinds that llama.cpp stores but does not multiply with: its kernels abort, or read past their tables.
_NO_WEIGHTS = frozenset(("F64", "I8", "I16", "I32", "I64"))


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says about itself.

    paths: all parts, the one to load first; n_blocks: L, without blocks for multi-token prediction;
    whole_blocks: the L of the model that this one is, or of which it holds the first blocks (`prune`);
    chat_template, bos_*, eos_*, add_bos, add_space_prefix: None where the file is silent (llama.cpp
    then decides by the kind of tokenizer); sliding_window: tokens, 0 for none; recurrent: a
    prefix's memory cannot be reused (recurrent or hybrid); fingerprint: of the
    backbone, the same for renamed, split, pruned or re-described copies (`gguf_tensors.fingerprint`).
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
    """A model file that passed the preflight."""

    info: ModelInfo
    header: Header
    tensors: Mapping[str, TensorInfo]

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
            softcap=0.0 if cap is None else float(self._setting("final_logit_softcapping", cap)),
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
            raise ModelFileError(f"{self.info.paths[0]} has no epsilon for its output norm", _DOWNLOAD)
        return kind, float(eps)

    def _setting(self, key: str, default: float | None = None) -> float | None:
        return self.header.get(f"{self.info.architecture}.{key}", default)  # type: ignore[return-value]

    def _vector(self, name: str) -> np.ndarray | None:
        tensor = self.tensors.get(name)
        return None if tensor is None else read_rows(tensor, [0])[0]


def open_model(path: str | os.PathLike) -> ModelFile:
    """Check a GGUF file, all parts of a split one, and read what it says about itself.

    Raises ModelFileError for a missing, damaged or incomplete file, UnsupportedModelError for a
    sound one that cannot be judged with.
    """
    header = read_header(path)
    _check_purpose(header)
    headers = _all_parts(header)
    header = headers[0]
    tensors = {t.name: t for part in headers for t in part.tensors}
    architecture = _check_architecture(header)
    n_blocks, n_embd = _check_sizes(header, architecture)
    n_vocab = _check_vocabulary(header, tensors, n_embd)
    _check_head_tensors(header, tensors, architecture, n_embd, n_vocab)
    _check_kinds(header, tensors)
    own = fingerprint(header, tensors)
    pruned = header.get(PRUNED_OWN) == own
    info = ModelInfo(
        paths=tuple(part.path for part in headers),
        architecture=architecture,
        name=str(header.get("general.name") or header.path.stem),
        n_blocks=n_blocks,
        whole_blocks=_integer(header, PRUNED_BLOCKS, n_blocks) if pruned else n_blocks,
        n_embd=n_embd,
        n_vocab=n_vocab,
        n_ctx_train=_integer(header, f"{architecture}.context_length"),
        quantization=quantization_name(header, tensors),
        size_bytes=sum(part.size for part in headers),
        recurrent=architecture in RECURRENT,
        sliding_window=_integer(header, f"{architecture}.attention.sliding_window", 0),
        fingerprint=str(header.get(PRUNED_FINGERPRINT)) if pruned else own,
        **_tokenizer(header, n_vocab),
    )
    return ModelFile(info, header, tensors)


def _check_purpose(header: Header) -> None:
    kind = header.get("general.type", "model")
    if kind == "adapter":
        raise UnsupportedModelError(
            f"{header.path} is a LoRA adapter, not a whole model",
            "merge it into its base model first (llama.cpp's llama-export-lora)",
        )
    if kind == "mmproj":
        raise UnsupportedModelError(f"{header.path} is the image or audio part of a multimodal model", _OTHER_MODEL)
    if kind != "model":
        raise UnsupportedModelError(f"{header.path} holds {kind!r}, not a model", _OTHER_MODEL)


def _all_parts(header: Header) -> list[Header]:
    count = _integer(header, "split.count", 1)
    if count <= 1:
        return [header]
    number, name = _integer(header, "split.no"), _SPLIT_NAME.match(header.path.name)
    if not name or int(name["parts"]) != count or int(name["part"]) != number + 1:
        raise ModelFileError(
            f"{header.path} is part {number + 1} of {count}, but its name does not say so",
            f"rename the parts to NAME-00001-of-{count:05d}.gguf and so on",
        )
    paths = [header.path.with_name(f"{name['prefix']}-{i + 1:05d}-of-{count:05d}.gguf") for i in range(count)]
    missing = [p.name for p in paths if not p.is_file()]
    if missing:
        raise ModelFileError(
            f"{header.path} is part {number + 1} of {count}; missing: {', '.join(missing)}",
            f"put all {count} parts into {header.path.parent}",
        )
    headers = [header if i == number else read_header(p) for i, p in enumerate(paths)]
    for i, part in enumerate(headers):
        if (part.get("split.no"), part.get("split.count")) != (i, count):
            raise ModelFileError(f"{part.path} is not part {i + 1} of {count} of this model", _DOWNLOAD)
    found, wanted = sum(len(p.tensors) for p in headers), header.get("split.tensors.count")
    if wanted is not None and found != wanted:
        raise ModelFileError(f"the {count} parts of {header.path} hold {found} tensors, not {wanted}", _DOWNLOAD)
    return headers


def _check_architecture(header: Header) -> str:
    architecture = header.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise ModelFileError(f"{header.path} does not name its architecture", _DOWNLOAD)
    reason = UNSUPPORTED.get(architecture)
    if reason is None and header.get(f"{architecture}.attention.causal", True) is False:
        reason = "its attention is not causal, so it predicts no next token"
    elif reason is None and header.get(f"{architecture}.pooling_type", 0):
        reason = "it was made for embeddings (the file sets pooling_type)"
    elif architecture == "nanbeige" and _integer(header, "nanbeige.num_loops", 1) > 1:
        reason = "its blocks run several times per token"
    if reason:
        raise UnsupportedModelError(f"{header.path} ({architecture}) cannot judge: {reason}", _OTHER_MODEL)
    return architecture


def _check_sizes(header: Header, arch: str) -> tuple[int, int]:
    """Return (L, n_embd); refuse sizes on which llama.cpp would abort."""
    blocks, extra = _integer(header, f"{arch}.block_count"), _integer(header, f"{arch}.nextn_predict_layers", 0)
    if not 0 <= extra < blocks <= _MAX_BLOCKS:
        raise _damaged(header, f"{blocks} blocks, {extra} of them for multi-token prediction")
    n_embd = _integer(header, f"{arch}.embedding_length")
    if n_embd < 1 or _integer(header, f"{arch}.context_length") < 1:
        raise _damaged(header, "an embedding or context length below 1")
    experts = _integer(header, f"{arch}.expert_count", 0)
    used = header.get(f"{arch}.expert_used_count")
    used = max(header.array(f"{arch}.expert_used_count"), default=0) if used is None else used
    groups = _integer(header, f"{arch}.expert_group_count", 0)
    if not 0 <= used <= experts <= _MAX_EXPERTS or (experts > 1 and not used) or (groups and groups >= experts):
        raise _damaged(header, f"{experts} experts in {groups} groups, {used} of them used")
    _check_attention(header, arch, n_embd)
    return blocks - extra, n_embd


def _check_attention(header: Header, arch: str, n_embd: int) -> None:
    scaling = header.get(f"{arch}.rope.scaling.type", "linear")
    if scaling not in _ROPE_SCALINGS:
        raise _damaged(header, f"the RoPE scaling {scaling!r}")
    for kind in ("layer_norm_epsilon", "layer_norm_rms_epsilon"):
        epsilon = header.get(f"{arch}.attention.{kind}", 0.0)
        if not isinstance(epsilon, float) or not 0 <= epsilon < 1:
            raise _damaged(header, f"the {kind} {epsilon!r}")
    window = _integer(header, f"{arch}.attention.sliding_window", 0)
    if not 0 <= window < 2**31:
        raise _damaged(header, f"a sliding window of {window} tokens")
    heads = header.get(f"{arch}.attention.head_count")
    if not isinstance(heads, int) or heads == 0:
        return
    sharing = header.get(f"{arch}.attention.head_count_kv", heads)
    if not 0 <= sharing <= heads or (sharing and heads % sharing):
        raise _damaged(header, f"{heads} attention heads that share {sharing} key heads")
    length = _integer(header, f"{arch}.attention.key_length", n_embd // heads)
    values = _integer(header, f"{arch}.attention.value_length", n_embd // heads)
    turning = _integer(header, f"{arch}.rope.dimension_count", length)
    strict = arch in WHOLE_HEAD_TURNS and (turning, values) != (length, length)
    if strict or turning % 2 or turning > length:
        raise _damaged(header, f"heads of {length} and {values} numbers, of which RoPE turns {turning}")


def _check_vocabulary(header: Header, tensors: Mapping[str, TensorInfo], n_embd: int) -> int:
    if not tensors:
        raise UnsupportedModelError(
            f"{header.path} holds a vocabulary only, no weights", "download the model itself, not its vocabulary"
        )
    model, tokens = header.get("tokenizer.ggml.model", "none"), header.entries.get("tokenizer.ggml.tokens")
    if model in ("none", "no_vocab") or tokens is None:
        raise UnsupportedModelError(f"{header.path} has no tokenizer", _OTHER_MODEL)
    twice = header.repeated("tokenizer.ggml.tokens")
    if twice is not None:
        raise _damaged(header, f"the token {twice.decode('utf-8', 'replace')!r} twice in its vocabulary")
    embedding = tensors.get("token_embd.weight") or tensors.get("output.weight")
    if embedding is None:
        raise ModelFileError(f"{header.path} has no token embeddings (token_embd.weight)", _DOWNLOAD)
    if embedding.shape != (n_embd, tokens.count):
        raise _damaged(header, f"{embedding.name} of shape {embedding.shape}, expected {(n_embd, tokens.count)}")
    return tokens.count


def _check_head_tensors(
    header: Header, tensors: Mapping[str, TensorInfo], architecture: str, n_embd: int, n_vocab: int
) -> None:
    name = NORM_TENSOR.get(architecture, "output_norm")
    if architecture not in NO_NORM_WEIGHT and f"{name}.weight" not in tensors:
        raise ModelFileError(f"{header.path} has no output norm ({name}.weight)", _DOWNLOAD)
    wanted = {f"{name}.weight": (n_embd,), f"{name}.bias": (n_embd,), "output.bias": (n_vocab,)}
    wanted["output.weight"] = (n_embd, n_vocab)
    for key, shape in wanted.items():
        tensor = tensors.get(key)
        if tensor is not None and tensor.shape != shape:
            raise _damaged(header, f"{key} of shape {tensor.shape}, expected {shape}")


def _check_kinds(header: Header, tensors: Mapping[str, TensorInfo]) -> None:
    for tensor in tensors.values():
        vector = len(tensor.shape) == 1 and (tensor.name.endswith(".bias") or tensor.name.endswith("norm.weight"))
        kind = tensor.kind.name
        if (vector and kind != "F32") or (kind in _NO_WEIGHTS and tensor.name.endswith(".weight")):
            raise _damaged(header, f"{tensor.name} as {kind}, with which llama.cpp cannot compute")


def _tokenizer(header: Header, n_vocab: int) -> dict[str, object]:
    ids = {end: _integer(header, f"tokenizer.ggml.{end}_token_id", -1) for end in ("bos", "eos")}
    known = {end: i if 0 <= i < n_vocab else None for end, i in ids.items()}
    tokens = header.array("tokenizer.ggml.tokens") if set(known.values()) != {None} else ()
    found: dict[str, object] = {f"{end}_id": i for end, i in known.items()}
    found.update({f"{end}_text": None if i is None else tokens[i] for end, i in known.items()})
    named = {"chat_template": "chat_template", "tokenizer_model": "ggml.model"}
    named |= {"add_bos": "ggml.add_bos_token", "add_space_prefix": "ggml.add_space_prefix"}
    for field, key in named.items():
        found[field] = header.get(f"tokenizer.{key}")
        kind = bool if field.startswith("add_") else str
        if found[field] is not None and not isinstance(found[field], kind):
            raise _damaged(header, f"the tokenizer.{key} {found[field]!r}")
    return found


def _damaged(header: Header, what: str) -> ModelFileError:
    return ModelFileError(f"{header.path} is damaged: it has {what}", _DOWNLOAD)


def _integer(header: Header, key: str, default: int | None = None) -> int:
    value = header.get(key, default)
    if not isinstance(value, int):
        raise ModelFileError(f"{header.path} has no usable {key} (found {value!r})", _DOWNLOAD)
    return value
