"""How often the interval of a score holds what people say of a new item, by simulation.

`python -m tests.measure.coverage [RUNS] [FIRST_SEED]` draws labels and hidden states, fits weights of kind states with their margin,
and scores 200 items of new groups. The aim is 0.90, between 0.87 and 0.93.
"""

from __future__ import annotations

import sys

import numpy as np

from lager_lite.fitting import fit_states
from lager_lite.fitting.margins import conformal_margin
from lager_lite.scoring import states_score

VALUES = np.arange(1.0, 6.0)
SETTINGS = {
    "40 items": (40, 1, 0.8),
    "100 items": (100, 1, 0.8),
    "30 groups of 7": (30, 7, 0.8),
    "the same, null": (30, 7, 0.0),
}
"""Groups, items of a group, and how strongly the states say the quality."""


def drawn(rng: np.random.Generator, groups: int, each: int, told: float, ways: np.ndarray):
    """States float16 (n, S, d), people's scores (n,) and groups (n,); items of a group have something in common."""
    group = np.repeat(np.arange(groups), each)
    quality = 0.6 * rng.normal(size=groups)[group] + 0.8 * rng.normal(size=group.size)
    x = rng.normal(size=(group.size, *ways.shape)) + told * quality[:, None, None] * ways
    x += 0.5 * rng.normal(size=(groups, *ways.shape))[group]
    human = np.clip(3.0 + quality + 0.5 * rng.normal(size=group.size), 1.0, 5.0)
    return x.astype(np.float16), human, group


def covered(groups: int, each: int, told: float, seed: int) -> tuple[float, float]:
    """Share of new items whose score lies in the interval, and the interval's mean length, in one run."""
    rng = np.random.default_rng(seed)
    ways = rng.normal(size=(3, 16))
    x, human, group = drawn(rng, groups, each, told, ways)
    found = fit_states(x, human, VALUES, groups=group)
    margin = conformal_margin(found.out_of_fold, human, group, VALUES)
    new, people, _ = drawn(rng, 200, 1, told, ways)
    scores = states_score(new, VALUES, found.weights)[2]
    low, high = np.maximum(scores - margin, 1.0), np.minimum(scores + margin, 5.0)
    # Labels at an end of the scale lie on the interval's own end.
    inside = (people >= low - 1e-9) & (people <= high + 1e-9)
    return float(inside.mean()), float(np.mean(high - low))


def main(runs: int = 300, first: int = 0) -> None:
    for name, (groups, each, told) in SETTINGS.items():
        found = np.array([covered(groups, each, told, seed) for seed in range(first, first + runs)])
        share, error = found[:, 0].mean(), found[:, 0].std() / np.sqrt(runs)
        print(f"{name:16} {runs} runs: coverage {share:.3f} (+- {error:.3f}), mean length {found[:, 1].mean():.2f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
