"""A gate: whether scores are as high as they must be, and no worse than those of an earlier run.

A mean is held against its bound together with its interval, since a mean below the bound may be chance:

- met: the whole interval lies at or above the bound.
- missed: the whole interval lies below it.
- undecided: the bound lies inside the interval, or there is no interval. A strict gate fails there, too.

A comparison does the same with the mean of the differences, new minus old, of the same items under the same rubrics;
its bound is minus the loss that is allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..data import SYSTEM_FIELDS, counted, group_key
from ..errors import Advice, DataError
from .gate_checks import CHANGE, MEAN, MET, MISSED, UNDECIDED, Check, checked, doubts_of
from .same_judge import check_same_judge
from .scored import RUBRIC_FIELD, ScoredRow

_MOST_PARTS, _NAMED = 1000, 5


@dataclass(frozen=True)
class GateRule:
    """What scores must be.

    - `fail_under`: the lowest mean that passes, by the name of a part; "" is for the parts that are not named. Empty:
      means are not checked.
    - `no_worse_than`: the points by which the mean may lie below that of the earlier run. None: nothing is compared.
    - `by`: the field whose values are checked one by one; "criterion" is the rubric, "system" the usual fields for it.
      None: all rows are one part.
    - `group`: the field whose values are independent of each other, for the interval. None: the field `group` where
      rows have it, else the conversation of a judged turn, else the id.
    - `confidence`: the coverage of the intervals, above 0 and below 1.
    - `strict`: whether an undecided check fails.
    - `max_errors`: how many rows may lack a score: a number, or a share of all rows where it is below 1.

    Raises DataError for numbers out of range.
    """

    fail_under: Mapping[str, float]
    no_worse_than: float | None = None
    by: str | None = None
    group: str | None = None
    confidence: float = 0.95
    strict: bool = False
    max_errors: float = 0

    def __post_init__(self) -> None:
        numbers = [*self.fail_under.values(), self.no_worse_than or 0.0, self.confidence, self.max_errors]
        if not np.isfinite(numbers).all():
            raise DataError("the bounds of a gate must be finite numbers")
        if not 0 < self.confidence < 1 or (self.no_worse_than or 0) < 0 or self.max_errors < 0:
            raise DataError("confidence lies between 0 and 1; no_worse_than and max_errors start at 0")
        if not self.fail_under and self.no_worse_than is None:
            raise DataError("a gate needs a bound, or an earlier run to compare with")


@dataclass(frozen=True)
class GateResult:
    """What a gate found.

    - `checks`: every check, part by part.
    - `rule`: what was asked for.
    - `rows`: how many rows were read.
    - `errors`: how many of them have no score.
    - `first_error`: the place of the first of them, and why; "" where there is none.
    - `warnings`: what the user should know, in sentences.
    """

    checks: tuple[Check, ...]
    rule: GateRule
    rows: int
    errors: int
    first_error: str
    warnings: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[Check, ...]:
        """The checks that fail: those that are missed, with a strict gate also the undecided ones."""
        wrong = (MISSED, UNDECIDED) if self.rule.strict else (MISSED,)
        return tuple(check for check in self.checks if check.verdict in wrong)

    @property
    def allowed_errors(self) -> int:
        """How many rows may lack a score."""
        most = self.rule.max_errors
        return int(most * self.rows if most < 1 else most)

    @property
    def too_many_errors(self) -> bool:
        """Whether more rows lack a score than may."""
        return self.errors > self.allowed_errors

    @property
    def passed(self) -> bool:
        """Whether nothing fails."""
        return not self.failing and not self.too_many_errors

    @property
    def summary(self) -> str:
        """The outcome in one sentence."""
        told = [counted(len(self.checks), "check")]
        for verdict in (MET, MISSED, UNDECIDED):
            number = sum(check.verdict == verdict for check in self.checks)
            told += [f"{number} {verdict}"] if number else []
        if self.too_many_errors:
            told.append(f"{counted(self.errors, 'row')} without a score, {self.allowed_errors} allowed")
        return f"{'passed' if self.passed else 'failed'}: {told[0]}, {', '.join(told[1:])}"

    def to_dict(self) -> dict[str, Any]:
        """As a dictionary that json.dumps takes."""
        own = {"passed": self.passed, "summary": self.summary, "allowed_errors": self.allowed_errors}
        return {**own, **asdict(self)}


def gate(rows: Sequence[ScoredRow], rule: GateRule, old: Sequence[ScoredRow] | None = None) -> GateResult:
    """Hold scores against a rule.

    old: the rows of an earlier run, for `no_worse_than`. Raises DataError where no row has the field of `by` or `group`,
    where rows of one part have different scales, for a bound outside the scale or of a part that does not exist, and
    where the earlier run cannot be compared: no common item, another scale, or other weights.
    """
    if (old is None) != (rule.no_worse_than is None):
        raise DataError("no_worse_than and an earlier run belong together: give both or neither")
    parts = _parts(rows, rule.by)
    unknown = sorted(name for name in rule.fail_under if name and name not in parts)
    if unknown:
        raise DataError(f"there is a bound for {unknown[0]!r}, and no such part", f"the parts are {_some(parts)}")
    groups, warnings = _groups(rows, rule.group), list[str]()
    before, said = _earlier(rows, old or (), rule)
    warnings += said
    checks = []
    for name, own in parts.items():
        scored = [row for row in own if row.score is not None]
        scale = _scale_of(name, own)
        bound = rule.fail_under.get(name, rule.fail_under.get(""))
        if bound is not None:
            _check_bound(name, bound, scale, apart=rule.by is not None)
            values = np.array([row.score for row in scored], dtype=float)
            named = [groups[row.where] for row in scored]
            checks.append(checked(name, MEAN, values, named, bound=bound, ends=scale, level=rule.confidence))
        if rule.no_worse_than is not None:
            both = [row for row in scored if (row.id, row.rubric) in before]
            gaps = np.array([(row.score or 0.0) - before[row.id, row.rubric] for row in both], dtype=float)
            named, least = [groups[row.where] for row in both], 0.0 - rule.no_worse_than
            checks.append(checked(name, CHANGE, gaps, named, bound=least, ends=None, level=rule.confidence))
    if not checks:
        raise DataError("no part has a bound", f"give one for all, or for some of {_some(parts)}")
    if all(check.groups < 2 for check in checks):
        most = max(check.rows for check in checks)
        held = (
            f"all rows ({len(rows)})"
            if most == len(rows)
            else f"the {counted(most, 'row')} of {len(rows)} that could be held against a bound"
        )
        raise DataError(
            f"{'; '.join([f'{held} are of one group, so there is no interval, and no bound can be decided', *warnings])}",
            "score more items, or name another field whose values are independent",
        )
    failed = [row for row in rows if row.score is None]
    first = f"{failed[0].where}: item {failed[0].id} ({failed[0].rubric}): {failed[0].error}" if failed else ""
    return GateResult(tuple(checks), rule, len(rows), len(failed), first, (*warnings, *doubts_of(checks)))


def _parts(rows: Sequence[ScoredRow], by: str | None) -> dict[str, list[ScoredRow]]:
    """The rows by the value of the field, in the order in which values appear."""
    if by is None:
        return {"all": list(rows)}
    field = by
    if by == "system":
        field = next((name for name in SYSTEM_FIELDS if any(row.text(name) is not None for row in rows)), by)
    parts: dict[str, list[ScoredRow]] = {}
    for row in rows:
        value = row.text(field)
        parts.setdefault(f"(no {by})" if value is None else value, []).append(row)
    if not any(row.text(field) is not None for row in rows):
        raise _without(rows, by)
    if len(parts) > _MOST_PARTS:
        raise DataError(f"the field {by!r} has {len(parts)} values, at most {_MOST_PARTS} are checked one by one")
    return parts


def _groups(rows: Sequence[ScoredRow], field: str | None) -> dict[str, str]:
    """The group of every row, by its place."""
    named = field or "group"
    found = {row.where: row.text(named) for row in rows}
    if field is not None and not any(value is not None for value in found.values()):
        raise _without(rows, field)
    groups = {}
    for row in rows:
        # Turns of one conversation are judged with what was said before, so they are not independent.
        talk = row.text("conversation") if field is None else None
        own = found[row.where]
        groups[row.where] = (
            f"group {group_key(own)}" if own is not None else f"id {row.id}" if talk is None else f"conversation {talk}"
        )
    return groups


def _without(rows: Sequence[ScoredRow], field: str) -> DataError:
    keys = _some(dict.fromkeys(str(key) for row in rows for key in row.values), most=30)
    return DataError(
        f"no row has the field {field!r}; the keys are {keys}",
        Advice("lager-lite score --keep writes the keys of the items", "score_file(keep=...) writes keys of the items"),
    )


def _scale_of(part: str, rows: Sequence[ScoredRow]) -> tuple[float, float] | None:
    scales = {row.rubric: row.scale for row in rows if row.scale is not None}
    if len(set(scales.values())) > 1:
        (one, a), (other, b) = next(
            ((x, y) for x in scales.items() for y in scales.items() if x[1] != y[1]),
        )
        raise DataError(
            f"{part}: the rubrics have different scales: {one} from {a[0]:g} to {a[1]:g}, {other} from {b[0]:g} to {b[1]:g}",
            Advice(
                f"check each rubric by itself: --by {RUBRIC_FIELD}, with bounds such as --fail-under {one}={a[1]:g}",
                f"check each rubric by itself: by={RUBRIC_FIELD!r}, with bounds such as {{{one!r}: {a[1]:g}}}",
            ),
        )
    return next(iter(scales.values()), None)


def _check_bound(part: str, bound: float, scale: tuple[float, float] | None, *, apart: bool) -> None:
    """apart: whether a part can have a bound of its own."""
    if scale is not None and not scale[0] <= bound <= scale[1]:
        own = Advice(f"--fail-under '{part}={scale[1]:g}'", f"{{{part!r}: {scale[1]:g}}}")
        alone = f", or one for this part alone: {own}" if apart else ""
        of = part if apart else "the scores"
        raise DataError(
            f"the bound {bound:g} lies outside the scale of {of}, {scale[0]:g} to {scale[1]:g}",
            f"give a bound on the scale{alone}",
        )


def _earlier(
    rows: Sequence[ScoredRow], old: Sequence[ScoredRow], rule: GateRule
) -> tuple[dict[tuple[str, str], float], list[str]]:
    """The earlier scores by id and rubric, and what to say of those that have no partner."""
    if rule.no_worse_than is None:
        return {}, []
    new = {(row.id, row.rubric): row for row in rows}
    then = {(row.id, row.rubric): row for row in old}
    common = new.keys() & then.keys()
    if not common:
        raise DataError(
            f"no row has an id and a rubric of the earlier run; here {_some(f'{i} ({r})' for i, r in new)}; "
            f"there {_some(f'{i} ({r})' for i, r in then)}",
            "score the same items under the same rubrics in both runs",
        )
    check_same_judge([(new[key], then[key]) for key in new if key in then])
    found = {key: row.score for key, row in then.items() if key in common and row.score is not None}
    said = []
    for missing, where in ((new.keys() - common, "in the earlier run"), (then.keys() - common, "in this run")):
        if missing:
            said.append(f"the comparison leaves out {counted(len(missing), 'row')} that {_is(missing)} not {where}")
    lost = sum(row.score is None for key, row in then.items() if key in common)
    if lost:
        said.append(f"the comparison leaves out {counted(lost, 'row')} without a score in the earlier run")
    if not any(row.score is not None and key in found for key, row in new.items()):
        raise DataError("no item has a score in both runs", "see the errors in both files")
    return found, said


def _is(found: Collection[Any]) -> str:
    return "is" if len(found) == 1 else "are"


def _some(names: Any, most: int = _NAMED) -> str:
    listed = list(names)
    return ", ".join(map(str, listed[:most])) + (f" and {len(listed) - most} more" if listed[most:] else "")
