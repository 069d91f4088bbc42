"""How often the better of two responses to one instruction comes out ahead, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..data import NEAR_LENGTHS, counted
from ..errors import Advice, DataError
from ..fitting import (
    SPLITS,
    copies_apart,
    cross_validate,
    log_length,
    names_in_several,
    older_marks,
    seen_items,
    surface_of,
)
from ..records import WEIGHT_KINDS
from ..stats import TOO_FEW_GROUPS, Estimate, Figures, Interval, mean_figures, warnings_of_few
from .held_out import right_without
from .ranking import LeftOut, Responses, labels_within, members_of, names_to_hold_out

TRIVIAL_RANKERS = ("e_score", "length", "surface")
"""What anybody has without fitting weights; the best of them is what a method has to beat."""


@dataclass(frozen=True)
class Accuracy:
    """How often a method puts the better of two responses first.

    method: its name; `length` puts the longer response first.
    accuracy: share of the pairs that it orders as people do, ties counted as half; chance is 0.5. Of a method that was
        fitted in folds, the mean over the splits into folds.
    interval: of `accuracy`, over groups and splits; None where undefined.
    ties: how many pairs it gives equal scores.
    gain: accuracy minus that of e_score on the same pairs; None for e_score itself.
    gain_interval: of `gain`; None where there is no gain.
    over_baseline: accuracy minus that of `Preferences.baseline`; None for the baseline itself.
    near_accuracy: accuracy on pairs of responses of nearly equal length; None where there are none.
    """

    method: str
    accuracy: float
    interval: Interval | None
    ties: int
    gain: float | None
    gain_interval: Interval | None
    over_baseline: Estimate | None
    near_accuracy: float | None


@dataclass(frozen=True)
class Preferences:
    """Pairwise accuracy of every method.

    pairs: how many pairs of responses to one instruction have different grades.
    near_pairs: how many of them have lengths that differ by less than a tenth.
    contests: how many instructions have such a pair.
    groups: how many groups these are in.
    folds: of the fitted kinds of weights; None where none were fitted.
    held_out: name of the field of which these had seen the value of neither response; None: only groups were held out.
    seed: of the folds and of resampling.
    baseline: the best of e_score, length and surface.
    verdict: what the best of the other methods is worth against it, in a sentence; "" where there is no other method.
    methods: one entry per method.
    failed: the responses that could not be judged.
    notes: what else the user should know, in sentences.
    """

    pairs: int
    near_pairs: int
    contests: int
    groups: int
    folds: int | None
    held_out: str | None
    seed: int
    baseline: str
    verdict: str
    methods: tuple[Accuracy, ...]
    failed: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out, and why the figures may tell little, a sentence each."""
        return (*self.notes, *warnings_of_few(self.pairs, self.groups, "pair"))

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        return {**asdict(self), "warnings": list(self.warnings)}


def pairs_of(responses: Responses) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers, int (p,) each, of the better and of the worse response of every pair with different grades."""
    better: list[int] = []
    worse: list[int] = []
    for rows in members_of(responses.contest, np.isfinite(responses.grade)):
        grade = responses.grade[rows]
        high, low = np.nonzero(grade[:, None] > grade[None, :])
        better += rows[high].tolist()
        worse += rows[low].tolist()
    return np.array(better, dtype=np.int64), np.array(worse, dtype=np.int64)


def preferences(
    responses: Responses,
    *,
    folds: int | None = None,
    hold_out: str | None = None,
    kinds: Sequence[str] = WEIGHT_KINDS,
    fit: Mapping[str, Any] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Preferences | None:
    """Pairwise accuracy of every method, with 95% intervals over groups; None where no grades differ.

    folds: also try weights that were fitted on the other folds, see `fitted_in_folds`; None: do not.
    hold_out: name of a field, for instance "system", of which these weights have seen the value of neither response, see
        `right_without`; None: none.
    kinds: of these weights; "uniform" has nothing to fit.
    fit: the record of the fit of the judge's weights; pairs with a response that they know are left out.
    resamples: of the groups, for the intervals.

    Raises FitError as `fitted_in_folds` and `right_without` do, and DataError where the weights know every pair.
    """
    better, worse = pairs_of(responses)
    if not better.size:
        return None
    better, worse, notes = _without_seen(responses, better, worse, fit or {})
    used = np.unique(np.concatenate([better, worse]))
    apart = [] if folds is None else _in_several(responses, used, hold_out)
    length = np.array([log_length(item) for item in responses.items])
    scores: dict[str, Sequence[np.ndarray]] = {name: (s,) for name, s in responses.scores.items()}
    scores["length"] = (length,)
    if folds is not None and hold_out is None:
        scores.update(fitted_in_folds(responses, folds=folds, kinds=kinds, seed=seed))
    right = {
        name: [(np.sign(np.round(s[better] - s[worse], 9)) + 1.0) / 2.0 for s in columns]
        for name, columns in scores.items()
    }
    if folds is not None and hold_out is not None:
        part, (one, other) = responses.part(used), (np.searchsorted(used, side) for side in (better, worse))
        names = names_to_hold_out(part.items, hold_out)
        right |= right_without(part, one, other, names=names, folds=folds, kinds=kinds, seed=seed)
    near = np.abs(length[better] - length[worse]) < NEAR_LENGTHS
    methods, found, baseline = accuracies(right, near, responses.group[better], seed=seed, resamples=resamples)
    return Preferences(
        pairs=len(better),
        near_pairs=int(near.sum()),
        contests=int(np.unique(responses.contest[better]).size),
        groups=found.groups,
        folds=folds,
        held_out=hold_out if folds else None,
        seed=seed,
        baseline=baseline,
        verdict=ranking_verdict(methods, found, baseline),
        methods=methods,
        failed=responses.failed,
        notes=(*_alike(responses), *notes, *apart),
    )


def _in_several(responses: Responses, used: np.ndarray, hold_out: str | None) -> list[str]:
    """What of some of the responses stands in several groups, in sentences; used: their rows."""
    items = [responses.items[row] for row in used]
    found = copies_apart(items, responses.group[used], what="response", regroups=False)
    systems = names_in_several(items, responses.group[used]) if hold_out is None else None
    if systems is not None:
        field, said = systems
        how = Advice(f"--hold-out {field}", f"hold_out={field!r}")
        found.append(f"{said}: {how} orders two responses by weights that have seen neither system")
    return found


def _alike(responses: Responses) -> list[str]:
    """How many pairs the figures leave out since people graded both responses alike, or one of them not at all."""
    whole = [len(rows) for rows in members_of(responses.contest, np.isfinite(responses.grade))]
    every = [len(rows) for rows in members_of(responses.contest, np.ones(len(responses.items), dtype=bool))]
    graded, pairs = (sum(n * (n - 1) // 2 for n in counts) for counts in (whole, every))
    ties, lacking = graded - len(pairs_of(responses)[0]), pairs - graded
    found = []
    if ties:
        found.append(f"the figures leave out {counted(ties, 'pair')} of responses that people graded alike")
    if lacking:
        found.append(f"the figures leave out {counted(lacking, 'pair')} with a response that nobody graded")
    return found


def _without_seen(
    responses: Responses, better: np.ndarray, worse: np.ndarray, fit: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """The pairs (see `pairs_of`) of which weights know no response, and what to say of the others."""
    seen = seen_items(responses.items, fit)
    away = seen[better] | seen[worse]
    if not away.any():
        return better, worse, older_marks(fit)
    known = f"the weights were fitted on responses or groups of {int(away.sum())} of {counted(away.size, 'pair')}"
    if away.all():
        raise DataError(
            f"{known}: nothing is left that could show what they are worth",
            Advice("give other responses, or leave -w out", "give other responses, or no weights"),
        )
    return better[~away], worse[~away], (f"{known}: the figures leave these out", *older_marks(fit))


def accuracies(
    right: Mapping[str, Sequence[np.ndarray]],
    near: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> tuple[tuple[Accuracy, ...], Figures[str], str]:
    """How often each method orders p pairs as people do, the figures behind it, and the best of the trivial methods.

    right: by method, 1 where it orders a pair as people do, 0 where not and 0.5 for ties, float64 (p,) for every split
    into folds. near: the pairs of responses of nearly equal length, bool (p,). groups (p,), seed, resamples: of the
    intervals.
    """
    found = mean_figures(right, groups, rng=np.random.default_rng(seed), resamples=resamples)
    baseline = max((n for n in TRIVIAL_RANKERS if n in right), key=lambda n: found.splits[n].mean())
    methods = []
    for name, points in right.items():
        gain = None if name == "e_score" or "e_score" not in right else found.gain(name, "e_score")
        methods.append(
            Accuracy(
                method=name,
                accuracy=float(found.splits[name].mean()),
                interval=found.estimate(name).interval,
                ties=int(np.sum(points[0] == 0.5)),
                gain=gain.value if gain else None,
                gain_interval=gain.interval if gain else None,
                over_baseline=None if name == baseline else found.gain(name, baseline),
                near_accuracy=float(np.mean([p[near].mean() for p in points])) if near.any() else None,
            )
        )
    return tuple(methods), found, baseline


def fitted_in_folds(
    responses: Responses, *, folds: int = 5, kinds: Sequence[str] = WEIGHT_KINDS, seed: int = 0
) -> dict[str, tuple[np.ndarray, ...]]:
    """By kind of weights, and for `surface`, what is fitted without the response's group says of it.

    One array (n,) of mid-ranks inside the folds, means over the rubrics, for every split into folds; NaN for responses
    in no pair. Weights are fitted to labels, not to pairs, so the order within an instruction is turned into labels,
    for each rubric by its own grades: its best response gets the highest one, its worst the lowest, and the others lie between in proportion.
    Raises FitError for fewer groups than folds, and as `fit` does.
    """
    label = labels_within(responses)
    used = np.flatnonzero(np.isfinite(label[:, 0]))
    rubrics = responses.raw.shape[1]
    logits = {lens: x[used].reshape(-1, *x.shape[2:]) for lens, x in (("raw", responses.raw), ("norm", responses.norm))}
    surface = surface_of([responses.items[row] for row in used])
    found = cross_validate(
        logits,
        label[used].reshape(-1),
        responses.values,
        kinds=[k for k in kinds if k != "uniform"],
        groups=np.repeat(responses.group[used], rubrics),
        folds=folds,
        seed=seed,
        splits=SPLITS,
        features={"surface": np.repeat(surface, rubrics, axis=0)},
    )
    scores = {}
    for kind in ("surface", *kinds):
        if kind in found.methods and found.methods[kind].ranks:
            scores[kind] = tuple(_spread(ranks, used, len(label), rubrics) for ranks in found.methods[kind].ranks)
    return scores


def _spread(ranks: np.ndarray, used: np.ndarray, count: int, rubrics: int) -> np.ndarray:
    """Ranks of the used responses under every rubric as means of all responses (count,), NaN for the others."""
    scores = np.full(count, np.nan)
    scores[used] = ranks.reshape(-1, rubrics).mean(axis=1)
    return scores


def ranking_verdict(
    methods: Sequence[Accuracy], found: Figures[str], baseline: str, *, about: str | None = None
) -> str:
    """What a method is worth against the baseline, in a sentence; "" where there is no such method.

    about: its name; None for the best of those that are not trivial. From few groups (`TOO_FEW_GROUPS`) it is not said to
    be better or worse.
    """
    others = [m for m in methods if (m.method == about if about else m.method not in TRIVIAL_RANKERS)]
    if not others:
        return ""
    best = max(others, key=lambda m: m.accuracy)
    gain = found.best_gain([(m.method, baseline) for m in others], (best.method, baseline))
    level = float(found.splits[baseline].mean())
    what = {"length": "the longer response is", "surface": "the surface of the responses is"}.get(baseline)
    text = f"{best.method} puts the better of two responses first in {best.accuracy:.1%} of the pairs"
    if found.groups < TOO_FEW_GROUPS:
        few = f"{counted(found.groups, 'group')} {'is' if found.groups == 1 else 'are'} too few to tell whether that is"
        return f"{text}; {few} more than the {level:.1%} of {baseline}."
    if gain.interval is None or gain.value is None:
        return f"{text}."
    than = "more often than" if gain.interval.low > 0 else "less often than" if gain.interval.high < 0 else None
    ends = f"the difference is {gain.value:+.3f} [{gain.interval.low:+.3f}, {gain.interval.high:+.3f}]"
    by = f"{what} right" if what else "e_score does"
    return f"{text}, {than or 'but no more often than'} {by} ({level:.1%}): {ends}."
