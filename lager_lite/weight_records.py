"""The frozen value types of layer weights: how layer logits, or whole states, become a score.

Other rooms take them from `records`; the letters in the shapes are explained there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Calibration:
    """A non-decreasing map from raw expected scores onto the human scale.

    It is linear between the knots and constant outside of them.

    - `kind`: "isotonic", "affine" (two knots that span the scale) or "none" (no knots: the identity).
    - `x`: float64 (knots,), raw scores, ascending.
    - `y`: float64 (knots,), human scores, non-decreasing.
    """

    kind: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class TextTerm:
    """What numbers of the text itself add to a raw score: shift + scale * raw + (columns - mean) @ slope.

    A term that controls for the numbers takes away what the score would gain by them, so that a response scores as if
    its numbers were those of the average training item. A term that stands beside the weights adds what they say.

    - `mode`: "control" or "beside".
    - `names`: what the numbers are: "length", "surface", or fields that hold a number.
    - `mean`: float64 (F,), of the numbers on the training items.
    - `slope`: float64 (F,), in points of the scale for each unit.
    - `scale`: the factor on the raw score.
    - `shift`: what is added, in points.
    """

    mode: str
    names: tuple[str, ...]
    mean: np.ndarray
    slope: np.ndarray
    scale: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True)
class LayerWeights:
    """How layer logits, or whole states, become a score.

    For the kind "states" no layer logits are used: the raw score is the sum over states s of
    weights[s] @ states[s] + bias[s], clipped to the scale, where the states are divided by their root mean
    square (see `Reading.states`). For all other kinds layer logits are combined into one logit per label.

    combined[k] = sum over states s of weights[s] * logits[s, k], plus bias[k]. For the kind "full" all
    logits together move the score (adjacent categories, an ordinal model): combined[k] =
    (k - (K-1)/2) * sum over s, j of weights[s, j] * logits[s, j], plus bias[k], with k from 0.

    - `kind`: one of WEIGHT_KINDS, or STATES_KIND.
    - `lens`: one of LENSES, the layer logits that the weights are meant for; BOTH_LENSES is possible for the kind
      "full". For the kind "states" it is "norm".
    - `weights`: float64 (S,); (S, K) for the kind "full", (S, 2K) with both lenses; (S, n_embd) for the kind
      "states". Where S is below L+1, the states above are not needed.
    - `bias`: float64 (K,); (S,) for the kind "states"; None where there is none.
    - `over`: "logits" (combine, then softmax) or "probabilities" (softmax every layer, then combine;
      for the kinds simplex and uniform only).
    - `calibration`: the map onto the human scale; None where none was fitted.
    - `limits`: float64 (2, S, K), or (2, S, 2K) with both lenses: the lower and the upper bound to which layer logits are clipped before they
      are combined; None where they are not clipped.
    - `text`: what numbers of the text add to the raw score, before calibration; None where they add nothing.
    - `margin`: how far below and above a calibrated score people's score of a new item lies nine times in ten, in
      points of the scale; None where it is not known.
    """

    kind: str
    lens: str
    weights: np.ndarray
    bias: np.ndarray | None = None
    over: str = "logits"
    calibration: Calibration | None = None
    limits: np.ndarray | None = None
    text: TextTerm | None = None
    margin: float | None = None
