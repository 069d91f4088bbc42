"""Two evaluations on the same items: which agrees better with people, and by how much.

The two may differ in model, quantization, rubric, weights or settings. Only judgments that both have are
compared, and in pairs, so that the difference has a much smaller interval than either agreement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..data import counted, group_key
from ..errors import DataError
from ..fitting import tells_of_copies
from ..stats import Agreement, Difference, Estimate, agreement, paired_difference, rank_figures
from .records import Evaluation, MethodResult
from .results import EvaluationRun

_NAMED = 5


@dataclass(frozen=True)
class FigurePair:
    """Agreement of A and of B on the same items.

    a, b: agreement of each; without Pearson's correlation for what was fitted in folds.
    difference: Spearman correlation of B minus that of A; its `share` is of resamples in which B is better. Without a value
        where scores were ranked inside folds of which the two have different numbers.
    """

    a: Agreement
    b: Agreement
    difference: Difference


@dataclass(frozen=True)
class MethodPair:
    """One method in both runs.

    name: of the method.
    overall: on all shared judgments.
    criteria: within each criterion, by its name; empty where there is only one.
    error: mean absolute error of the calibrated scores of A and of B, and B minus A, whose `share` is of
        resamples in which B errs less; None where either run has no calibrated scores.
    moved: mean absolute difference of the raw scores, in points of the scale.
    order: Spearman correlation between the raw scores; None where undefined.
    equal_surface: agreement of A and of B at equal surface, each on its own judgments, see `MethodResult`.
    """

    name: str
    overall: FigurePair
    criteria: Mapping[str, FigurePair]
    error: tuple[float, float, Difference] | None
    moved: float
    order: float | None
    equal_surface: tuple[Estimate | None, Estimate | None]


@dataclass(frozen=True)
class Comparison:
    """EvaluationRun B against run A on n judgments that both have.

    n: number of shared judgments.
    groups: how many groups of A they are in.
    methods: those that both have.
    differences: (what, in A, in B) where the origins differ.
    only_a, only_b: "item" or "item (criterion)" of judgments that only one of them has.
    methods_a, methods_b: methods that only one of them has.
    caveats: what to say of each run whose weights were fitted on what it is of, or whose folds part copies, and of runs
        with different numbers of folds, in sentences.
    """

    n: int
    groups: int
    methods: tuple[MethodPair, ...]
    differences: tuple[tuple[str, str, str], ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    methods_a: tuple[str, ...]
    methods_b: tuple[str, ...]
    caveats: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        return asdict(self)


def compare(a: EvaluationRun, b: EvaluationRun, *, seed: int = 0, resamples: int = 1000) -> Comparison:
    """Compare two runs on the judgments (item and criterion) that both have.

    Intervals are resampled from A's groups. Raises DataError where nothing is shared, and where the human
    scores of a shared judgment differ, since then these are not the same items.
    """
    left, right = _places(a.evaluation), _places(b.evaluation)
    shared = [key for key in left if key in right]
    if not shared:
        raise DataError(
            f"the two evaluations share no judgment: A has {_some(left)}, B has {_some(right)}",
            "compare evaluations of one file under rubrics of the same names",
        )
    rows_a, rows_b = [left[key] for key in shared], [right[key] for key in shared]
    human = np.array(a.evaluation.human)[rows_a]
    _check_human(shared, human, np.array(b.evaluation.human)[rows_b])
    group = np.array(a.evaluation.group)[rows_a]
    names_a, names_b = ([m.name for m in run.evaluation.methods] for run in (a, b))
    criterion, alike = np.array([c for _, c in shared]), _folds_of(a.evaluation) == _folds_of(b.evaluation)
    setting = _Setting(rows_a, rows_b, human, group, criterion, seed, resamples, alike)
    return Comparison(
        n=len(shared),
        groups=int(np.unique(group).size),
        methods=tuple(
            _method(m, b.evaluation.method(m.name), setting) for m in a.evaluation.methods if m.name in names_b
        ),
        differences=tuple(_differences(a, b)),
        only_a=tuple(_label(key) for key in left if key not in right),
        only_b=tuple(_label(key) for key in right if key not in left),
        methods_a=tuple(n for n in names_a if n not in names_b),
        methods_b=tuple(n for n in names_b if n not in names_a),
        caveats=(
            *(f"{name}: {said}" for name, run in (("A", a), ("B", b)) for said in _caveats(run.evaluation)),
            *_other_folds(a.evaluation, b.evaluation),
        ),
    )


def _caveats(found: Evaluation) -> Iterator[str]:
    """What must be known of the figures of a run wherever they are shown."""
    if found.caveat:
        yield found.caveat
    yield from filter(tells_of_copies, found.warnings)


@dataclass(frozen=True)
class Cost:
    """What one judgment cost, on average.

    seconds: of reading; None where something came from the store, and where nothing was judged.
    generated: tokens generated for feedback.
    evaluated: prompt tokens evaluated.
    """

    seconds: float | None
    generated: float
    evaluated: float


def cost(run: EvaluationRun) -> Cost:
    """The cost per judgment of a run's reading."""
    counts = run.origin.judgments
    judged = counts["done"] - counts["failed"]
    fresh = judged > 0 and not counts["stored"] and not counts.get("stored_feedback", 0)
    seconds = run.origin.seconds["reading"] / judged if fresh else None
    return Cost(
        seconds, counts.get("generated_tokens", 0) / max(1, judged), counts["evaluated_tokens"] / max(1, judged)
    )


@dataclass(frozen=True)
class _Setting:
    rows_a: list[int]
    rows_b: list[int]
    human: np.ndarray
    group: np.ndarray
    criterion: np.ndarray
    seed: int
    resamples: int
    alike: bool  # whether both were split into as many folds

    def error(self, a: np.ndarray, b: np.ndarray) -> Difference:
        """Mean absolute error of B minus that of A."""
        rng = np.random.default_rng(self.seed)
        return paired_difference(b, a, self.human, self.group, rng=rng, measure="mae", resamples=self.resamples)


def _method(a: MethodResult, b: MethodResult, setting: _Setting) -> MethodPair:
    columns = {
        "a": [np.asarray(column)[setting.rows_a] for column in a.pooled],
        "b": [np.asarray(column)[setting.rows_b] for column in b.pooled],
    }
    every = np.ones(setting.human.size, dtype=bool)

    def pair(rows: np.ndarray) -> FigurePair:
        """The figures of both runs over some of the judgments."""
        human, kept = setting.human[rows], {name: [c[rows] for c in one] for name, one in columns.items()}
        rng = np.random.default_rng(setting.seed)
        ranked = [name for name, method in (("a", a), ("b", b)) if method.ranks]
        found = rank_figures(kept, human, setting.group[rows], rng=rng, resamples=setting.resamples, ranked=ranked)
        left, right = (
            _agreement(raw[rows], kept[name], human, found.estimate(name).value, fitted=bool(method.ranks))
            for name, raw, method in (("a", x, a), ("b", y, b))
        )
        known = setting.alike or not ranked
        return FigurePair(
            left, right, found.difference("b", "a") if known else Difference("spearman", None, None, None)
        )

    x, y = np.array(a.raw)[setting.rows_a], np.array(b.raw)[setting.rows_b]
    names = list(dict.fromkeys(setting.criterion.tolist()))
    error = None
    defined = a.calibrated_mae is not None and b.calibrated_mae is not None
    if defined and a.calibrated is not None and b.calibrated is not None:
        p, q = np.array(a.calibrated)[setting.rows_a], np.array(b.calibrated)[setting.rows_b]
        off = [float(np.mean(np.abs(c - setting.human))) for c in (p, q)]
        error = (off[0], off[1], setting.error(p, q))
    return MethodPair(
        name=a.name,
        overall=pair(every),
        criteria={name: pair(setting.criterion == name) for name in names} if len(names) > 1 else {},
        error=error,
        moved=float(np.mean(np.abs(x - y))),
        order=agreement(x, y).spearman,
        equal_surface=(a.equal_surface, b.equal_surface),
    )


def _agreement(
    raw: np.ndarray, columns: Sequence[np.ndarray], human: np.ndarray, spearman: float | None, *, fitted: bool
) -> Agreement:
    """Agreement of scores (n,) with human scores (n,), the Spearman correlation being known.

    columns: what may be pooled of what was fitted in folds. Pearson's correlation would be of the levels of the folds,
    too, and saved runs do not name the folds, so there is none.
    """
    whole = replace(agreement(raw, human), spearman=spearman)
    if not fitted:
        return whole
    parts = [agreement(column, human) for column in columns]
    reason = next((one.undefined for one in parts if one.undefined), None)
    if reason is not None:
        return replace(whole, pearson=None, kendall=None, mae=None, undefined=reason)
    kendall = float(np.mean([one.kendall for one in parts if one.kendall is not None]))
    return replace(whole, pearson=None, kendall=kendall, undefined=None)


def _folds_of(found: Evaluation) -> int:
    """Into how many folds what was fitted was split; beside given weights, length and surface are in at most 5."""
    return min(found.folds or 5, found.groups)


def _other_folds(a: Evaluation, b: Evaluation) -> Iterator[str]:
    """What to say where scores were ranked inside more folds in one run than in the other."""
    ranked = [m.name for m in a.methods if m.ranks and any(m.name == other.name for other in b.methods)]
    if ranked and _folds_of(a) != _folds_of(b):
        yield (
            f"A was split into {_folds_of(a)} folds and B into {_folds_of(b)}. What was fitted is ranked inside the folds, "
            f"and agrees the less the smaller they are, so there is no difference of {', '.join(ranked)}: evaluate both "
            "in the same number of folds."
        )


def _places(found: Evaluation) -> dict[tuple[str, str], int]:
    return {key: row for row, key in enumerate(zip(map(str, found.items), found.criterion))}


def _check_human(shared: Sequence[tuple[str, str]], a: np.ndarray, b: np.ndarray) -> None:
    wrong = np.flatnonzero(~np.isclose(a, b))
    if wrong.size:
        shown = "; ".join(f"{_label(shared[i])}: {a[i]:g} and {b[i]:g}" for i in wrong[:_NAMED])
        raise DataError(
            f"the human scores of {wrong.size} of {len(shared)} shared judgments differ ({shown})",
            "compare evaluations of one file",
        )


def _differences(a: EvaluationRun, b: EvaluationRun) -> Iterator[tuple[str, str, str]]:
    for name, left in asdict(a.origin).items():
        right = getattr(b.origin, name)
        if name in ("seconds", "judgments", "date") or left == right:
            continue
        if isinstance(left, Mapping):
            for key in dict.fromkeys([*left, *right]):
                if left.get(key) != right.get(key):
                    yield f"{name}: {key}", _shown(left.get(key, "-")), _shown(right.get(key, "-"))
        else:
            yield name, _shown(left), _shown(right)
    x, y = a.evaluation, b.evaluation
    for name in ("n", "values", "folds", "seed"):
        if getattr(x, name) != getattr(y, name):
            yield name, _shown(getattr(x, name)), _shown(getattr(y, name))
    groups_a, groups_b = ({key: e.group[row] for key, row in _places(e).items()} for e in (x, y))
    moved = sum(group_key(groups_a[key]) != group_key(groups_b[key]) for key in groups_a if key in groups_b)
    if moved:
        yield "group", counted(moved, "judgment"), "in other groups"


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _label(key: tuple[str, str]) -> str:
    item, criterion = key
    return f"{item} ({criterion})" if criterion else item


def _some(places: Mapping[tuple[str, str], int]) -> str:
    shown = ", ".join(_label(key) for key in list(places)[:_NAMED])
    return f"{shown}, ..." if len(places) > _NAMED else shown
