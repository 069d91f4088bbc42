"""How well does each way of scoring agree with people on items it has not seen?

Folds never split a group. Everything that is chosen or fitted (weights, ridge strength, lens,
calibration) is chosen and fitted again inside each training part, from that part alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FitError
from ..records import WEIGHT_KINDS
from ..scoring import apply_calibration, direct, e_score
from ..scoring import score as read_score
from .calibration import fit_calibration
from .fit import GRID, FitResult, check_choices, fit, fit_by_criterion, group_folds
from .objective import Loss, check_labelled
from .recipes import Recipe, fit_recipe

# None: chosen in the training part. The paper reads states raw; that stays the baseline's lens.
LENS_OF: Mapping[str, str | None] = {"uniform": "raw", "simplex": "raw", "signed": None, "full": None}


@dataclass(frozen=True)
class Held:
    """Out-of-fold scores of one method: raw and calibrated (n,), float64.

    lenses and strengths hold what each training part chose, fold by fold; a strength is None where
    none is needed, and both are empty for `direct` and `e_score`.
    """

    raw: np.ndarray
    calibrated: np.ndarray
    lenses: tuple[str, ...] = ()
    strengths: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class CrossValidation:
    """fold (n,) of each item, and by method the scores it got from the other folds."""

    fold: np.ndarray
    methods: Mapping[str, Held]


def cross_validate(
    layer_logits: Mapping[str, np.ndarray],
    human: np.ndarray,
    values: Sequence[float],
    *,
    kinds: Sequence[str] = WEIGHT_KINDS,
    groups: Sequence | None = None,
    criterion: Sequence[str] | None = None,
    recipes: Sequence[Recipe] = (),
    lenses: Mapping[str, str | None] = LENS_OF,
    folds: int = 5,
    inner_folds: int = 5,
    seed: int = 0,
    loss: Loss = Loss(),
    grid: Sequence[float] = GRID,
) -> CrossValidation:
    """Out-of-fold scores of `direct`, `e_score` and every kind in `kinds`.

    layer_logits: by lens (n, L+1, K); human (n,); values (K,). criterion (n,): also the methods
    "<kind> by criterion", weights per criterion with a shared prior, for signed and full weights.
    recipes: also the methods "like <name>", on the raw lens. lenses: by kind, None for the one with
    the higher agreement inside the training part. inner_folds: fewer where a training part has fewer
    groups. Raises FitError as `fitting.fit`, for the training parts too.
    """
    values, human = np.asarray(values, dtype=np.float64), np.asarray(human, dtype=np.float64)
    for lens, x in layer_logits.items():
        check_choices("uniform", lens, loss, None)
        check_labelled(x, human, values)
    groups = np.arange(human.size) if groups is None else np.asarray(groups)
    fold = group_folds(groups, folds, seed)
    inner_folds = min(inner_folds, _fewest_groups(groups, fold))
    last = np.asarray(next(iter(layer_logits.values())))[:, -1]
    methods = {
        name: _fixed(raw, human, values, fold)
        for name, raw in (("direct", direct(last, values)), ("e_score", e_score(last, values)))
    }
    options = {"loss": loss, "folds": inner_folds, "seed": seed, "grid": grid}
    for kind in kinds:
        tried = {k: v for k, v in layer_logits.items() if lenses.get(kind) in (None, k)}
        if not tried:
            raise FitError(f"kind {kind!r} wants the lens {lenses[kind]!r}, given are {', '.join(layer_logits)}")
        methods[kind] = _fitted(kind, tried, human, values, fold=fold, groups=groups, options=options)
        if criterion is not None and kind in ("signed", "full"):
            methods[f"{kind} by criterion"] = _by_criterion(
                kind,
                tried,
                human,
                values,
                fold=fold,
                groups=groups,
                names=np.asarray(criterion),
                chosen=methods[kind].lenses,
                options=options,
            )
    for recipe in recipes:
        methods[f"like {recipe.name}"] = _by_recipe(
            recipe,
            np.asarray(layer_logits["raw"]),
            human,
            values,
            fold=fold,
            groups=groups,
            folds=inner_folds,
            seed=seed,
        )
    return CrossValidation(fold, methods)


def best_lens(
    layer_logits: Mapping[str, np.ndarray], human: np.ndarray, values: Sequence[float], *, kind: str, **options: Any
) -> FitResult:
    """The fit of the lens whose out-of-fold scores agree best with `human`; options as of `fit`."""
    fits = [fit(x, human, values, kind=kind, lens=lens, **options) for lens, x in layer_logits.items()]
    if len(fits) == 1 or kind == "uniform":
        return fits[0]
    return max(fits, key=_best_trial)


def cross_validate_kind(
    layer_logits: np.ndarray,
    human: np.ndarray,
    values: Sequence[float],
    *,
    groups: Sequence | None = None,
    folds: int = 5,
    seed: int = 0,
    **options: Any,
) -> np.ndarray:
    """Out-of-fold raw scores (n,) of one kind and lens; options as of `fitting.fit`."""
    x, human = np.asarray(layer_logits), np.asarray(human, dtype=np.float64)
    groups = np.arange(human.size) if groups is None else np.asarray(groups)
    fold, raw = group_folds(groups, folds, seed), np.empty(human.size)
    for part in range(folds):
        train = fold != part
        found = fit(
            x[train], human[train], values, groups=groups[train], folds=folds, seed=seed, calibrate=False, **options
        )
        raw[~train] = read_score(x[~train], np.asarray(values), found.weights)[1]
    return raw


def _fewest_groups(groups: np.ndarray, fold: np.ndarray) -> int:
    count = np.unique(groups).size
    fewest = count - max(np.unique(groups[fold == part]).size for part in np.unique(fold))
    if fewest < 2:
        raise FitError(
            f"{count} groups leave a training part with one: nothing can be chosen in it",
            "label items of 3 groups or more, with as many folds as groups",
        )
    return fewest


def _fixed(raw: np.ndarray, human: np.ndarray, values: np.ndarray, fold: np.ndarray) -> Held:
    calibrated = np.empty_like(raw)
    for part in np.unique(fold):
        train = fold != part
        calibrated[~train] = apply_calibration(fit_calibration(raw[train], human[train], values), raw[~train])
    return Held(raw, calibrated)


def _fitted(
    kind: str,
    layer_logits: Mapping[str, np.ndarray],
    human: np.ndarray,
    values: np.ndarray,
    *,
    fold: np.ndarray,
    groups: np.ndarray,
    options: dict,
) -> Held:
    raw, calibrated, chosen = np.empty(human.size), np.empty(human.size), []
    for part in np.unique(fold):
        train = fold != part
        inside = {lens: np.asarray(x)[train] for lens, x in layer_logits.items()}
        found = best_lens(inside, human[train], values, kind=kind, groups=groups[train], **options)
        held = np.asarray(layer_logits[found.weights.lens])[~train]
        _, raw[~train], calibrated[~train] = read_score(held, values, found.weights)
        chosen.append(found)
    return Held(raw, calibrated, tuple(f.weights.lens for f in chosen), tuple(f.strength for f in chosen))


def _by_recipe(
    recipe: Recipe,
    x: np.ndarray,
    human: np.ndarray,
    values: np.ndarray,
    *,
    fold: np.ndarray,
    groups: np.ndarray,
    **options: int,
) -> Held:
    raw, calibrated, parts = np.empty(human.size), np.empty(human.size), np.unique(fold)
    for part in parts:
        train = fold != part
        found = fit_recipe(recipe, x[train], human[train], values, groups=groups[train], **options)
        _, raw[~train], calibrated[~train] = read_score(x[~train], values, found.weights)
    return Held(raw, calibrated, ("raw",) * parts.size, (None,) * parts.size)


def _by_criterion(
    kind: str,
    layer_logits: Mapping[str, np.ndarray],
    human: np.ndarray,
    values: np.ndarray,
    *,
    fold: np.ndarray,
    groups: np.ndarray,
    names: np.ndarray,
    chosen: tuple[str, ...],
    options: dict,
) -> Held:
    raw, calibrated, strengths = np.empty(human.size), np.empty(human.size), []
    for part, lens in zip(np.unique(fold), chosen):
        train, x = fold != part, np.asarray(layer_logits[lens])
        found = fit_by_criterion(
            x[train], human[train], values, names[train], kind=kind, lens=lens, groups=groups[train], **options
        )
        for name in np.unique(names[~train]):
            rows = ~train & (names == name)
            weights = found.by_criterion.get(str(name), found.pooled).weights
            _, raw[rows], calibrated[rows] = read_score(x[rows], values, weights)
        strengths.append(found.strength)
    return Held(raw, calibrated, chosen, tuple(strengths))


def _best_trial(found: FitResult) -> float:
    return max((agreement for _, agreement in found.trials if agreement is not None), default=-np.inf)
