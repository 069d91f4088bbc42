"""Fitting as it was published: simplex weights by one pass of Adam over small batches.

There are two recipes: `paper` (arXiv 2508.03550: one weight for each of the L+1 states, cross-entropy and
absolute error) and `authors-code` (the published implementation, which leaves out the last state and
squares the error). For integer labels both losses are the published ones; labels between two values
are interpolated here, while the published implementation rounds them down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import FitError
from ..scoring import softmax
from .fit import FitResult, SolvedPath, check_choices, pack
from .folds import Columns, group_folds, out_of_fold
from .objective import Loss, StateDesign, check_labelled, plain_design, soft_labels
from .solving import Solution, simplex_goal

# The published code learns this mix, but its value stays sigmoid(0.5) throughout the first epoch.
AUTHORS_MIX = 1.0 / (1.0 + math.exp(-0.5))


@dataclass(frozen=True)
class Recipe:
    """Adam on softmax-parametrised weights that start equal.

    name: what `preset` and `--like` call it.
    loss: what is minimised.
    drop_last: whether the last state is left out, of fitting and of scoring.
    batch_size: items per step; the last batch may be smaller.
    epochs: passes over the items.
    learning_rate: Adam's step size.
    shuffle_seed: seed of the items' order; None: the order in which they are given.
    """

    name: str
    loss: Loss
    drop_last: bool
    batch_size: int = 8
    epochs: int = 1
    learning_rate: float = 0.01
    shuffle_seed: int | None = None


PRESETS = {
    "paper": Recipe("paper", Loss(AUTHORS_MIX, "absolute", unit=1.0), drop_last=False),
    "authors-code": Recipe("authors-code", Loss(AUTHORS_MIX, "squared", unit=1.0), drop_last=True),
}


def preset(name: str, *, batch_size: int = 8, shuffle_seed: int | None = None) -> Recipe:
    """The recipe of that name, with this batch size and order of the items.

    Raises FitError for an unknown name and for a batch size below 1.
    """
    if name not in PRESETS:
        raise FitError(f"unknown preset {name!r}", f"use one of {', '.join(PRESETS)}")
    if batch_size < 1:
        raise FitError(f"the batch size must be at least 1, got {batch_size}")
    return replace(PRESETS[name], batch_size=batch_size, shuffle_seed=shuffle_seed)


@dataclass(frozen=True)
class _AdamMethod:
    """One recipe. x: the layer logits that it uses, under the name `lens`."""

    recipe: Recipe
    lens: str
    values: np.ndarray

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> SolvedPath:
        return SolvedPath(self.lens, self.values, (_run(self.recipe, x[self.lens], human, self.values),))


def fit_recipe(
    recipe: Recipe,
    layer_logits: np.ndarray,
    human: np.ndarray,
    values: np.ndarray | Sequence[float],
    *,
    lens: str = "raw",
    groups: np.ndarray | Sequence[Any] | None = None,
    folds: int = 5,
    seed: int = 0,
    calibrate: bool = True,
) -> FitResult:
    """Fit simplex weights by a recipe to layer logits (n, S, K) of one lens and human scores (n,).

    values: of the labels, (K,). groups: (n,), what folds never split; None: every item by itself.
    calibrate: also fit the calibration, which neither the paper nor its code has, on out-of-fold scores
    of the same recipe. Raises FitError as `fit` does, and where the recipe leaves no state.
    """
    check_choices("simplex", lens, recipe.loss, None)
    values, human = np.asarray(values, dtype=np.float64), np.asarray(human, dtype=np.float64)
    check_labelled(layer_logits, human, values)
    x = np.asarray(layer_logits)
    x = x[:, : x.shape[1] - recipe.drop_last]
    if x.shape[1] == 0:
        raise FitError(f"preset {recipe.name!r} leaves out the last state, and there is only one")
    groups = np.arange(human.size) if groups is None else np.asarray(groups)
    raw = None
    if calibrate:
        fold = group_folds(groups, folds, seed, human)
        raw = out_of_fold(_AdamMethod(recipe, lens, values), {lens: x}, human, groups, fold)[0][0]
    end = _run(recipe, x, human, values)
    pairs = None if raw is None else (raw, human)
    weights = pack(end, "simplex", lens, values, pairs)
    return FitResult(weights, None, end.loss, human.size, int(np.unique(groups).size), (), raw)


def adam(recipe: Recipe, layer_logits: np.ndarray, human: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The softmax's arguments (S,) after all steps of Adam (Kingma and Ba 2015, algorithm 1; betas 0.9 and 0.999).

    layer_logits (n, S, K); human (n,); values (K,).
    """
    plan, soft = plain_design(layer_logits), soft_labels(human, values)
    arguments = np.zeros(plan.size.size)
    first, second, step = np.zeros_like(arguments), np.zeros_like(arguments), 0
    order = np.arange(human.size)
    generator = None if recipe.shuffle_seed is None else np.random.default_rng(recipe.shuffle_seed)
    for _ in range(recipe.epochs):
        if generator is not None:
            order = generator.permutation(human.size)
        for start in range(0, human.size, recipe.batch_size):
            rows, step = order[start : start + recipe.batch_size], step + 1
            batch = StateDesign(plan.features[:, rows], plan.mean, plan.size)
            _, slope = simplex_goal(arguments, batch, soft[:, rows], human[rows], values, recipe.loss)
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            length = np.sqrt(second / (1.0 - 0.999**step)) + 1e-8
            arguments = arguments - recipe.learning_rate * first / (1.0 - 0.9**step) / length
    return arguments


def _run(recipe: Recipe, x: np.ndarray, human: np.ndarray, values: np.ndarray) -> Solution:
    arguments = adam(recipe, x, human, values)
    loss, _ = simplex_goal(arguments, plain_design(x), soft_labels(human, values), human, values, recipe.loss)
    return Solution(softmax(arguments), None, loss, True, 0)
