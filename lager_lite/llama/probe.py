"""A tiny model with known states, which a library that was built must read out of it.

It is a llama of two blocks with random weights and a vocabulary of the 256 bytes. Its states are computed here a second
time, in float64 and by numpy alone, so that a library is compared with the formulas and not with itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize, quantize

_WIDTH, _HEADS, _INNER, _BLOCKS, _EPS, _BASE = 64, 4, 128, 2, 1e-5, 10000.0
_SIZE = _WIDTH // _HEADS
_SHAPES = {
    **{name: (_WIDTH, _WIDTH) for name in ("attn_q", "attn_k", "attn_v", "attn_output")},
    **{"ffn_gate": (_INNER, _WIDTH), "ffn_up": (_INNER, _WIDTH), "ffn_down": (_WIDTH, _INNER)},
}


def write_probe(path: Path, kind: str = "F32") -> Path:
    """Write the model with matrices of a type of GGUF; return its path. Our products unpack those of "Q8_0"."""
    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_BLOCKS)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(_EPS)
    writer.add_rope_dimension_count(_SIZE)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in printable]
    tokens = [chr(byte) if byte in printable else chr(256 + hidden.index(byte)) for byte in range(256)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges(["o r"])
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    for name, values in _matrices(kind).items():
        writer.add_tensor(f"{name}.weight", values, raw_dtype=GGMLQuantizationType[kind])
    for name in ("output_norm", *(f"blk.{b}.{part}_norm" for b in range(_BLOCKS) for part in ("attn", "ffn"))):
        writer.add_tensor(f"{name}.weight", np.ones(_WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def right_states(tokens: Sequence[int], kind: str = "F32") -> np.ndarray:
    """Return the states (3, 64) at the last of some tokens, float64: the equations of Llama (arXiv 2302.13971)."""
    weights = {
        name: dequantize(w, GGMLQuantizationType[kind]).astype(np.float64) for name, w in _matrices(kind).items()
    }
    x = weights["token_embd"][list(tokens)]
    states = [x[-1]]
    for block in range(_BLOCKS):
        own = {name: weights[f"blk.{block}.{name}"] for name in _SHAPES}
        h = _normed(x)
        q, k, v = (_heads(h @ own[f"attn_{name}"].T) for name in "qkv")
        x = x + _attended(_turned(q), _turned(k), v) @ own["attn_output"].T
        h = _normed(x)
        gate = h @ own["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ own["ffn_up"].T)) @ own["ffn_down"].T
        states.append(x[-1])
    return np.stack(states)


def _matrices(kind: str) -> dict[str, np.ndarray]:
    """The matrices by name, as they stand in the file."""
    rng = np.random.default_rng(0)
    found = {"token_embd": rng.standard_normal((256, _WIDTH))}
    for block in range(_BLOCKS):
        for name, shape in _SHAPES.items():
            found[f"blk.{block}.{name}"] = rng.standard_normal(shape) / shape[1] ** 0.5
    return {name: quantize(values.astype(np.float32), GGMLQuantizationType[kind]) for name, values in found.items()}


def _normed(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + _EPS))


def _heads(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.reshape(len(x), _HEADS, _SIZE).swapaxes(0, 1))


def _turned(x: np.ndarray) -> np.ndarray:
    """Turn each pair of neighbouring numbers by an angle that grows with the position (RoPE, arXiv 2104.09864)."""
    angles = np.arange(x.shape[1])[:, None] * _BASE ** (-np.arange(0, _SIZE, 2) / _SIZE)
    even, odd, cos, sin = x[..., ::2], x[..., 1::2], np.cos(angles), np.sin(angles)
    return np.asarray(np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(x.shape))


def _attended(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    scores = q @ k.swapaxes(1, 2) / _SIZE**0.5
    n = scores.shape[-1]
    shares = np.exp(np.where(np.tri(n, dtype=bool), scores - scores.max(axis=-1, keepdims=True), -np.inf))
    found = shares / shares.sum(axis=-1, keepdims=True) @ v
    return np.asarray(found.swapaxes(0, 1).reshape(n, _WIDTH))
