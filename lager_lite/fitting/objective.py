"""What fitting minimises: soft labels, the loss and its gradient, and how parameters become logits.

Layer logits are standardised, because the sizes of states differ by orders of magnitude; a design converts
weights in both directions. Products with a vector go through einsum instead of BLAS: einsum is as fast,
and on a busy machine BLAS threads that wait for each other make thousands of small products 20 times slower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import FitError
from ..scoring import label_steps, shared_by_neighbours

# A label this little outside the scale is rounded, not wrong.
_SLACK = 1e-6


@dataclass(frozen=True)
class Loss:
    """mix * cross-entropy + (1 - mix) * error of the expected score, averaged over the items.

    mix: share of the cross-entropy, 0 to 1.
    error: "squared" or "absolute".
    smooth: the absolute error is rounded off within about this many units of zero; with 0 it is exact, and
        its gradient at zero is 0.
    unit: points of the scale in which the error is measured. None: a quarter of the scale's span, so that
        the cross-entropy has the same share on a scale of 1 to 5 and on one of 0 to 100.
    """

    mix: float = 0.25
    error: str = "squared"
    smooth: float = 0.0
    unit: float | None = None

    def unit_on(self, values: np.ndarray) -> float:
        """The unit of the error on a scale with these values (K,), in points."""
        return float(values[-1] - values[0]) / 4.0 if self.unit is None else self.unit


@dataclass(frozen=True)
class StateDesign:
    """One weight per state for all labels: logits[k] = sum_s weights[s] x[s, k] + bias[k].

    features: standardised layer logits, float64 (K, n, S).
    mean: what was subtracted, float64 (K, S).
    size: what was divided by, float64 (S,).

    Parameters are the S weights times `size`, then K biases.
    """

    features: np.ndarray
    mean: np.ndarray
    size: np.ndarray

    def logits(self, theta: np.ndarray) -> np.ndarray:
        """Combined logits (K, n) of parameters `theta`."""
        states = self.size.size
        combined: np.ndarray = np.einsum("kns,s->kn", self.features, theta[:states]) + theta[states:, None]
        return combined

    def pull(self, slope: np.ndarray) -> np.ndarray:
        """Gradient for `theta` from the gradient (K, n) for the logits."""
        return np.concatenate([np.einsum("kn,kns->s", slope, self.features), slope.sum(axis=1)])

    def export(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (S,) and bias (K,) for layer logits that are not standardised."""
        weights = theta[: self.size.size] / self.size
        return weights, theta[self.size.size :] - self.mean @ weights

    def adopt(self, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Parameters (P,) of exported weights and bias: the inverse of `export`."""
        return np.concatenate([weights * self.size, bias + self.mean @ weights])

    def curvature(self, block: np.ndarray) -> np.ndarray:
        """Sum over items of the second derivative (P, P), if it is `block` (K, K) for the logits of every item."""
        labels, items, states = self.features.shape
        total = np.zeros((states + labels, states + labels))
        # Features have mean zero over the items, so weights and biases do not interact.
        total[states:, states:] = items * block
        mixed = np.tensordot(block, self.features, axes=1)
        total[:states, :states] = np.einsum("kab->ab", np.matmul(np.swapaxes(self.features, 1, 2), mixed))
        return total


@dataclass(frozen=True)
class EvidenceDesign:
    """One weight per state and label: logits[k] = steps[k] * sum_sj weights[s, j] x[s, j] + bias[k].

    features: standardised layer logits, float64 (n, S * columns).
    mean, size: what was subtracted and divided by, float64 (S * columns,).
    steps: how far each label lies above the middle one, float64 (K,), from `scoring.label_steps`.
    columns: layer logits of a state: K, or 2K with both lenses.

    Parameters are the weights times `size`, state by state, then K biases.
    """

    features: np.ndarray
    mean: np.ndarray
    size: np.ndarray
    steps: np.ndarray
    columns: int

    def logits(self, theta: np.ndarray) -> np.ndarray:
        """Combined logits (K, n) of parameters `theta`."""
        evidence = np.einsum("nd,d->n", self.features, theta[: self.size.size])
        combined: np.ndarray = np.multiply.outer(self.steps, evidence) + theta[self.size.size :, None]
        return combined

    def pull(self, slope: np.ndarray) -> np.ndarray:
        """Gradient for `theta` from the gradient (K, n) for the logits."""
        weights = np.einsum("n,nd->d", np.einsum("k,kn->n", self.steps, slope), self.features)
        return np.concatenate([weights, slope.sum(axis=1)])

    def export(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (S, columns) and bias (K,) for layer logits that are not standardised."""
        weights = theta[: self.size.size] / self.size
        return weights.reshape(-1, self.columns), theta[self.size.size :] - self.steps * (self.mean @ weights)

    def adopt(self, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Parameters (P,) of exported weights and bias: the inverse of `export`."""
        flat = weights.reshape(-1)
        return np.concatenate([flat * self.size, bias + self.steps * (self.mean @ flat)])

    def curvature(self, block: np.ndarray) -> np.ndarray:
        """Sum over items of the second derivative (P, P), if it is `block` (K, K) for the logits of every item."""
        items, count = self.features.shape
        total = np.zeros((count + self.steps.size, count + self.steps.size))
        total[:count, :count] = (self.features.T @ self.features) * (self.steps @ block @ self.steps)
        total[count:, count:] = items * block
        return total


def state_design(layer_logits: np.ndarray) -> StateDesign:
    """Standardise layer logits (n, S, K) for one weight per state; a state that never varies becomes 0."""
    features = label_major(layer_logits)
    # The softmax ignores what all labels of an item have in common; so must a state's size.
    features -= features.mean(axis=0, keepdims=True)
    mean = features.mean(axis=1)
    features -= mean[:, None, :]
    size = np.sqrt(np.einsum("kns,kns->s", features, features) / features[:, :, 0].size)
    size, moving = _sizes(size, np.abs(mean).max(axis=0))
    features *= moving / size
    return StateDesign(features, mean, size)


def plain_design(layer_logits: np.ndarray) -> StateDesign:
    """Lay out layer logits (n, S, K) for fitting without standardising them."""
    features = label_major(layer_logits)
    return StateDesign(features, np.zeros((features.shape[0], features.shape[2])), np.ones(features.shape[2]))


def evidence_design(layer_logits: np.ndarray, labels: int | None = None) -> EvidenceDesign:
    """Standardise layer logits (n, S, K) for one weight per state and label; entries that never vary become 0.

    labels: K, where the layer logits are those of both lenses, (n, S, 2K); None: they are of one lens.
    """
    shape = np.shape(layer_logits)
    features = np.array(layer_logits, dtype=np.float64).reshape(shape[0], -1)
    mean = features.mean(axis=0)
    features -= mean
    size = np.sqrt(np.einsum("nd,nd->d", features, features) / shape[0])
    size, moving = _sizes(size, np.abs(mean))
    features *= moving / size
    return EvidenceDesign(features, mean, size, label_steps(labels or shape[2]), shape[2])


def usual_range(layer_logits: np.ndarray) -> np.ndarray:
    """Where layer logits (n, S, K) usually lie: float64 (2, S, K), the lower and the upper bound of each entry.

    The bounds are the 5% and 95% quantiles, moved outward by the distance between them, which is five
    standard deviations from the mean for a normal distribution. A single item that lies far outside would
    otherwise set the size of an entry, and flatten all others.
    """
    x = np.asarray(layer_logits)
    low = np.quantile(x, 0.05, axis=0, method="higher").astype(np.float64)
    high = np.quantile(x, 0.95, axis=0, method="lower").astype(np.float64)
    width = high - low
    least, most = x.min(axis=0), x.max(axis=0)
    # An entry that is nearly always the same, such as a mark that few items bear, has no usual range.
    return np.stack([np.where(width > 0, low - width, least), np.where(width > 0, high + width, most)])


def label_major(layer_logits: np.ndarray) -> np.ndarray:
    """A float64 copy of layer logits (n, S, K) as (K, n, S), each label's matrix contiguous."""
    return np.array(np.moveaxis(np.asarray(layer_logits), 2, 0), dtype=np.float64, order="C")


def _sizes(size: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # The rounding noise of an entry that never varies, such as state 0, must not be scaled up to size one.
    moving = size > 1e-6 * np.maximum(level, 1e-3)
    return np.where(moving, size, 1.0), moving


def soft_labels(human: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Human scores (n,) as distributions (K, n) over the two nearest values (K,), with the scores as their means."""
    return np.ascontiguousarray(shared_by_neighbours(human, values).T)


def loss_and_slope(
    z: np.ndarray, soft: np.ndarray, human: np.ndarray, values: np.ndarray, loss: Loss
) -> tuple[float, np.ndarray]:
    """Mean loss and its gradient (K, n) by the logits z (K, n).

    soft (K, n), from `soft_labels`; human (n,); values (K,).
    """
    count = z.shape[1]
    shifted = z - z.max(axis=0)
    p = np.exp(shifted)
    total = p.sum(axis=0)
    p /= total
    entropy = float(np.mean(np.log(total) - np.einsum("kn,kn->n", soft, shifted)))
    mean = np.einsum("k,kn->n", values, p)
    unit = loss.unit_on(values)
    gap = (mean - human) / unit
    if loss.error == "squared":
        error, pull = float(np.mean(gap**2)), 2.0 * gap
    elif loss.smooth > 0:
        length = np.sqrt(gap**2 + loss.smooth**2)
        error, pull = float(np.mean(length - loss.smooth)), gap / length
    else:
        error, pull = float(np.mean(np.abs(gap))), np.sign(gap)
    slope = p * (np.subtract.outer(values, mean) * ((1.0 - loss.mix) / unit * pull) + loss.mix) - loss.mix * soft
    return loss.mix * entropy + (1.0 - loss.mix) * error, slope / count


def check_loss(loss: Loss) -> None:
    """Raise FitError for a mix outside 0 to 1 or an unknown error."""
    if not 0.0 <= loss.mix <= 1.0:
        raise FitError(f"the loss mix must lie between 0 and 1, got {loss.mix}")
    if loss.error not in ("squared", "absolute"):
        raise FitError(f"unknown error {loss.error!r}", 'use "squared" or "absolute"')
    if loss.unit is not None and not loss.unit > 0.0:
        raise FitError(f"the unit of the error must be positive, got {loss.unit}")
    if not loss.smooth >= 0.0:
        raise FitError(f"smooth must not be negative, got {loss.smooth}")


def check_labelled(layer_logits: np.ndarray, human: np.ndarray, values: np.ndarray, *, lenses: int = 1) -> None:
    """Raise FitError for data from which nothing can be fitted; the message counts what is wrong.

    layer_logits (n, S, lenses * K); human (n,); values (K,). lenses: how many stand side by side.
    """
    shape = np.shape(layer_logits)
    if len(shape) != 3 or shape[0] != len(human) or shape[2] != lenses * len(values):
        raise FitError(
            f"layer logits have shape {shape}, expected (items, states, labels) with "
            f"{len(human)} items and {len(values)} labels"
        )
    if len(human) == 0:
        raise FitError("there are no labelled items", "give items with a human score")
    # A sum of float32 can overflow where no value is infinite, so every value is checked.
    bad = np.flatnonzero(~np.isfinite(layer_logits).all(axis=(1, 2)))
    if bad.size:
        raise FitError(
            f"{bad.size} of {len(human)} items have layer logits that are not finite (first: number {bad[0]})",
            "judge these items again, or leave them out",
        )
    check_labels(human, values)


def check_labels(human: np.ndarray, values: np.ndarray) -> None:
    """Raise FitError for human scores (n,) that are not finite, lie outside the scale, or are all equal."""
    human = np.asarray(human, dtype=np.float64)
    missing = int(np.sum(~np.isfinite(human)))
    if missing:
        raise FitError(
            f"labels must be finite numbers, {missing} of {human.size} {'is' if missing == 1 else 'are'} not",
            "leave unlabelled items out",
        )
    low, high = float(values[0]), float(values[-1])
    outside = int(np.sum((human < low - _SLACK) | (human > high + _SLACK)))
    if outside:
        raise FitError(
            f"{outside} of {human.size} labels {'lies' if outside == 1 else 'lie'} outside the scale {low:g} to {high:g} "
            f"(they range from {human.min():g} to {human.max():g})",
            "name the scale that the labels were given on, or rescale them",
        )
    if np.ptp(human) == 0:
        raise FitError(
            f"all {human.size} labels are {human[0]:g}: there is nothing to learn from",
            "label items of different quality",
        )
