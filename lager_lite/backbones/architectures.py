"""What differs between llama.cpp's architectures, as data, read from src/models/*.cpp of version 0.3.36.

Every rule here is checked when a model is loaded: logits computed from it must equal llama.cpp's.
"""

from __future__ import annotations

_ENCODER = "it is an encoder or embedding model, which predicts no next token"
_ENCODER_DECODER = "it is an encoder-decoder model"
_DIFFUSION = "it is a diffusion model, which has no next-token position"
_DRAFT = "it is a draft model that runs only beside its target model"
_AUDIO = "it produces audio"
_WIDE = "its residual stream is several vectors wide, so a block has no single hidden state"

UNSUPPORTED: dict[str, str] = {
    **dict.fromkeys(
        (
            "bert",
            "modern-bert",
            "nomic-bert",
            "nomic-bert-moe",
            "neo-bert",
            "jina-bert-v2",
            "jina-bert-v3",
            "eurobert",
            "gemma-embedding",
            "llama-embed",
        ),
        _ENCODER,
    ),
    **dict.fromkeys(("t5", "t5encoder"), _ENCODER_DECODER),
    **dict.fromkeys(("dream", "llada", "llada-moe", "rnd1"), _DIFFUSION),
    **dict.fromkeys(("eagle3", "dflash", "gemma4-assistant"), _DRAFT),
    **dict.fromkeys(("wavtokenizer-dec", "qwen3tts", "pockettts"), _AUDIO),
    **dict.fromkeys(("deepseek4", "qwen4exp", "glm5-next", "hy_v4", "gemma3n"), _WIDE),
    "clip": "it is the image or audio part of a multimodal model",
    "hrm_text": "its blocks run several times per token",
    "kimi-k3": "its output head reads a mixture of blocks, not the last one",
    "plamo2": "llama.cpp does not name its block outputs",
    "plamo3": "llama.cpp does not name its output norm",
}
"""Architectures that cannot be judged with, each with the reason that the user reads."""

RECURRENT = frozenset(
    (
        "mamba",
        "mamba2",
        "rwkv6",
        "rwkv6qwen2",
        "rwkv7",
        "arwkv7",
        "jamba",
        "falcon-h1",
        "plamo2",
        "granitehybrid",
        "lfm2",
        "lfm2moe",
        "nemotron_h",
        "nemotron_h_moe",
        "qwen3next",
        "kimi-linear",
        "bailingmoe3",
        "kimi-k3",
        "glm5-next",
        "qwen35",
        "qwen35moe",
        "qwen4exp",
        "deepseek4",
        "minimax-01",
    )
)
"""Architectures with recurrent or hybrid memory, which cannot be taken back to an earlier position."""

LAYER_NORM = frozenset(
    (
        "bloom",
        "codeshell",
        "cohere2",
        "command-r",
        "dbrx",
        "falcon",
        "gpt2",
        "gptneox",
        "jais",
        "jais2",
        "mpt",
        "nemotron",
        "olmo",
        "orion",
        "phi2",
        "rwkv6",
        "rwkv7",
        "stablelm",
        "starcoder",
        "starcoder2",
    )
)
"""Architectures with a LayerNorm before the head. All others have an RMSNorm, except that cohere2moe has the
one whose epsilon the file names."""

WHOLE_HEAD_TURNS = frozenset(
    (
        "llama",
        "internlm2",
        "qwen2",
        "qwen2moe",
        "qwen3",
        "qwen3moe",
        "starcoder2",
        "granite",
        "granitemoe",
        "minicpm",
        "olmo",
        "olmo2",
        "olmoe",
        "smollm3",
        "exaone",
        "falcon",
        "mistral3",
        "seed_oss",
        "xverse",
    )
)
"""Architectures on which llama.cpp aborts where RoPE does not turn the whole head, or where keys and values
differ in length."""

NO_NORM_WEIGHT = frozenset(("olmo", "talkie"))
"""Architectures whose output norm has neither gain nor bias."""

NORM_TENSOR = {"lfm2": "token_embd_norm", "lfm2moe": "token_embd_norm"}
"""The name of the output norm where it is not "output_norm"."""

DIVIDE_BY_SCALE = frozenset(("granite", "granitemoe", "granitehybrid", "graniteswitch", "granite_swa", "minicpm"))
"""Architectures that divide logits by `logit_scale`."""

MULTIPLY_BY_SCALE = frozenset(("command-r", "cohere2", "cohere2moe", "grok", "talkie", "muse-glimmer"))
"""Architectures that multiply logits by `logit_scale`; all others ignore it."""

SOFTCAP_DEFAULT = {"gemma2": 30.0, "gemma3": 0.0, "gemma3n": 30.0, "gemma4": 30.0, "grok": 0.0, "muse-glimmer": 30.0}
"""Architectures whose logits are soft-capped, with the cap that applies where the file names none."""

_GROK_SCALE = 0.5773502691896257
_MINICPM_BASE = 256.0


def logit_scale(architecture: str, value: float | None, n_embd: int) -> float:
    """The factor on the logits: `value` is the file's `logit_scale`, None where it has none."""
    if architecture == "minicpm3":
        return _MINICPM_BASE / n_embd
    if architecture == "minicpm" and value is None:
        return n_embd / _MINICPM_BASE
    if architecture == "grok" and value is None:
        return _GROK_SCALE
    if not value:
        return 1.0
    if architecture in DIVIDE_BY_SCALE:
        return 1.0 / value
    return value if architecture in MULTIPLY_BY_SCALE else 1.0
