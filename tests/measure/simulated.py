"""Synthetic layer logits whose agreement with people is known, and fast fits to them: what the simulations draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lager_lite.fitting import Columns, Labelled, Method
from lager_lite.fitting.crossval import KindMethod
from lager_lite.fitting.states import STATES, StatesMethod
from lager_lite.records import Item

VALUES = np.arange(1.0, 6.0)
STEPS = VALUES - 3.0
STATES_DRAWN = 3
STRENGTH = 10.0
# Fewer choices than the program has, so that thousands of cross-validations take minutes.
GRID = (100.0, 10.0)
INNER_FOLDS = 2


@dataclass(frozen=True)
class Case:
    """What is simulated.

    groups, size: how many groups there are, and how many items each has.
    signal: how strongly labels follow what the logits know; 0 for a null.
    shared: share of the variance of everything that the items of a group have in common; 0 for single items.
    """

    groups: int
    size: int
    signal: float
    shared: float = 0.0

    @property
    def name(self) -> str:
        """For people."""
        items = f"n = {self.groups}" if self.size == 1 else f"{self.groups} groups of {self.size}"
        return f"{items}, {'signal' if self.signal else 'null'}"


CASES = tuple(
    Case(groups, size, signal, 0.25 if size > 1 else 0.0)
    for groups, size in ((40, 1), (100, 1), (30, 7))
    for signal in (0.0, 0.8)
)


def drawn(case: Case, rng: np.random.Generator, groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layer logits (n, S, K), human scores (n,) and groups (n,) of so many groups."""
    count, group = groups * case.size, np.repeat(np.arange(groups), case.size)

    def noise(*shape: int) -> np.ndarray:
        own, common = rng.normal(size=(count, *shape)), rng.normal(size=(groups, *shape))[group]
        return np.sqrt(1.0 - case.shared) * own + np.sqrt(case.shared) * common

    known = noise()
    x = noise(STATES_DRAWN, VALUES.size)
    x[:, 1] += 0.7 * np.outer(known, STEPS)
    felt = (case.signal * known + noise()) / np.sqrt(1.0 + case.signal**2)
    return x, np.clip(np.round(3.0 + 1.1 * felt), 1, 5), group


def labelled(x: np.ndarray, human: np.ndarray, group: np.ndarray, items: tuple[Item, ...] = ()) -> Labelled:
    """Simulated judgments as `gather` gives them."""
    count = len(human)
    return Labelled(
        raw=x,
        norm=x,
        human=human,
        individual=tuple((h,) for h in human),
        criterion=np.full(count, "a"),
        group=group.astype(str),
        item=np.arange(count).astype(str),
        values=VALUES,
        failed=(),
        items=items,
    )


@dataclass(frozen=True)
class Plane:
    """A fitted ridge regression."""

    mean: np.ndarray
    weights: np.ndarray
    level: float

    def predict(self, x: Columns) -> np.ndarray:
        predicted: np.ndarray = (x["raw"].reshape(len(x["raw"]), -1) - self.mean) @ self.weights + self.level
        return predicted[None]


class Ridge:
    """Ridge regression of the human score on all layer logits; a method for `out_of_fold` that reads the column raw."""

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> Plane:
        flat = x["raw"].reshape(len(human), -1)
        mean, level = flat.mean(axis=0), float(human.mean())
        centred = flat - mean
        gram = centred.T @ centred + STRENGTH * np.eye(flat.shape[1])
        return Plane(mean, np.linalg.solve(gram, centred.T @ (human - level)), level)


FITS: dict[str, tuple[Method[Any], str]] = {
    "ridge": (Ridge(), "raw"),
    "full": (KindMethod("full", VALUES, INNER_FOLDS, 0, grid=GRID), "raw"),
    "states": (StatesMethod(VALUES, calibrate=False), STATES),
}
"""What can be fitted in every run, and the column that it reads."""
