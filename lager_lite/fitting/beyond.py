"""Whether anything is left of the agreement with people once numbers of the text are controlled for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..stats import interval_text, rank_figures
from .labelled import Labelled


def nothing_beyond(data: Labelled, names: Sequence[str], ranks: np.ndarray, seed: int) -> list[str]:
    """A warning where controlled scores of unseen items do not clearly agree with people, else nothing.

    names: of what was controlled for. ranks: of the scores inside the folds, float64 (n,). seed: of the interval.
    """
    rng = np.random.default_rng(seed)
    found = rank_figures({"": [ranks]}, data.human, data.group, rng=rng, ranked=[""]).estimate("")
    if found.value is not None and found.interval is not None and found.interval.low > 0:
        return []
    value = "undefined" if found.value is None else f"{found.value:.3f} {interval_text(found.interval)}"
    return [
        f"nothing is left beyond {' and '.join(names)}: with it controlled for, scores of unseen items do not clearly agree "
        f"with people (Spearman {value}), so do not use these weights without more labels"
    ]
