"""How compared pairs agree with people's preferences, and how much the position says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..data import NEAR_LENGTHS, Pair, counted, group_names
from ..errors import DataError, name_key
from ..fitting import (
    FEATURES,
    SPLITS,
    FeatureMethod,
    KindMethod,
    MirroredMethod,
    folds_inside,
    group_folds,
    lenses_for,
    log_length,
    older_marks,
    scored_splits,
    split_folds,
    surface_of,
)
from ..records import WEIGHT_KINDS, Item
from ..scoring import direct, uniform_weights, unlabelled_weights
from ..stats import Interval, interval_of, mean_statistic, warnings_of_few
from .comparing import Compared, Evidence, Verdicts
from .held_out import systems_to_hold_out
from .pair_weights import pairs_not_apart, seen_pairs
from .pairs import Accuracy, accuracies, ranking_verdict

_FOLLOWS = 0.5


@dataclass(frozen=True)
class PairAccuracy:
    """How often one method prefers the response that people prefer.

    accuracy: of both orders together, with its interval and its gains; see `Accuracy`.
    one_order: share of the pairs that a single order gets right, the mean of both orders; None for methods that read no
        order, and for weights that were fitted in folds.
    flips: share of the pairs on which the two orders disagree; None with `one_order`.
    brier: mean squared difference of the probability from the preference, 0.25 for a coin; of methods fitted in folds
        after calibration. None where there is no probability.
    """

    accuracy: Accuracy
    one_order: float | None
    flips: float | None
    brier: float | None


@dataclass(frozen=True)
class Position:
    """What the place of a response says, over all pairs that were judged.

    judged: how many pairs.
    flips: on how many of them the two orders disagree.
    flip_rate: share of them. interval: of `flip_rate`, over groups; None where undefined.
    first: share of the verdicts that go to the response shown first, ties counted as half; 0.5 without any bias.
    """

    judged: int
    flips: int
    flip_rate: float | None
    interval: Interval | None
    first: float | None


@dataclass(frozen=True)
class PairFigures:
    """Compared pairs beside people's preferences.

    position: what the place of a response says.
    pairs: how many pairs people decided, of those that were judged.
    tied: how many they left undecided; weights are fitted on these, too, and accuracies leave them out.
    near_pairs: how many of `pairs` have lengths that differ by less than a tenth.
    groups: how many groups they are in.
    folds: of the fitted kinds of weights; None where none were fitted.
    held_out: whether these had seen neither system of a pair either.
    seed: of the folds and of resampling.
    baseline: the best of e_score, length and surface; "" without preferences.
    verdict: what given weights, else the best of the other methods, are worth against it, in a sentence; "" where there is none.
    methods: one entry per method; empty without preferences.
    notes: what the user should know, in sentences.
    """

    position: Position
    pairs: int
    tied: int
    near_pairs: int
    groups: int
    folds: int | None
    held_out: bool
    seed: int
    baseline: str
    verdict: str
    methods: tuple[PairAccuracy, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes; `warnings` are the notes, under the name that all commands use."""
        return {**asdict(self), "warnings": list(self.notes)}


def check_preferences(pairs: Sequence[Pair], folds: int | None, *, hold_out: bool = False) -> None:
    """Refuse pairs to which nothing can be fitted; no model is needed to know.

    folds: that the groups must fill. hold_out: whether systems are held out, too. Raises DataError where no pair has a
    preference, FitError where the groups are too few, and both as `systems_to_hold_out`.
    """
    graded = [pair for pair in pairs if pair.preference not in (None, 0.5) and pair.error is None]
    if not graded:
        raise DataError("no pair has a preference of people to fit to", name_key("preference"))
    if folds is not None:
        groups = np.array(groups_of(graded))
        folds_inside(groups, group_folds(groups, folds, 0))
    if hold_out:
        systems_to_hold_out(graded)


def groups_of(pairs: Sequence[Pair]) -> list[str]:
    """The group of every pair as it was first spelled; one that has none is a group of its own."""
    return group_names((pair.group for pair in pairs), (f"pair {number}" for number in range(len(pairs))))


def pair_figures(
    compared: Compared,
    *,
    folds: int | None = None,
    hold_out: bool = False,
    kinds: Sequence[str] = WEIGHT_KINDS,
    fit: Mapping[str, Any] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> PairFigures:
    """The figures of compared pairs, with 95% intervals over groups.

    folds: also try weights that were fitted on the other folds; None: do not. hold_out: whether these have seen neither
    system of a pair either. kinds: of these weights. fit: the record of the fit of the judge's weights; pairs that they
    were fitted on are left out of the accuracies.
    Raises FitError where nothing can be fitted, and as `systems_to_hold_out`.
    """
    preference = np.array([np.nan if (p := compared.pairs[n].preference) is None else p for n in compared.read])
    groups = np.array(groups_of(compared.pairs), dtype=object)[compared.read].astype(str)
    whole, one, two = compared.by(compared.weights)
    position = _position(one, two, groups, seed, resamples)
    seen = seen_pairs(compared, fit or {})
    notes = [*_undecided(whole), *_notes(compared, position, preference, seen), *older_marks(fit or {})]
    rows = np.flatnonzero(np.isfinite(preference) & ~seen)
    graded = _graded(compared, rows, preference[rows], groups[rows])
    if not (decided := graded.human != 0.5).any():
        return PairFigures(position, 0, len(rows), 0, 0, None, False, seed, "", "", (), tuple(notes))
    found = _methods(compared, rows)
    winners = {name: [three[0].winner] for name, three in found.items()}
    winners["length"] = [_decided(graded.gap)]
    chance = {name: three[0].first for name, three in found.items() if name != "direct"}
    if folds is not None:
        pairs = [compared.pairs[number] for number in compared.read[rows]]
        notes += pairs_not_apart(pairs, graded.groups, systems=not hold_out)
        systems = systems_to_hold_out(pairs) if hold_out else None
        fitted = _fitted(graded, compared.values, kinds, folds=folds, seed=seed, systems=systems)
        winners |= {name: won for name, (won, _) in fitted.items()}
        chance |= {name: first for name, (_, first) in fitted.items()}
    people, near = graded.human[decided], (np.abs(graded.gap) < NEAR_LENGTHS)[decided]
    right = {name: [_right(one[decided], people) for one in won] for name, won in winners.items()}
    ranked, figures, baseline = accuracies(right, near, graded.groups[decided], seed=seed, resamples=resamples)
    one_order = {name: _one_order(three, decided, people) for name, three in found.items()}
    flips = {name: _flip_rate(three) for name, three in found.items()}
    brier = {name: float(np.mean((first - graded.human) ** 2)) for name, first in chance.items()}
    return PairFigures(
        position=position,
        pairs=len(people),
        tied=int((~decided).sum()),
        near_pairs=int(near.sum()),
        groups=figures.groups,
        folds=folds,
        held_out=hold_out and folds is not None,
        seed=seed,
        baseline=baseline,
        verdict=ranking_verdict(ranked, figures, baseline, about="tuned" if compared.tuned else None),
        methods=tuple(
            PairAccuracy(m, one_order.get(m.method), flips.get(m.method), brier.get(m.method)) for m in ranked
        ),
        notes=(*notes, *warnings_of_few(len(people), figures.groups, "pair")),
    )


@dataclass(frozen=True)
class _Graded:
    """g pairs with a preference.

    evidence: the mean of both orders. human: the preference for the first response, float64 (g,). groups: str (g,).
    marks: surface features of the first response minus those of the second, float64 (g, F).
    gap: the same of `log_length`, float64 (g,).
    """

    evidence: Evidence
    human: np.ndarray
    groups: np.ndarray
    marks: np.ndarray
    gap: np.ndarray


def _graded(compared: Compared, rows: np.ndarray, human: np.ndarray, groups: np.ndarray) -> _Graded:
    pairs = [compared.pairs[number] for number in compared.read[rows]]
    one, two = (
        [Item(pair.id, {**pair.fields, "response": str(pair.responses[side])}) for pair in pairs] for side in (0, 1)
    )
    gap = np.array([log_length(first) - log_length(second) for first, second in zip(one, two)])
    return _Graded(compared.evidence.chosen(rows), human, groups, surface_of(one) - surface_of(two), gap)


def _methods(compared: Compared, rows: np.ndarray) -> dict[str, tuple[Verdicts, Verdicts, Verdicts]]:
    """By method that is not fitted here, the verdicts of both orders together and of each order, on some of the pairs."""
    states = compared.orders[0].raw.shape[1]
    ways: dict[str, tuple[Verdicts, Verdicts, Verdicts]] = {}
    if not compared.tuned or states == compared.states:
        last = [direct(evidence.raw[rows, -1].astype(np.float64), compared.values) for evidence in compared.orders]
        mean = (last[0] + last[1]) / 2.0
        ways["direct"] = (Verdicts(mean, _decided(mean - 0.5)), Verdicts(last[0], last[0]), Verdicts(last[1], last[1]))
        known = {"e_score": unlabelled_weights(states), "uniform": uniform_weights(states, "raw")}
    else:
        known = {}
    if compared.tuned:
        known["tuned"] = compared.weights
    for name, weights in known.items():
        whole, one, two = (Verdicts(v.first[rows], v.winner[rows]) for v in compared.by(weights))
        ways[name] = (whole, one, two)
    return ways


def _fitted(
    graded: _Graded, values: np.ndarray, kinds: Sequence[str], *, folds: int, seed: int, systems: np.ndarray | None
) -> dict[str, tuple[list[np.ndarray], np.ndarray]]:
    """By kind of weights, and for `surface`: who wins in every split, and the calibrated probability in the first.

    systems: to be held out, str (g, 2); None: none are.
    """
    human, groups = graded.human, graded.groups
    ways = split_folds(groups, human, folds=folds, seed=seed, splits=SPLITS, held_out=systems)
    inner = min(folds_inside(groups, way) for way in ways)
    logits = {"raw": graded.evidence.raw, "norm": graded.evidence.norm}
    tried: dict[str, tuple[MirroredMethod, Mapping[str, np.ndarray]]] = {
        "surface": (MirroredMethod(FeatureMethod(values, inner, seed)), {FEATURES: graded.marks})
    }
    for kind in kinds:
        if kind != "uniform":
            tried[kind] = (MirroredMethod(KindMethod(kind, values, inner, seed)), lenses_for(kind, logits))
    found = {}
    for name, (method, columns) in tried.items():
        scores = [scores for scores, _ in scored_splits(method, columns, human, groups, ways)]
        found[name] = ([_decided(raw - 0.5) for raw, _ in scores], scores[0][1])
    return found


def _position(one: Verdicts, two: Verdicts, groups: np.ndarray, seed: int, resamples: int) -> Position:
    flips = (one.winner != two.winner).astype(np.float64)
    if not flips.size:
        return Position(0, 0, None, None, None)
    rng = np.random.default_rng(seed)
    interval = interval_of(mean_statistic(flips), groups, rng=rng, resamples=resamples, few=True, ends=(0.0, 1.0))
    first = float(np.mean((one.winner + 1.0 - two.winner) / 2.0))
    return Position(len(flips), int(flips.sum()), float(flips.mean()), interval, first)


def _undecided(whole: Verdicts) -> list[str]:
    """What to say of pairs whose probability is 0.5."""
    count = int(whole.undecided.sum())
    if not count:
        return []
    if count == whole.first.size:
        return [
            f"nothing tells the responses apart: of all {counted(count, 'pair')} the probability is 0.5, which is a tie"
        ]
    return [f"in {counted(count, 'pair')} the probability is 0.5, which is a tie (flag `undecided`)"]


def _notes(compared: Compared, position: Position, preference: np.ndarray, seen: np.ndarray) -> list[str]:
    notes = []
    equal = len(compared.pairs) - len(compared.read) - len(compared.errors)
    if equal:
        pairs = f"{counted(equal, 'pair')} of equal texts"
        judged = np.isfinite(preference).any()
        notes.append(f"the accuracies leave out {pairs}, a tie each" if judged else f"{pairs} counted as a tie each")
    if position.flip_rate is not None and position.flip_rate >= _FOLLOWS:
        place = "first" if (position.first or 0.0) >= 0.5 else "second"
        notes.append(
            f"in {position.flips} of {counted(position.judged, 'pair')} the verdict changes with the order: in a single "
            f"order the model mostly says that what stands {place} is better, so only both orders together mean anything"
        )
    low = int(np.sum(compared.mass.min(axis=1, initial=np.inf) < 0.5)) if compared.mass.size else 0
    if low:
        notes.append(f"in {counted(low, 'pair')} the labels hold less than half of the probability (see `mass`)")
    known = int(np.sum(seen & np.isfinite(preference)))
    if known:
        notes.append(
            f"the accuracies leave out {counted(known, 'pair')} that the weights were fitted on, or whose prompts they were"
        )
    return notes


def _decided(gap: np.ndarray) -> np.ndarray:
    """1 where the gap is above zero, 0 where it is below, 0.5 where there is none."""
    found: np.ndarray = (np.sign(np.round(gap, 9)) + 1.0) / 2.0
    return found


def _right(winner: np.ndarray, people: np.ndarray) -> np.ndarray:
    """1 where the winner is people's, 0 where it is the other response, 0.5 where there is none."""
    found: np.ndarray = np.where(people > 0.5, winner, 1.0 - winner)
    return found


def _one_order(three: tuple[Verdicts, Verdicts, Verdicts], decided: np.ndarray, people: np.ndarray) -> float:
    return float(np.mean([_right(alone.winner[decided], people).mean() for alone in three[1:]]))


def _flip_rate(three: tuple[Verdicts, Verdicts, Verdicts]) -> float:
    return float(np.mean(three[1].winner != three[2].winner))
