"""From hidden states to layer logits: the output norm, the rows of the score tokens, and the head's scaling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..records import Head


def apply_norm(states: np.ndarray, head: Head) -> np.ndarray:
    """Every state after the output norm: float32 (..., n_embd), the same shape as the states.

    RMSNorm is x / sqrt(mean(x^2) + eps), LayerNorm is (x - mean) / sqrt(var + eps) with the variance's divisor n.
    The result is multiplied by the gain and the bias is added, where the model has them. Raises ValueError for
    a norm of another kind.
    """
    x = np.asarray(states, dtype=np.float64)
    if head.norm_kind == "layer":
        x = x - x.mean(axis=-1, keepdims=True)
    elif head.norm_kind != "rms":
        raise ValueError(f'norm_kind must be "rms" or "layer", got {head.norm_kind!r}')
    x = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + head.norm_eps)
    if head.norm_weight is not None:
        x = x * head.norm_weight
    if head.norm_bias is not None:
        x = x + head.norm_bias
    normed: np.ndarray = x.astype(np.float32)
    return normed


def layer_logits(states: np.ndarray, head: Head, n_states_total: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The logits of the K score tokens under both lenses: (raw, norm), each float32 (..., S, K).

    states: float32 (S, n_embd) or (n, S, n_embd), state 0 first. n_states_total: L+1; it is needed where
    the pass ended early (S < L+1), since the last row then is not state L. None: S is L+1.

    The raw lens (LAGER, arXiv 2508.03550) takes states 0..L-1 as they are, and state L after the output
    norm. The norm lens takes every state after the output norm. The head's bias and scale apply to all
    of them. Its soft cap, which the paper's models do not have, applies to every state of the norm lens but
    only to state L of the raw lens, since raw states lie far outside the range that the cap was made for.
    Raises ValueError for more states than n_states_total.
    """
    states = np.asarray(states, dtype=np.float32)
    count = states.shape[-2]
    total = count if n_states_total is None else n_states_total
    if not 1 <= count <= total:
        raise ValueError(f"states must hold 1 to {total} states, got {count}")
    norm = _softcap(_project(apply_norm(states, head), head), head.softcap)
    raw = _project(states, head)
    if count == total:
        raw[..., -1, :] = norm[..., -1, :]
    return raw, norm


def unit_states(states: np.ndarray) -> np.ndarray:
    """States (..., S, n_embd) divided by their root mean square, float16 of the same shape.

    A state of zeros stays one. The entries of raw states may lie outside the range of float16, and most of a raw
    state's size is the same for all prompts.
    """
    x = np.asarray(states, dtype=np.float32)
    size = np.sqrt(np.mean(x * x, axis=-1, keepdims=True, dtype=np.float64))
    unit: np.ndarray = (x / np.where(size > 0, size, 1.0)).astype(np.float16)
    return unit


def label_mass(logits: np.ndarray, token_ids: Sequence[int]) -> float:
    """The share of the whole vocabulary's probability that the tokens hold, from 0 to 1.

    logits: (n_vocab,), as llama.cpp returns them. The exponentials are float32, which takes half the time of float64 on
    a large vocabulary and is right to 1e-6; they are summed in float64.
    """
    values = np.asarray(logits, dtype=np.float32)
    weights = values - values.max()
    np.exp(weights, out=weights)
    return float(weights[list(token_ids)].sum(dtype=np.float64) / weights.sum(dtype=np.float64))


def _project(vectors: np.ndarray, head: Head) -> np.ndarray:
    logits = vectors @ head.rows.T
    if head.bias is not None:
        logits = logits + head.bias
    scaled: np.ndarray = (logits * np.float32(head.logit_scale)).astype(np.float32, copy=False)
    return scaled


def _softcap(logits: np.ndarray, cap: float) -> np.ndarray:
    if cap == 0:
        return logits
    capped: np.ndarray = (cap * np.tanh(logits / cap)).astype(np.float32)
    return capped
