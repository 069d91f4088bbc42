"""Which token comes next: the likeliest one, or one that is drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    - `temperature`: 0 for the likeliest token; above 0 the logits are divided by it before the softmax.
    - `top_p`: a token is drawn from the smallest set of tokens that holds this share of the probability.
    """

    temperature: float = 0.0
    top_p: float = 1.0


def draw_token(logits: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> int:
    """Return the next token.

    logits: float32 (n_vocab,), -inf for tokens that must not be drawn. At temperature 0 the likeliest token is
    returned, the first one of several that are equally likely. Above 0 this is nucleus sampling (Holtzman et al.
    2020, The Curious Case of Neural Text Degeneration) with one number of `rng`.
    """
    if sampling.temperature == 0:
        return int(np.argmax(logits))
    scaled = logits.astype(np.float64) / sampling.temperature
    weights = np.exp(scaled - scaled.max())
    weights /= weights.sum()
    # All tokens below this bound hold less together than what lies outside the nucleus, so none of them is in it.
    kept = np.flatnonzero(weights >= (1 - sampling.top_p) / len(weights))
    kept = kept[np.argsort(-weights[kept], kind="stable")]
    held = np.cumsum(weights[kept])
    size = min(int(np.searchsorted(held, sampling.top_p)) + 1, len(kept))
    return int(kept[min(int(np.searchsorted(held[:size], rng.random() * held[size - 1], side="right")), size - 1)])
