"""How well the demo's pairs are ordered without a model: by the surface of summaries, fitted on the training set.

`python -m tests.measure.demo_surface`, in the checkout. The ordinal model and the choice of its strength are those of
`eval`'s baseline `surface`; the training set is that of the weights that ship.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from lager_lite.data import load_demo, read_items
from lager_lite.fitting import FEATURES, FeatureMethod, baseline_features

ROOT = Path(__file__).resolve().parents[2]


def share_right(groups: list[str], human: list[float], scores: np.ndarray) -> float:
    """The share of the pairs of one group, and of two grades, that scores (n,) put in the order of the grades."""
    pairs = [
        (scores[one] - scores[other]) * (human[one] - human[other])
        for one, other in itertools.combinations(range(len(human)), 2)
        if groups[one] == groups[other] and human[one] != human[other]
    ]
    return float(np.mean(np.sign(pairs) / 2 + 0.5))


def main() -> None:
    taught = read_items(ROOT / "models" / "training" / "summaries.jsonl").items
    demo = load_demo().items
    human = np.array([item.human[""][0] for item in taught])
    groups = np.array([item.group for item in taught])
    asked, known = baseline_features(demo), baseline_features(taught)
    for name in asked:
        scorer = FeatureMethod(np.arange(1.0, 6.0)).fit({FEATURES: known[name]}, human, groups)
        raw, _ = scorer.predict({FEATURES: asked[name]})
        right = share_right([i.group for i in demo], [i.human[""][0] for i in demo], raw)
        print(f"{name:8} {right:.0%}")


if __name__ == "__main__":
    main()
