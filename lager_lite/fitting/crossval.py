"""How well does each way of scoring agree with people on items that it has not seen?

Everything that is chosen or fitted (weights, ridge strength, lens, calibration) is chosen and fitted again
inside each training part, from that part alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..records import BOTH_LENSES, LENSES, STATES_KIND, WEIGHT_KINDS, Calibration
from ..scoring import apply_calibration, direct, e_score
from ..scoring import score as read_score
from .baselines import FEATURES, FeatureMethod
from .calibration import fit_calibration
from .criteria import CRITERION, fit_by_criterion, predict_by_criterion
from .fit import GRID, FitResult, check_choices, fit
from .folds import Columns, Method, folds_inside, out_of_fold
from .lenses import LENS_OF, best_lens, lenses_for
from .objective import Loss, check_labelled
from .recipes import Recipe, fit_recipe
from .splits import SplitScores, over_splits, split_folds
from .states import STATES, StatesMethod, states_column


@dataclass(frozen=True)
class OutOfFold:
    """What one method says of items that it has not seen.

    raw: its scores before calibration, float64 (n,).
    calibrated: its scores after calibration, float64 (n,); None where there is no calibration.
    lenses: the lens that each training part chose, fold by fold; empty for `direct` and `e_score`.
    strengths: the ridge strength that each training part chose, fold by fold, None where the kind needs
        none; empty for `direct` and `e_score`.
    ranks: for every split, mid-ranks of the scores inside the folds, 0 to 1, float64 (n,): what may be pooled over
        folds. Empty for methods whose scores need no fitting.
    """

    raw: np.ndarray
    calibrated: np.ndarray | None
    lenses: tuple[str, ...] = ()
    strengths: tuple[float | None, ...] = ()
    ranks: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class CrossValidation:
    """All methods on the same folds.

    ways: for every split, the fold of each item, int (n,) from 0; int (2, n) where names were held out too.
    methods: by name, what each method says of the items.
    """

    ways: tuple[np.ndarray, ...]
    methods: Mapping[str, OutOfFold]


@dataclass(frozen=True)
class Scorer:
    """Fitted weights; predicts raw and calibrated scores, float64 (2, n).

    found: the fit. values: of the labels, float64 (K,).
    """

    found: FitResult
    values: np.ndarray

    def predict(self, x: Columns) -> np.ndarray:
        _, raw, calibrated = read_score(x[self.found.weights.lens], self.values, self.found.weights)
        return np.stack([raw, calibrated])


@dataclass(frozen=True)
class KindMethod:
    """Weights of one kind, by the best of the lenses that x holds; a method for `out_of_fold`.

    kind: one of WEIGHT_KINDS. values: of the labels, float64 (K,).
    folds, seed: of the inner cross-validation, which chooses strength and lens.
    loss, grid, max_states: as of `fit`.
    """

    kind: str
    values: np.ndarray
    folds: int = 5
    seed: int = 0
    loss: Loss = Loss()
    grid: Sequence[float] = GRID
    max_states: int | None = None

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> Scorer:
        """Choose lens and strength by inner folds and fit weights, as `Method.fit` says."""
        found = best_lens(
            {lens: x[lens] for lens in x if lens in (*LENSES, BOTH_LENSES)},
            human,
            self.values,
            kind=self.kind,
            groups=groups,
            loss=self.loss,
            folds=self.folds,
            seed=self.seed,
            grid=self.grid,
            max_states=self.max_states,
        )
        return Scorer(found, self.values)

    def settled(self, fits: Sequence[Scorer]) -> _SettledMethod:
        """The method with the lens that most of these fits chose, and the median of their strengths."""
        lens, _ = Counter(one.found.weights.lens for one in fits).most_common(1)[0]
        strengths = [one.found.strength for one in fits if one.found.strength is not None]
        return _SettledMethod(self, lens, float(np.median(strengths)) if strengths else None)


@dataclass(frozen=True)
class _SettledMethod:
    """Weights of one kind for a lens and a strength that are known; they carry no calibration."""

    base: KindMethod
    lens: str
    strength: float | None

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> Scorer:
        """Fit weights for the lens and the strength, as `Method.fit` says."""
        found = fit(
            x[self.lens],
            human,
            self.base.values,
            kind=self.base.kind,
            lens=self.lens,
            strength=self.strength,
            loss=self.base.loss,
            max_states=self.base.max_states,
            calibrate=False,
        )
        return Scorer(found, self.base.values)


@dataclass(frozen=True)
class _CriterionMethod:
    """Weights per criterion, in the lens that the pooled weights choose; x also holds `CRITERION`."""

    pooled: KindMethod

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> _SharedScorer:
        """Choose the lens and fit weights per criterion, as `Method.fit` says."""
        kind, values = self.pooled.kind, self.pooled.values
        pooled = self.pooled.fit(x, human, groups)
        lens = pooled.found.weights.lens
        shared = fit_by_criterion(
            x[lens],
            human,
            values,
            x[CRITERION],
            kind=kind,
            lens=lens,
            groups=groups,
            pooled=pooled.found,
            loss=self.pooled.loss,
            folds=self.pooled.folds,
            seed=self.pooled.seed,
            grid=self.pooled.grid,
        )
        own = {name: Scorer(found, values) for name, found in shared.by_criterion.items()}
        return _SharedScorer(pooled, own, shared.strength)


@dataclass(frozen=True)
class _SharedScorer:
    """Predicts raw and calibrated scores of the pooled weights, then of those per criterion, (4, n)."""

    pooled: Scorer
    own: Mapping[str, Scorer]
    strength: float

    def predict(self, x: Columns) -> np.ndarray:
        return np.concatenate([self.pooled.predict(x), predict_by_criterion(x, self.own, self.pooled)])


@dataclass(frozen=True)
class _RecipeMethod:
    recipe: Recipe
    values: np.ndarray
    folds: int
    seed: int

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> Scorer:
        found = fit_recipe(self.recipe, x["raw"], human, self.values, groups=groups, folds=self.folds, seed=self.seed)
        return Scorer(found, self.values)


@dataclass(frozen=True)
class FixedMethod:
    """Scores that need no weights, under the name "score": only their calibration is fitted."""

    values: np.ndarray

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> _Calibrated:
        return _Calibrated(fit_calibration(x["score"], human, self.values))


@dataclass(frozen=True)
class _Calibrated:
    calibration: Calibration

    def predict(self, x: Columns) -> np.ndarray:
        return apply_calibration(self.calibration, x["score"])


def cross_validate(
    layer_logits: Mapping[str, np.ndarray],
    human: np.ndarray,
    values: np.ndarray | Sequence[float],
    *,
    kinds: Sequence[str] = WEIGHT_KINDS,
    groups: np.ndarray | Sequence[Any] | None = None,
    criterion: np.ndarray | Sequence[str] | None = None,
    recipes: Sequence[Recipe] = (),
    lenses: Mapping[str, str | None] = LENS_OF,
    folds: int = 5,
    inner_folds: int = 5,
    seed: int = 0,
    loss: Loss = Loss(),
    grid: Sequence[float] = GRID,
    splits: int = 1,
    held_out: np.ndarray | Sequence[str] | None = None,
    features: Mapping[str, np.ndarray] | None = None,
) -> CrossValidation:
    """Out-of-fold scores of `direct`, `e_score`, every kind in `kinds`, and models of other features.

    layer_logits: by lens, (n, S, K); the kind "states" also needs the column STATES, (n, S, n_embd).
    human: (n,). values: of the labels, (K,). groups: (n,), what folds never split; None: every item by itself.
    criterion: names (n,). Where they are given, there are also the methods "<kind> by criterion" for signed
        and full weights: weights per criterion with a shared prior.
    recipes: there are also the methods "like <name>".
    lenses: by kind; None for the one that agrees better inside the training part.
    inner_folds: folds inside a training part, at most. splits: how often the items are split into folds.
    held_out: names (n,), of systems for instance, that no fit may have seen either, see `split_folds`.
    features: by the name of a method, what it is fitted to, float64 (n, F), see `baseline_features`.

    Raises FitError as `fit` does, for the training parts too.
    """
    values, human = np.asarray(values, dtype=np.float64), np.asarray(human, dtype=np.float64)
    _check(layer_logits, human, values, loss)
    groups = np.arange(human.size) if groups is None else np.asarray(groups)
    ways = split_folds(groups, human, folds=folds, seed=seed, splits=splits, held_out=held_out)
    inner = min(folds_inside(groups, fold, inner_folds) for fold in ways)

    def tried(method: Method[Any], x: Columns) -> SplitScores:
        return over_splits(method, x, human, groups, ways)

    last = np.asarray(next(iter(layer_logits.values())))[:, -1]
    methods = {}
    for name, way in (("direct", direct), ("e_score", e_score)):
        calibrated, _ = out_of_fold(FixedMethod(values), {"score": way(last, values)}, human, groups, ways[0])
        methods[name] = OutOfFold(way(last, values), calibrated)
    for name, marks in (features or {}).items():
        methods[name] = _scores(tried(FeatureMethod(values, inner, seed), {FEATURES: marks}))
    names = None if criterion is None else np.asarray(criterion)
    for kind in kinds:
        if kind == STATES_KIND:
            methods[kind] = _scores(tried(StatesMethod(values, seed), states_column(layer_logits)))
            continue
        method = KindMethod(kind, values, inner, seed, loss, grid)
        methods.update(_of_kind(method, lenses_for(kind, layer_logits, lenses), names, tried))
    for recipe in recipes:
        like = _RecipeMethod(recipe, values, inner, seed)
        methods[f"like {recipe.name}"] = _scores(tried(like, {"raw": layer_logits["raw"]}))
    return CrossValidation(ways, methods)


def _check(layer_logits: Mapping[str, np.ndarray], human: np.ndarray, values: np.ndarray, loss: Loss) -> None:
    for lens, x in layer_logits.items():
        if lens != STATES:
            check_choices("uniform", lens, loss, None)
            check_labelled(x, human, values)


def _of_kind(
    method: KindMethod, columns: Columns, criterion: np.ndarray | None, tried: Callable[[Any, Columns], SplitScores]
) -> dict[str, OutOfFold]:
    """Weights of one kind and, where criteria are given and the kind allows it, weights per criterion."""
    if criterion is None or method.kind not in ("signed", "full"):
        return {method.kind: _scores(tried(method, columns))}
    both = tried(_CriterionMethod(method), {**columns, CRITERION: criterion})
    own = _scores(both, 2, [one.pooled for one in both.fits])
    return {
        method.kind: _scores(both, fits=[one.pooled for one in both.fits]),
        f"{method.kind} by criterion": replace(own, strengths=tuple(one.strength for one in both.fits)),
    }


def _scores(found: SplitScores, row: int = 0, fits: Sequence[Any] | None = None) -> OutOfFold:
    """The scores of one method; row: of its raw scores, which its calibrated ones follow."""
    fits = found.fits if fits is None else fits
    ranks = () if fits[0].found.weights.kind == "uniform" else tuple(ranks[row] for ranks in found.ranks)
    lenses = tuple(one.found.weights.lens for one in fits)
    strengths = tuple(one.found.strength for one in fits)
    return OutOfFold(found.scores[row], found.scores[row + 1], lenses, strengths, ranks)
