"""From a reading to a judgment: layer logits and weights in, a score out."""

from __future__ import annotations

import numpy as np

from ..data import term_columns
from ..errors import DataError, MisuseError
from ..prompts import Rubric
from ..records import BOTH_LENSES, STATES_KIND, Item, Judgment, LayerWeights, Reading
from ..scoring import aggregate
from .quality import flags_of


def judgment_of(
    item: Item, rubric: Rubric, reading: Reading | str, fitted: LayerWeights | None, n_states: int
) -> Judgment:
    """Return the judgment of an item under a rubric.

    - `reading`: what was read; or why nothing was, which gives a judgment with that error.
    - `fitted`: the layer weights. None: the score is `e_score`.
    - `n_states`: L+1 of the model.

    The baselines `direct`, `e_score` and `uniform` (raw lens, as in `evaluate`) need a reading of all states and are
    None without it. A reading of fewer states without weights becomes a judgment with an error.
    """
    if isinstance(reading, str):
        return Judgment(item.id, rubric.name, None, error=reading, where=item.where, flags=item.flags)
    values = np.asarray(rubric.scale.values)
    whole = len(reading.raw) == n_states
    if fitted is None and not whole:
        error = f"states 0 to {len(reading.raw) - 1} of {n_states - 1} were read: no score without weights for them"
        return judgment_of(item, rubric, error, fitted, n_states)
    raw = reading.raw.astype(np.float64)
    logits = reading.lens(fitted.lens).astype(np.float64) if fitted else raw
    weights = fitted or aggregate.unlabelled_weights(len(logits))
    if weights.kind == STATES_KIND:
        if reading.states is None:
            raise MisuseError("weights of kind states need readings with states", "open the judge with states=True")
        probabilities, score, calibrated = aggregate.states_score(reading.states, values, weights)
    else:
        probabilities, score, calibrated = aggregate.score(logits, values, weights)
    if weights.text is not None:
        try:
            columns = term_columns([item], weights.text.names)[0]
        except DataError as error:
            return Judgment(id=item.id, rubric=rubric.name, score=None, error=error.message, where=item.where)
        probabilities, score, calibrated = aggregate.with_text(score, columns, values, weights)
    alone = raw if weights.lens == BOTH_LENSES else logits
    by_label = dict(zip(rubric.scale.labels, map(float, probabilities)))
    return Judgment(
        id=item.id,
        rubric=rubric.name,
        score=float(calibrated),
        interval=_interval(float(calibrated), weights.margin, values),
        raw_score=float(score),
        probabilities=by_label,
        direct=float(aggregate.direct(raw[-1], values)) if whole else None,
        e_score=float(aggregate.e_score(raw[-1], values)) if whole else None,
        uniform=float(aggregate.uniform_score(raw, values)) if whole else None,
        per_layer=tuple(map(float, aggregate.per_layer_scores(alone, values))),
        mass=reading.mass,
        tokens=reading.tokens,
        feedback=reading.feedback or None,
        flags=flags_of(item, by_label, reading.mass),
        where=item.where,
    )


def _interval(score: float, margin: float | None, values: np.ndarray) -> tuple[float, float] | None:
    """The score's interval, which ends where the scale ends."""
    if margin is None:
        return None
    return max(float(values[0]), score - margin), min(float(values[-1]), score + margin)
