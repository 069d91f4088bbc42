"""Hidden states to layer logits: the output norm, the score-token rows and the head's scaling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..records import Head


def apply_norm(states: np.ndarray, head: Head) -> np.ndarray:
    """The output norm of every state: float32 (..., n_embd) to the same shape.

    RMSNorm: x / sqrt(mean(x^2) + eps); LayerNorm: (x - mean) / sqrt(var + eps), var with divisor n;
    then times the gain and plus the bias where the model has them.
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
    return x.astype(np.float32)


def layer_logits(states: np.ndarray, head: Head, n_states_total: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The logits of the K score tokens under both lenses: (raw, norm), each float32 (..., S, K).

    states float32 (S, n_embd) or (n, S, n_embd), state 0 first; n_states_total: L+1, needed where
    the graph was ended early (S < L+1), since the last row then is not state L; None: S is L+1.

    raw (LAGER, arXiv 2508.03550): states 0..L-1 as they are, state L after the output norm. norm:
    every state after the output norm. The head's bias and scale apply to all; its soft cap, which
    the paper's models do not have, to all of the norm lens but only to state L of the raw lens, as
    raw states lie far outside the range that the cap was made for.
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


def label_mass(logits: np.ndarray, token_ids: Sequence[int]) -> float:
    """The share of the softmax over the whole vocabulary that the tokens hold, in 0..1.

    logits (n_vocab,), as llama.cpp returns them; computed in float64, shifted by the maximum.
    """
    values = np.asarray(logits, dtype=np.float64)
    weights = np.exp(values - values.max())
    return float(weights[list(token_ids)].sum() / weights.sum())


def _project(vectors: np.ndarray, head: Head) -> np.ndarray:
    logits = vectors @ head.rows.T
    if head.bias is not None:
        logits = logits + head.bias
    return (logits * np.float32(head.logit_scale)).astype(np.float32, copy=False)


def _softcap(logits: np.ndarray, cap: float) -> np.ndarray:
    return logits if cap == 0 else (cap * np.tanh(logits / cap)).astype(np.float32)
