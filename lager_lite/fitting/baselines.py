"""Baselines that read no model: scores fitted to the length, the surface or the words of a text.

They are methods for `out_of_fold`, so they are tried on the same folds as layer weights, by the same ordinal
model (kind `full`), with the same choice of the ridge's strength inside each training part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from ..data import judged_text, surface_of, words_of
from ..errors import FitError
from ..records import Item
from ..scoring import score as read_score
from .fit import FitResult, choose_strength, fit, rank_agreement
from .folds import Columns, folds_inside, group_folds, out_of_fold, pooled_spearman, within_fold_ranks
from .labelled import Labelled

FEATURES = "features"
"""The column of a `FeatureMethod`: float64 (n, F)."""
WORDS = "words"
"""The column of a `WordsMethod`: the distinct words of every text, tuples of str (n,)."""

# More words than this cost time and, on a few thousand texts, no longer help.
_VOCABULARY = 1024
_LEAST_TEXTS = 2
# No stronger: the scores of a fold would be its mean and little else, and thresholds are chosen across folds.
_WORD_STRENGTHS = (100.0, 30.0, 10.0, 3.0, 1.0)


def baseline_features(items: Sequence[Item]) -> dict[str, np.ndarray]:
    """By the name of a baseline, its features of every item: `length` float64 (n, 1), `surface` float64 (n, F)."""
    surface = surface_of(items)
    return {"length": surface[:, :1], "surface": surface}


def word_sets(items: Sequence[Item]) -> np.ndarray:
    """The distinct words of the text of every item that is judged, sorted tuples in an object array (n,)."""
    found = np.empty(len(items), dtype=object)
    for row, item in enumerate(items):
        found[row] = tuple(sorted({word.lower() for word in words_of(judged_text(item))}))
    return found


def as_layer_logits(features: np.ndarray, labels: int) -> np.ndarray:
    """Features (n, F) in the shape of layer logits (n, S, labels), filled up with zeros, which a fit ignores."""
    count, width = features.shape
    states = max(1, -(-width // labels))
    filled = np.zeros((count, states * labels))
    filled[:, :width] = features
    return filled.reshape(count, states, labels)


@dataclass(frozen=True)
class FeatureScorer:
    """A fitted `FeatureMethod`; predicts raw and calibrated scores, float64 (2, n).

    found: the fit of the features as layer logits.
    values: of the labels, float64 (K,).
    """

    found: FitResult
    values: np.ndarray

    def predict(self, x: Columns) -> np.ndarray:
        logits = as_layer_logits(x[FEATURES], self.values.size)
        _, raw, calibrated = read_score(logits, self.values, self.found.weights)
        return np.stack([raw, calibrated])


@dataclass(frozen=True)
class FeatureMethod:
    """The ordinal model of kind `full` on plain features; x holds the column FEATURES.

    values: of the labels, float64 (K,).
    folds, seed: of the inner cross-validation, which chooses the ridge's strength.
    """

    values: np.ndarray
    folds: int = 5
    seed: int = 0

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> FeatureScorer:
        """Fit weights of kind "full" to the features, as `Method.fit` says."""
        logits = as_layer_logits(x[FEATURES], self.values.size)
        found = fit(
            logits,
            human,
            self.values,
            kind="full",
            lens="raw",
            groups=groups,
            folds=self.folds,
            seed=self.seed,
        )
        return FeatureScorer(found, self.values)


def trivial_agreement(data: Labelled, folds: int, seed: int) -> dict[str, float | None]:
    """Spearman correlation of `length` and of `surface`, each fitted without the item's fold; None where undefined.

    Empty where the texts are not known or cannot be split. folds, seed: as of `group_folds`.
    """
    found: dict[str, float | None] = {}
    if not data.items:
        return found
    try:
        fold = group_folds(data.group, folds, seed, data.human)
        inner = folds_inside(data.group, fold)
        for name, columns in baseline_features(data.items).items():
            method = FeatureMethod(data.values, inner, seed)
            scores, _ = out_of_fold(method, {FEATURES: columns}, data.human, data.group, fold)
            found[name] = pooled_spearman(within_fold_ranks(scores[0], fold), data.human)
    except FitError:
        return {}
    return found


@dataclass(frozen=True)
class WordsScorer:
    """A fitted `WordsMethod`; predicts scores float64 (n,).

    places: of the words of the vocabulary among the columns.
    mean: of the columns on the training part, float64 (V,).
    weights: float64 (V,). level: the mean score of the training part.
    unseen: the scores float64 (n,) of the training part, each by weights that have not seen its group.
    """

    places: dict[str, int]
    mean: np.ndarray
    weights: np.ndarray
    level: float
    unseen: np.ndarray

    def predict(self, x: Columns) -> np.ndarray:
        predicted: np.ndarray = (_occurrence(x[WORDS], self.places) - self.mean) @ self.weights + self.level
        return predicted


@dataclass(frozen=True)
class WordsMethod:
    """Ridge regression on which words occur in a text; x holds the column WORDS.

    The vocabulary is that of the training part: its 1,024 words that occur in most texts, of those in at least two.
    folds, seed: of the inner cross-validation, which chooses the ridge's strength.
    """

    folds: int = 5
    seed: int = 0

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> WordsScorer:
        """Choose the strength by inner folds and fit to the words, as `Method.fit` says."""
        path = _WordsPath()
        fold = group_folds(groups, self.folds, self.seed, human)
        unseen, _ = out_of_fold(path, x, human, groups, fold)
        tried = [(s, rank_agreement(within_fold_ranks(p, fold), human)) for s, p in zip(_WORD_STRENGTHS, unseen)]
        best = choose_strength(tried, np.mean((unseen - human) ** 2, axis=1))
        end = path.fit(x, human, groups)
        return WordsScorer(end.places, end.mean, end.weights[best], end.level, unseen[best])


@dataclass(frozen=True)
class _SolvedWords:
    """weights: float64 (strengths, V)."""

    places: dict[str, int]
    mean: np.ndarray
    weights: np.ndarray
    level: float

    def predict(self, x: Columns) -> np.ndarray:
        scores: np.ndarray = self.weights @ (_occurrence(x[WORDS], self.places) - self.mean).T + self.level
        return scores


@dataclass(frozen=True)
class _WordsPath:
    """The ridge regressions for every strength of the grid."""

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> _SolvedWords:
        """Solve for every strength at once, as `Method.fit` says."""
        counts = Counter(word for words in x[WORDS] for word in words)
        ranked = sorted((-texts, word) for word, texts in counts.items() if texts >= _LEAST_TEXTS)[:_VOCABULARY]
        places = {word: place for place, (_, word) in enumerate(ranked)}
        occurs = _occurrence(x[WORDS], places)
        mean, level = occurs.mean(axis=0), float(human.mean())
        centred = occurs - mean
        gram, pull = centred.T @ centred, centred.T @ (human - level)
        weights = [
            scipy.linalg.cho_solve(scipy.linalg.cho_factor(gram + strength * np.eye(len(places))), pull)
            if places
            else np.zeros(0)
            for strength in _WORD_STRENGTHS
        ]
        return _SolvedWords(places, mean, np.array(weights), level)


def _occurrence(texts: np.ndarray, places: dict[str, int]) -> np.ndarray:
    """Whether each word of the vocabulary occurs in each text, 0 or 1, float64 (n, V)."""
    found = np.zeros((len(texts), len(places)))
    for row, words in enumerate(texts):
        found[row, [places[word] for word in words if word in places]] = 1.0
    return found
