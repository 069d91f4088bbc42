"""One judgment, layer by layer: what each state says, where states disagree, and what each adds to the score.

Contributions are in points of the scale and exact: middle of the scale + all contributions + that of the
bias = raw score. Combined logits are a sum over states, c = sum_s z_s + b with z_s[k] what state s adds to
label k (`parts`), and the score is a smooth function S of c that has its middle, the mean of the scale's values, at
c = 0. Along the straight line from 0 to c each state gets its share of every small change of S:

    contribution_s = sum_k z_s[k] * G[k],   G[k] = integral over t from 0 to 1 of p_k(tc) (v_k - S(tc)) dt

with p(tc) the softmax of tc and v the values. This is integrated gradients (Sundararajan, Taly, Yan 2017,
Axiomatic Attribution for Deep Networks, equation 1), whose completeness makes them add up. Weights over
probabilities mix the layers' own scores, S = sum_s w_s S_s, so there contribution_s = w_s (S_s - middle).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..errors import DataError
from ..judging import Judge
from ..records import STATES_KIND, Item, Judgment, LayerWeights
from ..scoring import aggregate

_NODES, _SHARES = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True)
class Layer:
    """What one state alone says.

    state: its number; 0 is the embedding.
    probabilities: of each label, the softmax of the state's layer logits.
    expected: its expected score, in points of the scale.
    label: its most likely label.
    apart: total variation distance of its distribution from the final one, 0 to 1.
    weight: its layer weight; None where weights are per label, or where they end below the state.
    contribution: what it adds to the raw score, in points of the scale; 0 above the weights.
    """

    state: int
    probabilities: tuple[float, ...]
    expected: float
    label: str
    apart: float
    weight: float | None
    contribution: float


@dataclass(frozen=True)
class Inspection:
    """One judgment in full.

    rubric: its name.
    labels: of the scale, ascending.
    kind, lens, over: of the weights, as in `LayerWeights`; the kind is "e_score" where the judge has none.
    layers: one entry per state.
    middle: the score where no label is preferred, the mean of the scale's values.
    bias: what the bias of the weights adds to the raw score, in points of the scale; 0 without one.
    probabilities: of each label, after the layers were combined.
    label: the most likely of these.
    settled: the lowest state from which on every state has that label as its most likely one; None where the
        last state has another.
    spread: standard deviation of the states' expected scores, in points of the scale.
    judgment: the judgment itself.
    """

    rubric: str
    labels: tuple[str, ...]
    kind: str
    lens: str
    over: str
    layers: tuple[Layer, ...]
    middle: float
    bias: float
    probabilities: tuple[float, ...]
    label: str
    settled: int | None
    spread: float
    judgment: Judgment

    @property
    def by(self) -> str:
        """What scores, for people."""
        return "the last layer alone" if self.kind == "e_score" else f"{self.kind} weights, lens {self.lens}"

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        return asdict(self)


def inspect_item(judge: Judge, item: Item) -> tuple[Inspection, ...]:
    """Judge one item under every rubric of `judge`, and take each judgment apart layer by layer.

    Returns one inspection per rubric, in the order of `judge.rubrics`; for a judge without weights, of the
    last state alone. Raises DataError where the item cannot be judged; the message names the item,
    its place and the rubric.
    """
    found = []
    for _, rubric, reading in judge.read([item]):
        if isinstance(reading, str):
            raise DataError(f"{item.where or 'the item'}: item {item.id} ({rubric.name}): {reading}")
        judgment = judge.judgment(item, rubric, reading)
        if judgment.error:
            raise DataError(f"{item.where or 'the item'}: item {item.id} ({rubric.name}): {judgment.error}")
        given = judge.by_rubric.get(rubric.name, judge.weights)
        weights = given or aggregate.unlabelled_weights(len(reading.raw))
        logits = reading.lens(weights.lens).astype(np.float64)
        values, labels = np.asarray(rubric.scale.values), rubric.scale.labels
        one = _inspection(rubric.name, labels, values, logits, weights, judgment, states=reading.states)
        found.append(one if given else replace(one, kind="e_score"))
    return tuple(found)


def contributions(logits: np.ndarray, values: np.ndarray, weights: LayerWeights) -> tuple[np.ndarray, float]:
    """What each state of layer logits (S, K) adds to the raw score, (S,), and what the bias adds.

    In points of the scale; 0 for states above the weights. With the mean of `values` (K,) they add up to the
    raw score of `aggregate.score`. Raises WeightsError as `aggregate.combine` does.
    """
    used = len(weights.weights)
    found = np.zeros(len(logits))
    middle = float(np.mean(values))
    if weights.over == "probabilities":
        aggregate.combine(logits, weights)  # raises where that cannot be
        found[:used] = weights.weights * (aggregate.per_layer_scores(logits[:used], values) - middle)
        return found, 0.0
    slope = _mean_slope(aggregate.combine(logits, weights), values)
    bias = 0.0 if weights.bias is None else float(weights.bias @ slope)
    # Weights of kind full have no natural zero: what counts is how far a layer logit is from where it usually lies.
    usual = weights.limits if weights.kind == "full" else None
    common = 0.0 if usual is None else parts(usual.mean(axis=0), weights)
    found[:used] = (parts(logits, weights) - common) @ slope
    return found, bias if usual is None else bias + float(np.sum(common @ slope))


def state_contributions(states: np.ndarray, weights: LayerWeights) -> np.ndarray:
    """What each state of (S, n_embd) adds to the raw score under weights of kind "states", in points, (S,).

    Measured from the mean of the training items. State 0 adds nothing: it is the same token's, and its bias holds
    the level of all scores.
    """
    found = np.zeros(len(states))
    found[: len(weights.weights)] = aggregate.state_parts(states, weights)
    found[0] = 0.0
    return found


def parts(logits: np.ndarray, weights: LayerWeights) -> np.ndarray:
    """What each state adds to the combined logit of each label, (S', K), S' the states of `weights`.

    weights[s] * logits[s, k]; for kind "full" steps[k] * sum_j weights[s, j] logits[s, j], see
    `aggregate.combine_arrays`. Their sum over states plus the bias is the combined logits.
    """
    used = np.asarray(logits, dtype=np.float64)[: len(weights.weights)]
    used = used if weights.limits is None else np.clip(used, *weights.limits)
    if weights.weights.ndim == 2:
        labels = used.shape[1] if weights.bias is None else len(weights.bias)
        return np.outer(np.sum(weights.weights * used, axis=1), aggregate.label_steps(labels))
    return weights.weights[:, None] * used


def _mean_slope(combined: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean derivative of the score by each combined logit, (K,), on the line from 0 to `combined` (K,)."""
    # Most of the change happens while the logits differ by a few units: panels double from there.
    span = max(float(np.ptp(combined)), 1.0)
    edges = np.minimum(1.0, np.concatenate([[0.0], 0.5 / span * 2.0 ** np.arange(np.ceil(np.log2(2.0 * span)) + 1)]))
    half = np.diff(edges)[:, None] / 2.0
    at = (edges[:-1, None] + half * (_NODES + 1.0)).ravel()
    p = aggregate.softmax(at[:, None] * combined)
    slopes = p * (values - (p @ values)[:, None])
    mean: np.ndarray = (half * _SHARES).ravel() @ slopes
    return mean


def _inspection(
    rubric: str,
    labels: tuple[str, ...],
    values: np.ndarray,
    logits: np.ndarray,
    weights: LayerWeights,
    judgment: Judgment,
    *,
    states: np.ndarray | None = None,
) -> Inspection:
    final = np.array(list(judgment.probabilities.values()))  # type: ignore[union-attr]
    if weights.kind == STATES_KIND and states is not None:
        each, bias = state_contributions(states, weights), 0.0
    else:
        each, bias = contributions(logits, values, weights)
    if weights.text is not None or weights.kind == STATES_KIND:
        # The level, what the text's numbers add and what the scale's ends cut stand together.
        bias = float(judgment.raw_score or 0.0) - float(np.mean(values)) - float(each.sum())
    # Of both lenses, a state is shown alone through the raw one.
    alone = aggregate.softmax(logits[:, : len(labels)])
    expected = aggregate.expected(alone, values)
    tops = alone.argmax(axis=1)
    top = int(final.argmax())
    flat = weights.weights.ndim == 1 and weights.kind != STATES_KIND
    layers = tuple(
        Layer(
            state=state,
            probabilities=tuple(map(float, alone[state])),
            expected=float(expected[state]),
            label=labels[tops[state]],
            apart=float(np.abs(alone[state] - final).sum() / 2.0),
            weight=float(weights.weights[state]) if flat and state < len(weights.weights) else None,
            contribution=float(each[state]),
        )
        for state in range(len(logits))
    )
    odd = np.flatnonzero(tops != top)
    settled = 0 if not odd.size else int(odd[-1]) + 1
    return Inspection(
        rubric=rubric,
        labels=labels,
        kind=weights.kind,
        lens=weights.lens,
        over=weights.over,
        layers=layers,
        middle=float(np.mean(values)),
        bias=bias,
        probabilities=tuple(map(float, final)),
        label=labels[top],
        settled=settled if settled < len(logits) else None,
        spread=float(expected.std()),
        judgment=judgment,
    )
