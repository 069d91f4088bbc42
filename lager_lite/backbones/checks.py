"""Whether a model can be judged with, and whether llama.cpp would survive loading it.

llama.cpp aborts the process on some values instead of reporting an error, so they are refused here.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ModelFileError, UnsupportedModelError
from .architectures import NO_NORM_WEIGHT, NORM_TENSOR, UNSUPPORTED, WHOLE_HEAD_TURNS
from .header import Header, TensorInfo

DOWNLOAD_AGAIN = "download the file again from its publisher"
_OTHER_MODEL = "choose a chat or instruct model in GGUF format"
_MAX_BLOCKS, _MAX_EXPERTS = 512, 512
_ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
# Types that llama.cpp stores but does not multiply with: its kernels abort, or read past their tables.
_NO_WEIGHTS = frozenset(("F64", "I8", "I16", "I32", "I64"))


def check_purpose(header: Header) -> None:
    """Raises UnsupportedModelError for a file that is not a model but a part or an addition of one."""
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


def check_architecture(header: Header) -> str:
    """The architecture's name. Raises UnsupportedModelError for one that cannot be judged with."""
    architecture = header.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise ModelFileError(f"{header.path} does not name its architecture", DOWNLOAD_AGAIN)
    reason = UNSUPPORTED.get(architecture)
    if reason is None and header.get(f"{architecture}.attention.causal", True) is False:
        reason = "its attention is not causal, so it predicts no next token"
    elif reason is None and header.get(f"{architecture}.pooling_type", 0):
        reason = "it was made for embeddings (the file sets pooling_type)"
    elif architecture == "nanbeige" and integer(header, "nanbeige.num_loops", 1) > 1:
        reason = "its blocks run several times per token"
    if reason:
        raise UnsupportedModelError(f"{header.path} ({architecture}) cannot judge: {reason}", _OTHER_MODEL)
    return architecture


def check_sizes(header: Header, arch: str) -> tuple[int, int]:
    """(L, n_embd). Raises ModelFileError for sizes on which llama.cpp would abort."""
    blocks, extra = integer(header, f"{arch}.block_count"), integer(header, f"{arch}.nextn_predict_layers", 0)
    if not 0 <= extra < blocks <= _MAX_BLOCKS:
        raise damaged(header, f"{blocks} blocks, {extra} of them for multi-token prediction")
    n_embd = integer(header, f"{arch}.embedding_length")
    if n_embd < 1 or integer(header, f"{arch}.context_length") < 1:
        raise damaged(header, "an embedding or context length below 1")
    experts = integer(header, f"{arch}.expert_count", 0)
    each = header.array(f"{arch}.expert_used_count")  # one number per block, where blocks differ
    used = max(each) if each else integer(header, f"{arch}.expert_used_count", 0)
    groups = integer(header, f"{arch}.expert_group_count", 0)
    if (
        not isinstance(used, int)
        or not 0 <= used <= experts <= _MAX_EXPERTS
        or (experts > 1 and not used)
        or (groups and groups >= experts)
    ):
        raise damaged(header, f"{experts} experts in {groups} groups, {used} of them used")
    _check_attention(header, arch, n_embd)
    return blocks - extra, n_embd


def _check_attention(header: Header, arch: str, n_embd: int) -> None:
    scaling = header.get(f"{arch}.rope.scaling.type", "linear")
    if scaling not in _ROPE_SCALINGS:
        raise damaged(header, f"the RoPE scaling {scaling!r}")
    for kind in ("layer_norm_epsilon", "layer_norm_rms_epsilon"):
        epsilon = header.get(f"{arch}.attention.{kind}", 0.0)
        if not isinstance(epsilon, float) or not 0 <= epsilon < 1:
            raise damaged(header, f"the {kind} {epsilon!r}")
    window = integer(header, f"{arch}.attention.sliding_window", 0)
    if not 0 <= window < 2**31:
        raise damaged(header, f"a sliding window of {window} tokens")
    heads = header.get(f"{arch}.attention.head_count")
    if not isinstance(heads, int) or heads == 0:
        return
    sharing = integer(header, f"{arch}.attention.head_count_kv", heads)
    if not 0 <= sharing <= heads or (sharing and heads % sharing):
        raise damaged(header, f"{heads} attention heads that share {sharing} key heads")
    length = integer(header, f"{arch}.attention.key_length", n_embd // heads)
    values = integer(header, f"{arch}.attention.value_length", n_embd // heads)
    turning = integer(header, f"{arch}.rope.dimension_count", length)
    strict = arch in WHOLE_HEAD_TURNS and (turning, values) != (length, length)
    if strict or turning % 2 or turning > length:
        raise damaged(header, f"heads of {length} and {values} numbers, of which RoPE turns {turning}")


def check_vocabulary(header: Header, tensors: Mapping[str, TensorInfo], n_embd: int) -> int:
    """n_vocab. Raises UnsupportedModelError without weights or tokenizer, ModelFileError for a damaged one."""
    if not tensors:
        raise UnsupportedModelError(
            f"{header.path} holds a vocabulary only, no weights", "download the model itself, not its vocabulary"
        )
    model, tokens = header.get("tokenizer.ggml.model", "none"), header.entries.get("tokenizer.ggml.tokens")
    if model in ("none", "no_vocab") or tokens is None:
        raise UnsupportedModelError(f"{header.path} has no tokenizer", _OTHER_MODEL)
    twice = header.repeated("tokenizer.ggml.tokens")
    if twice is not None:
        raise damaged(header, f"the token {twice.decode('utf-8', 'replace')!r} twice in its vocabulary")
    embedding = tensors.get("token_embd.weight") or tensors.get("output.weight")
    if embedding is None:
        raise ModelFileError(f"{header.path} has no token embeddings (token_embd.weight)", DOWNLOAD_AGAIN)
    if embedding.shape != (n_embd, tokens.count):
        raise damaged(header, f"{embedding.name} of shape {embedding.shape}, expected {(n_embd, tokens.count)}")
    return tokens.count


def check_head_tensors(
    header: Header, tensors: Mapping[str, TensorInfo], architecture: str, n_embd: int, n_vocab: int
) -> None:
    """Raises ModelFileError where the output norm or matrix is missing or of another shape."""
    name = NORM_TENSOR.get(architecture, "output_norm")
    if architecture not in NO_NORM_WEIGHT and f"{name}.weight" not in tensors:
        raise ModelFileError(f"{header.path} has no output norm ({name}.weight)", DOWNLOAD_AGAIN)
    wanted: dict[str, tuple[int, ...]] = {
        f"{name}.weight": (n_embd,),
        f"{name}.bias": (n_embd,),
        "output.bias": (n_vocab,),
        "output.weight": (n_embd, n_vocab),
    }
    for key, shape in wanted.items():
        tensor = tensors.get(key)
        if tensor is not None and tensor.shape != shape:
            raise damaged(header, f"{key} of shape {tensor.shape}, expected {shape}")


def check_tensor_types(header: Header, tensors: Mapping[str, TensorInfo]) -> None:
    """Raises ModelFileError for a tensor of a type that llama.cpp cannot compute with."""
    for tensor in tensors.values():
        vector = len(tensor.shape) == 1 and (tensor.name.endswith(".bias") or tensor.name.endswith("norm.weight"))
        kind = tensor.kind.name
        if (vector and kind != "F32") or (kind in _NO_WEIGHTS and tensor.name.endswith(".weight")):
            raise damaged(header, f"{tensor.name} as {kind}, with which llama.cpp cannot compute")


def damaged(header: Header, what: str) -> ModelFileError:
    """The error for a file that holds something impossible."""
    return ModelFileError(f"{header.path} is damaged: it has {what}", DOWNLOAD_AGAIN)


def integer(header: Header, key: str, default: int | None = None) -> int:
    """A whole number of the header. Raises ModelFileError for another kind of value, or none without a default."""
    value = header.get(key, default)
    if not isinstance(value, int):
        raise ModelFileError(f"{header.path} has no usable {key} (found {value!r})", DOWNLOAD_AGAIN)
    return value
