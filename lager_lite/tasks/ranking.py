"""Order the responses to one instruction, and count how often the better of two comes out ahead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data import counted, group_key, group_names
from ..errors import Advice, DataError, FitError
from ..fitting import FEW_NAMES, folds_inside, group_folds, values_of
from ..judging import Judge
from ..records import Counts, Item, ItemId, Reading, id_for_results

RANK_METHODS = ("direct", "e_score", "uniform", "tuned")
PREFERRED = "preferred"


@dataclass(frozen=True)
class LeftOut:
    """A response that could not be judged.

    id: of its item, as the row has it.
    where: its place in the file, "" where it has none.
    contest: number of the instruction that it answers, from 0.
    error: why it could not be judged.
    """

    id: ItemId
    where: str
    contest: int
    error: str


@dataclass(frozen=True)
class Responses:
    """n responses that were read under all R rubrics.

    items: in the order of the file.
    contest: number of the instruction that a response answers, int (n,).
    group: what folds never split, str (n,).
    grade: what people think of the response, float64 (n,): the mean over the rubrics; NaN where one has no grade.
    grades: the same by rubric, float64 (n, R).
    scores: by method, float64 (n,); means over the rubrics, before calibration.
    raw, norm: layer logits under either lens, float32 (n, R, S, K).
    values: of the scale's labels, float64 (K,).
    failed: the responses that were left out.
    """

    items: tuple[Item, ...]
    contest: np.ndarray
    group: np.ndarray
    grade: np.ndarray
    grades: np.ndarray
    scores: Mapping[str, np.ndarray]
    raw: np.ndarray
    norm: np.ndarray
    values: np.ndarray
    failed: tuple[LeftOut, ...]

    def part(self, rows: np.ndarray) -> Responses:
        """Some of the responses, int (m,)."""
        columns = {name: getattr(self, name)[rows] for name in ("contest", "group", "grade", "grades", "raw", "norm")}
        scores = {name: one[rows] for name, one in self.scores.items()}
        return replace(self, items=tuple(self.items[row] for row in rows), scores=scores, **columns)


def contests(items: Sequence[Item]) -> np.ndarray:
    """Number of the instruction that each item answers, int (n,), from 0 in order of appearance.

    Responses that stand in one row of the file belong together; so do rows with the same group, source and
    instruction, as `group_key` says of all three. Raises DataError for a row that has none of the three.
    """
    places = Counter(item.where for item in items if item.where)
    numbers: dict[tuple[str | None, ...], int] = {}
    found = np.empty(len(items), dtype=np.int64)
    for row, item in enumerate(items):
        own = (item.group, item.fields.get("source"), item.fields.get("instruction"))
        key = tuple(group_key(name) if name else None for name in own)
        if places[item.where] > 1:
            key = (f"row {item.where}",)
        elif not any(key):
            raise DataError(
                f"{item.where}: item {item.id!r} has no instruction, source or group to be ranked within",
                Advice(
                    "name the key with --map instruction=KEY or --map group=KEY",
                    'name the key with mapping={"instruction": "KEY"} or mapping={"group": "KEY"}',
                    "put one of these texts under the key instruction, source or group",
                ),
            )
        found[row] = numbers.setdefault(key, len(numbers))
    return found


def first_contests(items: Sequence[Item], limit: int | None) -> tuple[Item, ...]:
    """The items of the first `limit` instructions; all items where it is None. Raises DataError as `contests` does."""
    numbers = contests(items)
    return tuple(item for item, number in zip(items, numbers) if limit is None or number < limit)


def check_pairs(items: Sequence[Item], rubric: str, folds: int | None, hold_out: str | None = None) -> None:
    """Refuse responses of which no figures can be made; no model is needed to know.

    rubric: the name of the rubric whose human scores are the grades. folds: that the groups must fill; None: nothing
    is fitted. hold_out: the field that is held out, too; None: none is. Raises DataError where no two responses to one
    instruction have different grades, FitError where the groups are too few, and both as `names_to_hold_out`.
    """
    numbers = contests(items)
    grades = np.array([_grade(item, rubric) for item in items])
    named = _groups(items, numbers)
    graded = [row for rows in members_of(numbers, np.isfinite(grades)) if np.ptp(grades[rows]) > 0 for row in rows]
    groups = [named[row] for row in graded]
    if not groups:
        raise DataError(
            "no two responses to one instruction have different human scores",
            Advice(
                "leave out --cv, --json and --report, which compare the order with people's",
                "give responses that people graded differently",
            ),
        )
    if folds is not None:
        folds_inside(np.array(groups), group_folds(groups, folds, 0))
        if hold_out is not None:
            names_to_hold_out([items[row] for row in graded], hold_out)


def names_to_hold_out(items: Sequence[Item], field: str) -> np.ndarray:
    """The value of `field` of every response, str (n,).

    Raises DataError as `values_of`, and FitError for fewer than four values: two are held out at a time, and the others
    must differ in something that a fit can learn.
    """
    names = values_of(items, field)
    count = np.unique(names).size
    check_enough_names(count, f"the field {field!r} has {counted(count, 'value')}")
    return names


def check_enough_names(count: int, said: str) -> None:
    """Raise FitError for fewer than four names to hold out; said: how many there are, in words."""
    if count < FEW_NAMES:
        raise FitError(
            f"{said}: both of a comparison are held out, and of the others none could be compared",
            f"give responses of {FEW_NAMES} or more, or hold nothing out",
        )


def read_responses(judge: Judge, items: Sequence[Item], progress: Callable[[Counts], None] | None = None) -> Responses:
    """Judge every response under every rubric of `judge`; a response that fails under one of them is left out.

    What the responses share, such as their instruction, is evaluated once.
    progress: called with the counts so far after each batch; None: no reports.

    Raises DataError where the rubrics have different scales, where nothing could be judged, and as `contests`
    does.
    """
    if len({r.scale for r in judge.rubrics}) > 1:
        raise DataError("the rubrics have different scales", "rank by one of them, or by rubrics of one scale")
    numbers = contests(items)
    rows, readings, scores, failed = [], [], [], []
    parts = zip(*[iter(judge.read(items, progress=progress))] * len(judge.rubrics))
    for row, part in enumerate(parts):
        errors = [reading for *_, reading in part if isinstance(reading, str)]
        if errors:
            one = items[row]
            failed.append(LeftOut(id_for_results(one.id), one.where, int(numbers[row]), errors[0]))
            continue
        rows.append(row)
        readings.append([reading for *_, reading in part])
        scores.append(_scores(judge, part))
    if not rows:
        raise DataError(
            f"none of {counted(len(items), 'response')} could be judged: {failed[0].error if failed else 'no items'}"
        )
    kept = tuple(items[row] for row in rows)
    grades = np.array([[_grade(item, rubric.name) for rubric in judge.rubrics] for item in kept])
    return Responses(
        items=kept,
        contest=numbers[rows],
        group=np.array(_groups(kept, numbers[rows])),
        grade=grades.mean(axis=1),
        grades=grades,
        scores={name: np.array([s[name] for s in scores]) for name in scores[0]},
        raw=np.array([[r.raw for r in part] for part in readings]),
        norm=np.array([[r.norm for r in part] for part in readings]),
        values=np.asarray(judge.rubrics[0].scale.values, dtype=np.float64),
        failed=tuple(failed),
    )


def _groups(items: Sequence[Item], numbers: np.ndarray) -> list[str]:
    """The group of each response as it was first spelled; what has none is in the group of its contest."""
    return group_names((item.group for item in items), (f"contest {number}" for number in numbers))


def rank(responses: Responses, by: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield a row for each response, instruction by instruction and best first.

    responses: from `read_responses`.
    by: the method whose scores decide, one of RANK_METHODS; None: "tuned" where the judge has weights, else
        "e_score".

    A row has the keys contest (number of the instruction, from 1), rank (from 1), of (how many responses the
    instruction has), id, and the score of every method. Equal scores share the better rank and stay in the
    order of the file. Where responses were left out, each of them has a row, too, after the others to its instruction;
    its rank and scores are None, and every row has the key error. Raises DataError for a method without scores.
    """
    by = by or ("tuned" if "tuned" in responses.scores else "e_score")
    if by not in responses.scores:
        raise DataError(f"no scores of {by}", "give weights, or rank by another method")
    score = responses.scores[by]
    more = {"error": None} if responses.failed else {}
    left_out = {one.contest for one in responses.failed}
    for number in sorted({*responses.contest.tolist(), *left_out}):
        rows = np.flatnonzero(responses.contest == number)
        rows = rows[np.argsort(-score[rows], kind="stable")]
        for row in rows:
            yield {
                "contest": number + 1,
                "rank": 1 + int(np.sum(score[rows] > score[row])),
                "of": len(rows),
                "id": id_for_results(responses.items[row].id),
                **{name: round(float(values[row]), 6) for name, values in responses.scores.items()},
                **more,
            }
        for one in responses.failed:
            if one.contest == number:
                place = {"contest": number + 1, "rank": None, "of": len(rows), "id": one.id}
                yield {**place, **dict.fromkeys(responses.scores), "error": one.error}


def _scores(judge: Judge, part: Sequence[tuple[Item, Any, Reading | str]]) -> dict[str, float]:
    judgments = [judge.judgment(item, rubric, reading) for item, rubric, reading in part]
    names = {"direct": "direct", "e_score": "e_score", "uniform": "uniform"}
    if judge.weights is not None:
        names["tuned"] = "raw_score"  # a calibration may map neighbours to the same grade
    found = {name: [getattr(j, attribute) for j in judgments] for name, attribute in names.items()}
    return {name: float(np.mean(values)) for name, values in found.items() if None not in values}


def _grade(item: Item, rubric: str) -> float:
    scores = item.human.get(PREFERRED) or item.scores_for(rubric)
    return float(np.mean(scores)) if scores else float("nan")


def members_of(contest: np.ndarray, wanted: np.ndarray) -> Iterator[np.ndarray]:
    """For each contest, the row numbers of its wanted responses."""
    rows = np.flatnonzero(wanted)
    order = rows[np.argsort(contest[rows], kind="stable")]
    if order.size:
        yield from np.split(order, np.flatnonzero(np.diff(contest[order])) + 1)


def labels_within(responses: Responses, wanted: np.ndarray | None = None) -> np.ndarray:
    """The grades of some responses, bool (n,), as labels of the scale, by rubric, float64 (n, R).

    wanted: None for all of them. For each rubric the best of those to one instruction gets the highest label, the worst
    the lowest, and the others lie between in proportion. NaN for responses that are not wanted, and for those to an
    instruction whose grades are alike.
    """
    known = np.isfinite(responses.grade)
    label = np.full(responses.grades.shape, np.nan)
    low, high = responses.values[0], responses.values[-1]
    for rows in members_of(responses.contest, known if wanted is None else known & wanted):
        grades = responses.grades[rows]
        span = np.ptp(grades, axis=0)
        if np.ptp(responses.grade[rows]) > 0:
            # Under a rubric that tells none of them apart, all of them stand in the middle.
            share = np.where(span > 0, (grades - grades.min(axis=0)) / np.where(span > 0, span, 1.0), 0.5)
            label[rows] = low + (high - low) * share
    return label
