"""The tensors and settings of each architecture that `tests.model_files.tiny` can write.

A tensor is (name, shape, kind): shape in numpy order (rows, columns), kind one of "matrix", "rows"
(embeddings and output rows), "gain", "bias", and the three of state-space blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

TensorSpec = tuple[str, tuple[int, ...], str]


@dataclass(frozen=True)
class Sizes:
    """The sizes of one model; head_dim may differ from n_embd / n_head."""

    n_embd: int
    n_vocab: int
    n_head: int
    n_kv: int
    head_dim: int
    n_ff: int


@dataclass(frozen=True)
class Family:
    """One family: its GGUF architecture, tensors per block, and metadata beyond the common part.

    rms: RMSNorm (else LayerNorm); output_bias, norm_bias: whether the head and output norm have one;
    extra: tensors outside the blocks.
    """

    architecture: str
    block: Callable[[Sizes], list[TensorSpec]]
    settings: Mapping[str, object] = field(default_factory=dict)
    rms: bool = True
    norm: bool = True
    norm_bias: bool = False
    output_bias: bool = False
    tied: bool = False
    n_blocks: int = 3
    n_kv: int = 2
    head_dim: int | None = None
    rotary: float = 1.0
    extra: Callable[[Sizes], list[TensorSpec]] = lambda s: []


def _gains(s: Sizes, *names: str, bias: bool = False) -> list[TensorSpec]:
    kinds = (("weight", "gain"), ("bias", "bias")) if bias else (("weight", "gain"),)
    return [(f"{n}.{suffix}", (s.n_embd,), kind) for n in names for suffix, kind in kinds]


def _linear(name: str, rows: int, columns: int, bias: bool = False) -> list[TensorSpec]:
    weight: TensorSpec = (f"{name}.weight", (rows, columns), "matrix")
    return [weight, (f"{name}.bias", (rows,), "bias")] if bias else [weight]


def _attention(s: Sizes, bias: bool = False, out_bias: bool = False) -> list[TensorSpec]:
    q, kv = s.n_head * s.head_dim, s.n_kv * s.head_dim
    found = [t for n, rows in (("q", q), ("k", kv), ("v", kv)) for t in _linear(f"attn_{n}", rows, s.n_embd, bias)]
    return found + _linear("attn_output", s.n_embd, q, out_bias)


def _fused(s: Sizes, bias: bool = False) -> list[TensorSpec]:
    q, kv = s.n_head * s.head_dim, s.n_kv * s.head_dim
    return _linear("attn_qkv", q + 2 * kv, s.n_embd, bias) + _linear("attn_output", s.n_embd, q, bias)


def _head_norms(s: Sizes) -> list[TensorSpec]:
    return [(f"attn_{n}_norm.weight", (s.head_dim,), "gain") for n in "qk"]


def _gated(s: Sizes) -> list[TensorSpec]:
    return [*_linear("ffn_gate", s.n_ff, s.n_embd), *_plain(s)]


def _plain(s: Sizes, bias: bool = False) -> list[TensorSpec]:
    return [*_linear("ffn_up", s.n_ff, s.n_embd, bias), *_linear("ffn_down", s.n_embd, s.n_ff, bias)]


def _llama(s: Sizes) -> list[TensorSpec]:
    return [*_gains(s, "attn_norm", "ffn_norm"), *_attention(s), *_gated(s)]


def _qwen2(s: Sizes) -> list[TensorSpec]:
    return [*_gains(s, "attn_norm", "ffn_norm"), *_attention(s, bias=True), *_gated(s)]


def _qwen3(s: Sizes) -> list[TensorSpec]:
    return [*_llama(s), *_head_norms(s)]


def _qwen3moe(s: Sizes) -> list[TensorSpec]:
    experts, n_ff = 4, s.n_ff // 4
    return [
        *_gains(s, "attn_norm", "ffn_norm"),
        *_attention(s),
        *_head_norms(s),
        *_linear("ffn_gate_inp", experts, s.n_embd),
        ("ffn_gate_exps.weight", (experts, n_ff, s.n_embd), "matrix"),
        ("ffn_up_exps.weight", (experts, n_ff, s.n_embd), "matrix"),
        ("ffn_down_exps.weight", (experts, s.n_embd, n_ff), "matrix"),
    ]


def _gemma2(s: Sizes) -> list[TensorSpec]:
    return [*_llama(s), *_gains(s, "post_attention_norm", "post_ffw_norm")]


def _gemma3(s: Sizes) -> list[TensorSpec]:
    return [*_gemma2(s), *_head_norms(s)]


def _phi3(s: Sizes) -> list[TensorSpec]:
    ffn = [*_linear("ffn_up", 2 * s.n_ff, s.n_embd), *_linear("ffn_down", s.n_embd, s.n_ff)]
    return [*_gains(s, "attn_norm", "ffn_norm"), *_fused(s), *ffn]


def _stablelm(s: Sizes) -> list[TensorSpec]:
    return [*_gains(s, "attn_norm", "ffn_norm", bias=True), *_attention(s), *_gated(s)]


def _gptneox(s: Sizes) -> list[TensorSpec]:
    return [*_gains(s, "attn_norm", "ffn_norm", bias=True), *_fused(s, bias=True), *_plain(s, bias=True)]


def _starcoder2(s: Sizes) -> list[TensorSpec]:
    norms = _gains(s, "attn_norm", "ffn_norm", bias=True)
    return [*norms, *_attention(s, bias=True, out_bias=True), *_plain(s, bias=True)]


def _command_r(s: Sizes) -> list[TensorSpec]:
    return [*_gains(s, "attn_norm"), *_attention(s), *_gated(s)]


def _olmo2(s: Sizes) -> list[TensorSpec]:
    q, kv = s.n_head * s.head_dim, s.n_kv * s.head_dim
    norms: list[TensorSpec] = [("attn_q_norm.weight", (q,), "gain"), ("attn_k_norm.weight", (kv,), "gain")]
    return [*_gains(s, "post_attention_norm", "post_ffw_norm"), *_attention(s), *norms, *_gated(s)]


def _falcon(s: Sizes) -> list[TensorSpec]:
    return [*_gains(s, "attn_norm", bias=True), *_fused(s), *_plain(s)]


def _phi2(s: Sizes) -> list[TensorSpec]:
    return [*_gains(s, "attn_norm", bias=True), *_fused(s, bias=True), *_plain(s, bias=True)]


def _mamba(s: Sizes) -> list[TensorSpec]:
    inner, state, rank, kernel = 2 * s.n_embd, 8, 4, 4
    return [
        *_gains(s, "attn_norm"),
        *_linear("ssm_in", 2 * inner, s.n_embd),
        ("ssm_conv1d.weight", (inner, kernel), "matrix"),
        ("ssm_conv1d.bias", (inner,), "bias"),
        *_linear("ssm_x", rank + 2 * state, inner),
        ("ssm_dt.weight", (inner, rank), "matrix"),
        ("ssm_dt.bias", (inner,), "ssm_dt"),
        ("ssm_a", (inner, state), "ssm_a"),
        ("ssm_d", (inner,), "gain"),
        *_linear("ssm_out", s.n_embd, inner),
    ]


_GEMMA = {"attention.key_length": 24, "attention.value_length": 24, "attention.sliding_window": 16}
_QWEN3MOE = {"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 32}
_MAMBA = {
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 128,
    "ssm.state_size": 8,
    "ssm.time_step_rank": 4,
}
_GRANITE = {"logit_scale": 2.0, "residual_scale": 0.5, "embedding_scale": 3.0, "attention.scale": 0.2}

FAMILIES: dict[str, Family] = {
    "llama": Family("llama", _llama),
    "mistral": Family("llama", _llama, {"attention.key_length": 24, "attention.value_length": 24}, head_dim=24),
    "internlm2": Family("internlm2", _llama),
    "qwen2": Family("qwen2", _qwen2, tied=True),
    "qwen3": Family("qwen3", _qwen3, {"attention.key_length": 24, "attention.value_length": 24}, head_dim=24),
    "qwen3moe": Family("qwen3moe", _qwen3moe, {**_QWEN3MOE, "attention.key_length": 16, "attention.value_length": 16}),
    "gemma2": Family(
        "gemma2",
        _gemma2,
        {**_GEMMA, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0},
        tied=True,
        head_dim=24,
    ),
    "gemma3": Family("gemma3", _gemma3, _GEMMA, tied=True, head_dim=24, n_blocks=6),
    "phi3": Family("phi3", _phi3),
    "stablelm": Family("stablelm", _stablelm, rms=False, norm_bias=True, rotary=0.25),
    "gptneox": Family(
        "gptneox", _gptneox, {"use_parallel_residual": True}, rms=False, norm_bias=True, n_kv=4, rotary=0.25
    ),
    "starcoder2": Family("starcoder2", _starcoder2, rms=False, norm_bias=True, tied=True),
    "command-r": Family("command-r", _command_r, {"logit_scale": 0.5}, rms=False, tied=True),
    "granite": Family("granite", _llama, _GRANITE, tied=True),
    "minicpm": Family("minicpm", _llama, tied=True),
    "olmo2": Family("olmo2", _olmo2),
    "olmo": Family("olmo", lambda s: [*_attention(s), *_gated(s)], rms=False, norm=False),
    "falcon": Family("falcon", _falcon, rms=False, norm_bias=True, n_kv=1),
    "phi2": Family("phi2", _phi2, rms=False, norm_bias=True, output_bias=True, n_kv=4, rotary=0.5),
    "gpt2": Family(
        "gpt2",
        _gptneox,
        rms=False,
        norm_bias=True,
        tied=True,
        n_kv=4,
        extra=lambda s: [("position_embd.weight", (4096, s.n_embd), "rows")],
    ),
    "bloom": Family(
        "bloom",
        _gptneox,
        {"attention.max_alibi_bias": 8.0},
        rms=False,
        norm_bias=True,
        tied=True,
        n_kv=4,
        extra=lambda s: _gains(s, "token_embd_norm", bias=True),
    ),
    "mamba": Family("mamba", _mamba, _MAMBA, tied=True),
}
