"""The same weights in Hugging Face transformers: the independent reference for hidden states.

transformers can read some GGUF files itself, but not every architecture, and its reader drops
settings of several (soft caps, epsilons, key lengths). So the models are built from their own
configuration classes here, and the weights are renamed with gguf's tensor map and put back into
the order that llama.cpp's converter changed.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
import transformers
from gguf import MODEL_ARCH_NAMES, GGUFReader, get_tensor_name_map
from gguf.quants import dequantize

from tests.model_files.families import FAMILIES
from tests.model_files.tiny import CONTEXT, EPSILON, N_FF, N_HEAD

# family of tests.model_files.tiny: (transformers model, extra settings). internlm2 has no class of its own in
# transformers; without biases its mathematics is Llama's, only the file's tensor order differs.
MODELS: dict[str, tuple[str, dict[str, object]]] = {
    "llama": ("Llama", {}),
    "mistral": ("Mistral", {"head_dim": 24, "sliding_window": None}),
    "internlm2": ("Llama", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": 24}),
    "qwen3moe": (
        "Qwen3Moe",
        {
            "head_dim": 16,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 32,
            "norm_topk_prob": True,
        },
    ),
    "gemma2": (
        "Gemma2",
        {
            "head_dim": 24,
            "query_pre_attn_scalar": 24,
            "sliding_window": 16,
            "attn_logit_softcapping": 5.0,
            "final_logit_softcapping": 3.0,
        },
    ),
    "gemma3": ("Gemma3", {"head_dim": 24, "query_pre_attn_scalar": 24, "sliding_window": 16}),
    "phi3": ("Phi3", {"pad_token_id": None}),
    "stablelm": ("StableLm", {"layer_norm_eps": EPSILON, "partial_rotary_factor": 0.25}),
    "gptneox": ("GPTNeoX", {"layer_norm_eps": EPSILON, "rotary_pct": 0.25, "hidden_act": "gelu_pytorch_tanh"}),
    "starcoder2": ("Starcoder2", {"norm_epsilon": EPSILON, "sliding_window": None}),
    "command-r": ("Cohere", {"layer_norm_eps": EPSILON, "logit_scale": 0.5}),
    "granite": (
        "Granite",
        {
            "logits_scaling": 2.0,
            "residual_multiplier": 0.5,
            "embedding_multiplier": 3.0,
            "attention_multiplier": 0.2,
        },
    ),
    "olmo2": ("Olmo2", {}),
    "olmo": ("Olmo", {"clip_qkv": None}),
    "falcon": (
        "Falcon",
        {"layer_norm_epsilon": EPSILON, "ffn_hidden_size": N_FF, "multi_query": True, "bias": False},
    ),
    "gpt2": ("GPT2", {"layer_norm_epsilon": EPSILON, "n_positions": CONTEXT, "n_inner": N_FF}),
    "mamba": (
        "Mamba",
        {"state_size": 8, "time_step_rank": 4, "conv_kernel": 4, "expand": 2, "layer_norm_epsilon": EPSILON},
    ),
}
_PERMUTED = ("llama", "internlm2", "granite", "olmo")
_GEMMA = ("gemma2", "gemma3")


def build(family: str, path: Path, rope_scaling: str | None = None) -> torch.nn.Module:
    """The tiny model at `path` (of a family in MODELS) as a transformers model, float32, eager attention."""
    tensors = {t.name: dequantize(t.data, t.tensor_type) for t in GGUFReader(path).tensors}
    name, extra = MODELS[family]
    n_vocab, n_embd = tensors["token_embd.weight"].shape
    blocks = 1 + max(int(m[1]) for t in tensors if (m := re.match(r"blk\.(\d+)\.", t)))
    settings = {
        "vocab_size": n_vocab,
        "hidden_size": n_embd,
        "num_hidden_layers": blocks,
        "num_attention_heads": N_HEAD,
        "num_key_value_heads": FAMILIES[family].n_kv,
        "intermediate_size": N_FF,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": EPSILON,
        "rope_theta": 10000.0,
        "tie_word_embeddings": "output.weight" not in tensors,
        "bos_token_id": 0,
        "eos_token_id": 0,
        **_rope(rope_scaling),
        **extra,
    }
    config_name = "Gemma3TextConfig" if name == "Gemma3" else f"{name}Config"
    config = getattr(transformers, config_name)(**settings)
    config._attn_implementation = "eager"
    class_name = "GPT2LMHeadModel" if name == "GPT2" else f"{name}ForCausalLM"
    model = getattr(transformers, class_name)(config).to(torch.float32).eval()
    _load(model, family, tensors, blocks)
    return model


class TableGelu(torch.nn.Module):
    """ggml's GELU on a CPU: a table over the 65,536 float16 numbers, with float16 results.

    It is why families with GELU differ from transformers by some 3e-4 of a state and not by 1e-6.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        table = torch.nn.functional.gelu(x.half().float(), approximate="tanh").half().float()
        return torch.where(x <= -10, torch.zeros_like(x), torch.where(x >= 10, x, table))


def use_table_gelu(model: torch.nn.Module) -> int:
    """Replace every GELU of a model by ggml's; return how many there were."""
    found = [
        (parent, name)
        for parent in model.modules()
        for name, child in parent.named_children()
        if "gelu" in type(child).__name__.lower()
    ]
    for parent, name in found:
        setattr(parent, name, TableGelu())
    return len(found)


def _rope(scaling: str | None) -> dict[str, object]:
    if scaling is None:
        return {}
    rope: dict[str, object] = {"rope_theta": 10000.0, "factor": 4.0}
    if scaling == "linear":
        rope["rope_type"] = "linear"
    elif scaling == "yarn":
        rope |= {"rope_type": "yarn", "original_max_position_embeddings": CONTEXT // 4}
    elif scaling == "llama3":
        rope |= {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
        rope["original_max_position_embeddings"] = 64
    elif scaling == "longrope":
        steps = np.arange(8)
        rope |= {"rope_type": "longrope", "long_factor": list(1.0 + steps), "short_factor": list(1.0 + steps / 8)}
        rope |= {"original_max_position_embeddings": 64, "factor": CONTEXT / 64}
        return {"rope_parameters": rope, "original_max_position_embeddings": 64}
    return {"rope_parameters": rope}


def _load(model: torch.nn.Module, family: str, tensors: dict[str, np.ndarray], blocks: int) -> None:
    arch = next(a for a, n in MODEL_ARCH_NAMES.items() if n == FAMILIES[family].architecture)
    names = get_tensor_name_map(arch, blocks)
    state = model.state_dict()
    tied = getattr(model.config, "tie_word_embeddings", False)
    for key, target in state.items():
        if key == "lm_head.weight" and tied:
            continue
        if ".experts." in key:
            value = _experts(key, tensors)
        else:
            found = names.get_name(_map_name(key), try_suffixes=(".weight", ".bias"))
            if found is None:
                raise KeyError(f"{family}: no GGUF name for {key}")
            value = _restore(family, found, tensors[found])
        if value.shape != tuple(target.shape):
            value = value.T if value.T.shape == tuple(target.shape) else value.reshape(tuple(target.shape))
        with torch.no_grad():
            target.copy_(torch.from_numpy(np.array(value)))


def _map_name(key: str) -> str:
    return key.replace("backbone.embedding.", "backbone.embeddings.") if key.startswith("backbone.") else key


def _experts(key: str, tensors: dict[str, np.ndarray]) -> np.ndarray:
    block = re.search(r"layers\.(\d+)\.", key)[1]
    if key.endswith("down_proj"):
        return tensors[f"blk.{block}.ffn_down_exps.weight"]
    return np.concatenate([tensors[f"blk.{block}.ffn_{n}_exps.weight"] for n in ("gate", "up")], axis=1)


def _restore(family: str, name: str, value: np.ndarray) -> np.ndarray:
    """Undo what llama.cpp's converter does to a tensor."""
    if family in (*_PERMUTED, "mistral") and re.search(r"attn_[qk]\.weight", name):
        heads = N_HEAD if "attn_q" in name else FAMILIES[family].n_kv
        pairs = value.reshape(heads, -1, 2, value.shape[-1])
        return pairs.swapaxes(1, 2).reshape(value.shape)
    if family in _GEMMA and name.endswith("norm.weight"):
        return value - 1
    if family == "gptneox" and "attn_qkv" in name:
        return value.reshape(3, N_HEAD, -1, *value.shape[1:]).swapaxes(0, 1).reshape(value.shape)
    if family == "gpt2" and name.startswith("blk.") and value.ndim == 2:
        return value.T
    if name.endswith("ssm_a"):
        return np.log(-value)
    return value


def read_states(model: torch.nn.Module, tokens: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(states float32 (L+1, n_embd), final (n_embd,), logits (n_vocab,)) at the last position.

    States are raw: what enters each block, and what enters the output norm.
    """
    seen: list[torch.Tensor] = []

    def keep(_module: object, args: tuple, kwargs: dict) -> None:
        seen.append((args[0] if args else kwargs["hidden_states"])[0, -1].clone())

    modules = dict(model.named_modules())
    layers = next(m for n, m in modules.items() if re.search(r"(^|\.)(layers|h)$", n))
    norm = next(m for n, m in modules.items() if re.fullmatch(r"\w+\.(norm|final_layer_?norm|ln_f|norm_f)", n))
    handles = [m.register_forward_pre_hook(keep, with_kwargs=True) for m in (*layers, norm)]
    try:
        with torch.no_grad():
            out = model(torch.tensor([tokens]), output_hidden_states=True, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack(seen).numpy(), out.hidden_states[-1][0, -1].numpy(), out.logits[0, -1].numpy()


def read_gguf(path: Path) -> torch.nn.Module:
    """The model as transformers' own GGUF reader gives it: dequantized, float32, eager attention."""
    return transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
