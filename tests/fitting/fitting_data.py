"""Synthetic layer logits in which some states speak for and some against the human score."""

from __future__ import annotations

import numpy as np


def layered(items=300, states=6, labels=5, *, seed=0, noise=0.5, bend=0.0):
    """Layer logits float32 (n, S, K), human scores in thirds (n,), values (K,), groups (n,) of six.

    State 0 never varies; odd states speak for the score, even ones against it, late ones louder.
    """
    rng = np.random.default_rng(seed)
    values = np.arange(1.0, labels + 1)
    quality = rng.normal(size=items)
    sign = np.where(np.arange(states) % 2, 1.0, -1.0) * np.arange(states) / states
    tilt = (values - values.mean()) / labels
    x = rng.normal(size=(items, states, labels)) * 0.4
    x += quality[:, None, None] * sign[None, :, None] * tilt
    x += bend * np.sin(quality)[:, None, None]
    x += rng.normal(size=(states, labels))
    x *= np.geomspace(0.3, 8.0, states)[None, :, None]
    x[:, 0] = x[0, 0]
    human = values.mean() + quality + noise * rng.normal(size=items)
    human = np.round(np.clip(human, values[0], values[-1]) * 3) / 3
    return x.astype(np.float32), human, values, np.arange(items) // 6
