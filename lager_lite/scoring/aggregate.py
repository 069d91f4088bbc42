"""From layer logits to a score: every way of reading them.

Layer logits have the shape (..., S, K), for S states and K labels; any leading axes are items. All functions
compute in float64, leave their inputs alone and broadcast over the leading axes. Functions that speak of the
last state use the last row that they are given, so they need all L+1 states.
"""

from __future__ import annotations

import numpy as np

from ..errors import WeightsError
from ..records import BOTH_LENSES, Calibration, LayerWeights


def softmax(logits: np.ndarray, axis: int = -1) -> np.ndarray:
    """Probabilities of `logits` along `axis`, in float64; stable for logits of any finite size.

    Bit for bit what `scipy.special.softmax` gives, without loading that module for every run of a judge.
    """
    logits = np.asarray(logits, dtype=np.float64)
    shares = np.exp(logits - logits.max(axis=axis, keepdims=True))
    probabilities: np.ndarray = shares / shares.sum(axis=axis, keepdims=True)
    return probabilities


def log_softmax(logits: np.ndarray, axis: int = -1) -> np.ndarray:
    """Logarithm of `softmax`, in float64; finite where the probability itself would round to zero.

    Bit for bit what `scipy.special.log_softmax` gives for finite logits.
    """
    logits = np.asarray(logits, dtype=np.float64)
    below = logits - logits.max(axis=axis, keepdims=True)
    logs: np.ndarray = below - np.log(np.exp(below).sum(axis=axis, keepdims=True))
    return logs


def combine(layer_logits: np.ndarray, weights: LayerWeights) -> np.ndarray:
    """One logit per label, (..., K), from layer logits (..., S, K) in the weights' lens.

    Only states that have a weight are used, counted from state 0, and clipped to the weights' limits. With weights over "probabilities"
    the result is the logarithm of the combined probabilities, so that the softmax returns these.
    Raises WeightsError where states or labels are missing, and for kinds of weights that cannot be
    applied to probabilities.
    """
    logits = _used_states(layer_logits, weights)
    if weights.over == "probabilities":
        if weights.kind not in ("uniform", "simplex"):
            raise WeightsError(
                f"weights of kind {weights.kind!r} cannot combine probabilities: their sum need not be one",
                'use them over "logits", or fit kind "simplex"',
            )
        return _log_mixture(logits, weights.weights)
    return combine_arrays(logits, weights.weights, weights.bias)


def combine_arrays(logits: np.ndarray, weights: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Combined logits (..., K) of layer logits (..., S, K) with weights (S,) or (S, K).

    With both lenses the layer logits are (..., S, 2K), and so are the weights. Weights (S,), one per state: combined[k] = sum_s weights[s] logits[s, k] + bias[k], which is the paper's
    equation with free weights. Weights (S, K), one per state and label: all layer logits together give
    one evidence e = sum_sj weights[s, j] logits[s, j], and combined[k] = steps[k] e + bias[k] with
    `label_steps`. This is the adjacent-category model for ordered grades (Agresti, Analysis of Ordinal
    Categorical Data, 4.1): more evidence moves the whole distribution up, whichever label it comes from.
    """
    logits = np.asarray(logits)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim == 2:
        flat = logits.reshape(*logits.shape[:-2], weights.size)
        # With both lenses there are two weights per state and label.
        labels = weights.shape[1] if bias is None else len(bias)
        combined = (flat @ weights.reshape(-1))[..., None] * label_steps(labels)
    else:
        combined = np.einsum("...sk,s->...k", logits, weights)
    shifted: np.ndarray = combined if bias is None else combined + bias
    return shifted


def label_steps(n_labels: int) -> np.ndarray:
    """How far each label lies above the middle label, in labels: -2, -1, 0, 1, 2 for five."""
    steps: np.ndarray = np.arange(n_labels) - (n_labels - 1) / 2.0
    return steps


def distribution(layer_logits: np.ndarray, weights: LayerWeights) -> np.ndarray:
    """Probability of each label, (..., K), after combining the layers."""
    return softmax(combine(layer_logits, weights))


def expected(probabilities: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Expected value, (...), of distributions (..., K) over `values` (K,)."""
    mean: np.ndarray = np.asarray(probabilities, dtype=np.float64) @ np.asarray(values, dtype=np.float64)
    return mean


def argmax_value(weight_of_label: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Value of the largest entry, (...); the lower value where two are equal."""
    found: np.ndarray = np.asarray(values, dtype=np.float64)[np.argmax(weight_of_label, axis=-1)]
    return found


def direct(last_logits: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Value of the most likely label, (...), from the last state's logits (..., K)."""
    return argmax_value(last_logits, values)


def e_score(last_logits: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Expected value, (...), under the softmax of the last state's logits (..., K)."""
    return expected(softmax(last_logits), values)


def uniform_score(layer_logits: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Expected value, (...), with equal weights on all states of (..., S, K)."""
    return expected(softmax(np.asarray(np.mean(layer_logits, axis=-2, dtype=np.float64))), values)


def per_layer_scores(layer_logits: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Expected value under each state alone, (..., S)."""
    return expected(softmax(layer_logits), values)


def uniform_weights(n_states: int, lens: str) -> LayerWeights:
    """Equal weights on `n_states` states, which is LAGER without tuning."""
    return LayerWeights(kind="uniform", lens=lens, weights=np.full(n_states, 1.0 / n_states))


def unlabelled_weights(n_states: int) -> LayerWeights:
    """The weights that score where nobody has fitted any: all on the last state, so that the score is `e_score`.

    No other reading that needs no label agreed clearly better with people over sets and backbones
    (docs/evidence.md, `python -m tests.measure.label_free`), and this one is the model's own answer.
    """
    weights = np.zeros(n_states)
    weights[-1] = 1.0
    return LayerWeights(kind="simplex", lens="raw", weights=weights)


def ablation(layer_logits: np.ndarray, values: np.ndarray, weights: LayerWeights) -> dict[str, np.ndarray]:
    """The ten rows of the paper's ablation (arXiv 2508.03550, section 4), each (...).

    The keys are "<over>/<weights>/<reading>", where over is logits or probabilities, weights is uniform
    or tuned, and reading is expected or argmax; and then "direct" and "e_score". The rows of uniform weights
    and of the last state use all states given, the tuned rows those that have a weight. Signed and full
    weights cannot be applied to probabilities, so their two "probabilities/tuned" rows are absent.
    """
    logits = np.asarray(layer_logits)
    even = uniform_weights(logits.shape[-2], weights.lens)
    rows: dict[str, np.ndarray] = {}
    for over in ("logits", "probabilities"):
        for name, chosen in (("uniform", even), ("tuned", weights)):
            if over == "probabilities" and chosen.kind not in ("uniform", "simplex"):
                continue
            p = softmax(combine(logits, _over(chosen, over)))
            rows[f"{over}/{name}/expected"] = expected(p, values)
            rows[f"{over}/{name}/argmax"] = argmax_value(p, values)
    rows["direct"] = direct(logits[..., -1, :], values)
    rows["e_score"] = e_score(logits[..., -1, :], values)
    return rows


def apply_calibration(calibration: Calibration | None, scores: np.ndarray) -> np.ndarray:
    """Raw scores (...) mapped onto the human scale; unchanged where no calibration was fitted."""
    scores = np.asarray(scores, dtype=np.float64)
    if calibration is None or calibration.kind == "none":
        raw: np.ndarray = scores.copy()
        return raw
    calibrated: np.ndarray = np.asarray(np.interp(scores, calibration.x, calibration.y))
    return calibrated


def score(
    layer_logits: np.ndarray, values: np.ndarray, weights: LayerWeights
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (..., K), raw score (...) and calibrated score (...) of layer logits (..., S, K).

    The calibrated score is the raw one where the weights have no calibration. Rank by the raw score,
    since a calibration may map different scores to the same grade.
    """
    probabilities = distribution(layer_logits, weights)
    raw = expected(probabilities, values)
    return probabilities, raw, apply_calibration(weights.calibration, raw)


def states_score(
    states: np.ndarray, values: np.ndarray, weights: LayerWeights
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (..., K), raw score (...) and calibrated score (...) of whole states (..., S, n_embd).

    weights: of kind "states"; states: as `unit_states` gives them. Such weights predict a score and no
    distribution: the probability is shared by the two labels beside the raw score, whose mean it is. Raises
    WeightsError where states are missing or of another width.
    """
    needed, width = weights.weights.shape
    shape = np.shape(states)
    if len(shape) < 2 or shape[-2] < needed or shape[-1] != width:
        raise WeightsError(
            f"the weights are for {needed} states of {width} numbers, the states have the shape {shape}",
            "use the model that the weights were fitted for",
        )
    values = np.asarray(values, dtype=np.float64)
    raw = state_parts(states, weights).sum(axis=-1)
    raw = np.clip(raw, values[0], values[-1])
    return shared_by_neighbours(raw, values), raw, apply_calibration(weights.calibration, raw)


def state_parts(states: np.ndarray, weights: LayerWeights) -> np.ndarray:
    """What each state of (..., S, n_embd) adds to the raw score under weights of kind "states", float64 (..., S')."""
    used = np.asarray(states)[..., : len(weights.weights), :].astype(np.float64)
    found: np.ndarray = np.einsum("...sd,sd->...s", used, weights.weights)
    return found if weights.bias is None else found + weights.bias


def with_text(
    raw: np.ndarray, columns: np.ndarray, values: np.ndarray, weights: LayerWeights
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (..., K), raw score (...) and calibrated score (...) after the weights' text term.

    raw: scores (...) before it; columns: the numbers of the texts (..., F). The probability is shared by the two
    labels beside the raw score. Raises ValueError for weights without a text term.
    """
    term = weights.text
    if term is None:
        raise ValueError("the weights have no text term")
    values = np.asarray(values, dtype=np.float64)
    moved = term.shift + term.scale * np.asarray(raw) + (np.asarray(columns) - term.mean) @ term.slope
    moved = np.clip(moved, values[0], values[-1])
    return shared_by_neighbours(moved, values), moved, apply_calibration(weights.calibration, moved)


def shared_by_neighbours(scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Scores (...) as distributions (..., K) over the two nearest of `values` (K,), with the scores as their means.

    Scores outside the values are clipped to them.
    """
    values = np.asarray(values, dtype=np.float64)
    scores = np.clip(np.asarray(scores, dtype=np.float64), values[0], values[-1])
    upper = np.clip(np.searchsorted(values, scores, side="right"), 1, len(values) - 1)
    share = (scores - values[upper - 1]) / (values[upper] - values[upper - 1])
    found = np.zeros((*scores.shape, len(values)))
    np.put_along_axis(found, upper[..., None], share[..., None], axis=-1)
    np.put_along_axis(found, upper[..., None] - 1, 1.0 - share[..., None], axis=-1)
    return found


def _used_states(layer_logits: np.ndarray, weights: LayerWeights) -> np.ndarray:
    logits = np.asarray(layer_logits)
    needed = weights.weights.shape[0]
    if logits.ndim < 2 or logits.shape[-2] < needed:
        found = logits.shape[-2] if logits.ndim >= 2 else 0
        raise WeightsError(
            f"the weights use {needed} states, the layer logits have {found}",
            "read more states, or fit weights on fewer (max_states)",
        )
    labels = weights.weights.shape[1] if weights.weights.ndim == 2 else logits.shape[-1]
    if weights.bias is not None:
        labels = weights.bias.shape[0] * (2 if weights.lens == BOTH_LENSES else 1)
    if labels != logits.shape[-1]:
        raise WeightsError(
            f"the weights are for {labels} labels, the layer logits have {logits.shape[-1]}",
            "use the scale that the weights were fitted on",
        )
    used: np.ndarray = logits[..., :needed, :]
    return used if weights.limits is None else np.clip(used, *weights.limits)


def _log_mixture(logits: np.ndarray, weights: np.ndarray) -> np.ndarray:
    logs = log_softmax(logits)
    top = logs.max(axis=-2, keepdims=True)
    mixed = np.einsum("...sk,s->...k", np.exp(logs - top), weights.astype(np.float64))
    # The weight may be exactly zero on the only state that gives a label any probability.
    with np.errstate(divide="ignore"):
        logarithm: np.ndarray = np.log(mixed) + top[..., 0, :]
    return logarithm


def _over(weights: LayerWeights, over: str) -> LayerWeights:
    return LayerWeights(weights.kind, weights.lens, weights.weights, weights.bias, over, limits=weights.limits)
