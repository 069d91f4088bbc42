"""Responses ordered by weights that have seen neither their instruction nor the writers of either of them.

Two scores of different fits cannot be compared, so both responses of a comparison are scored by one fit. It has seen no
response of their group, and none of the two writers to any other instruction. So there is a fit for each fold of the
groups and each pair of folds of the writers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from ..data import Pair, counted, group_names
from ..errors import DataError, FitError
from ..fitting import (
    SPLITS,
    Columns,
    KindMethod,
    Method,
    as_layer_logits,
    group_folds,
    lenses_for,
    select_rows,
    surface_of,
)
from ..records import WEIGHT_KINDS
from .ranking import Responses, check_enough_names, labels_within

# Two are held out at a time, and of five folds three are left to be compared with each other.
_NAME_FOLDS = 5
_INNER_FOLDS = 5


def systems_to_hold_out(pairs: Sequence[Pair]) -> np.ndarray:
    """The systems of both responses of every pair, str (n, 2).

    Raises DataError where a pair does not name both, and FitError for fewer than four systems, see `names_to_hold_out`.
    """
    lacking = [pair for pair in pairs if not all(pair.systems)]
    if lacking:
        some = f"{len(lacking)} of {counted(len(pairs), 'pair')} {'does' if len(lacking) == 1 else 'do'} not name both"
        raise DataError(f"the systems cannot be held out: {some}, first {lacking[0].id!r}", "name them in every row")
    every = [name for pair in pairs for name in pair.systems]
    names = np.array(group_names(every, repeat(""))).reshape(-1, 2)
    count = np.unique(names).size
    check_enough_names(count, f"the pairs name {counted(count, 'system')}")
    return names


@dataclass(frozen=True)
class _Cell:
    """Comparisons that one fit orders, and the responses that it may see.

    asked: bool (p,). seen: bool (n,).
    """

    asked: np.ndarray
    seen: np.ndarray


def cells_of(group: np.ndarray, name: np.ndarray, better: np.ndarray, worse: np.ndarray) -> Iterator[_Cell]:
    """What each fit orders and sees; folds of the groups and of the writers int (n,), rows of the comparisons int (p,)."""
    low, high = np.minimum(name[better], name[worse]), np.maximum(name[better], name[worse])
    places = np.stack([group[better], low, high])
    for part, one, other in np.unique(places, axis=1).T:
        asked = (places == np.array([[part], [one], [other]])).all(axis=0)
        yield _Cell(asked, (group != part) & (name != one) & (name != other))


def right_without(
    responses: Responses,
    better: np.ndarray,
    worse: np.ndarray,
    *,
    names: np.ndarray,
    folds: int,
    kinds: Sequence[str] = WEIGHT_KINDS,
    seed: int = 0,
) -> dict[str, list[np.ndarray]]:
    """By kind of weights, and for `surface`, which comparisons it orders as people do: 1, 0, or 0.5 for a tie.

    One array float64 (p,) for every split into folds. responses: n, each of them in a comparison. better, worse: their
    rows, int (p,). names: of their writers, str (n,), as from `names_to_hold_out`. folds: of the groups; the names are dealt
    into five, or as many as there are. A fit turns the order of the responses that it sees into labels, as `fitted_in_folds` does. Raises FitError where
    a fit sees no two responses to one instruction that people graded differently, and as `fit` does.
    """
    order, splits = labels_within(responses).mean(axis=1), []
    for number in range(SPLITS):
        group = group_folds(responses.group, folds, seed + number, order)
        name = group_folds(names, min(_NAME_FOLDS, np.unique(names).size), seed + number, order)
        splits.append([(cell, _labelled(responses, cell)) for cell in cells_of(group, name, better, worse)])
    fewest = min(np.unique(responses.group[seen]).size for split in splits for _, (seen, _) in split)
    if fewest < 2:
        raise FitError(
            f"without the systems of a comparison, a fit has the responses of others in {counted(fewest, 'group')}",
            "give responses of more systems to more instructions, or hold nothing out",
        )
    inner = min(_INNER_FOLDS, fewest)
    found: dict[str, list[np.ndarray]] = {}
    for kind, (method, columns) in _methods(responses, kinds, inner, seed).items():
        again: Any = method
        found[kind] = []
        for split in splits:
            right, fits = _ordered(again, columns, responses, split, better, worse)
            found[kind].append(right)
            # What was chosen without a pair of writers is kept for the other splits: choosing takes nearly all the time.
            again = method.settled(fits) if again is method and hasattr(method, "settled") else again
    return found


def _labelled(responses: Responses, cell: _Cell) -> tuple[np.ndarray, np.ndarray]:
    """The rows that a fit of this cell is fitted to, int (m,), and their labels, float64 (m, R)."""
    label = labels_within(responses, cell.seen)
    rows = np.flatnonzero(np.isfinite(label[:, 0]))
    return rows, label[rows]


def _methods(
    responses: Responses, kinds: Sequence[str], inner: int, seed: int
) -> dict[str, tuple[Any, Mapping[str, np.ndarray]]]:
    """By name, what is tried, and the columns that it reads: a row for each response and rubric, (n * R, ...)."""
    rubrics = responses.raw.shape[1]
    logits = {lens: x.reshape(-1, *x.shape[2:]) for lens, x in (("raw", responses.raw), ("norm", responses.norm))}
    # As `FeatureMethod`, which cannot keep what it chose.
    marks = as_layer_logits(np.repeat(surface_of(responses.items), rubrics, axis=0), responses.values.size)
    tried: dict[str, tuple[Any, Mapping[str, np.ndarray]]] = {
        "surface": (KindMethod("full", responses.values, inner, seed), {"raw": marks})
    }
    for kind in kinds:
        if kind != "uniform":
            tried[kind] = (KindMethod(kind, responses.values, inner, seed), lenses_for(kind, logits))
    return tried


def _ordered(
    method: Method[Any],
    columns: Columns,
    responses: Responses,
    split: Sequence[tuple[_Cell, tuple[np.ndarray, np.ndarray]]],
    better: np.ndarray,
    worse: np.ndarray,
) -> tuple[np.ndarray, list[Any]]:
    """Which comparisons are ordered as people do, float64 (p,), and the fits."""
    rubrics = responses.raw.shape[1]
    every = np.arange(len(responses.items) * rubrics).reshape(-1, rubrics)
    right, fits = np.empty(len(better)), []
    for cell, (rows, label) in split:
        seen = every[rows].reshape(-1)
        fits.append(
            method.fit(select_rows(columns, seen), label.reshape(-1), np.repeat(responses.group[rows], rubrics))
        )
        one, other = (
            np.atleast_2d(fits[-1].predict(select_rows(columns, every[side[cell.asked]].reshape(-1))))[0]
            .reshape(-1, rubrics)
            .mean(axis=1)
            for side in (better, worse)
        )
        right[cell.asked] = (np.sign(np.round(one - other, 9)) + 1.0) / 2.0
    return right, fits
