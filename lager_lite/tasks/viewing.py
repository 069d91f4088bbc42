"""Judgments beside the texts that were judged and the human scores, for a person to look through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from ..data import ANSWER, counted
from ..errors import Advice, DataError, PromptError
from ..judging import read_judgments
from ..prompts import Rubric, list_rubrics, load_rubric, with_scale
from ..records import Item, Judgment, Scale
from .misfits import misfits


@dataclass(frozen=True)
class Criterion:
    """What one rubric asks, as far as it is known.

    - `name`: the name that judgments list it under.
    - `scale`: its scale; None where no judgment has probabilities and the rubric is not known.
    - `rubric`: the rubric on that scale; None where only its name is known.
    - `is_given`: whether the rubric was given, and not found by its name among those that ship.
    """

    name: str
    scale: Scale | None
    rubric: Rubric | None
    is_given: bool = False

    def is_judged(self, item: Item) -> tuple[str, ...]:
        """The names of the fields of an item that are judged; "rendered" is its ready prompt."""
        if item.rendered is not None:
            return ("rendered",)
        shown = [section.field for section in self.rubric.sections] if self.rubric else ["response"]
        if "response" in shown or not shown:
            return ("response",)
        return (shown[-1],)


@dataclass(frozen=True)
class Viewing:
    """What was read for a page to look through.

    - `name`: the name of the file of judgments.
    - `path`: its path, "-" for stdin.
    - `judgments`: the judgments, in the order of their file.
    - `items`: by id, the items whose texts are known.
    - `criteria`: the rubrics, by first appearance.
    - `warnings`: what does not fit together, a sentence each.
    """

    name: str
    path: str
    judgments: tuple[Judgment, ...]
    items: Mapping[str, Item]
    criteria: tuple[Criterion, ...]
    warnings: tuple[str, ...]


def open_view(
    scores: str | Path,
    items: Iterable[Item] | None = None,
    *,
    rubrics: Sequence[Rubric] = (),
    limit: int | None = None,
    unit: str = ANSWER,
) -> Viewing:
    """Read an output of `score`, and join it with the items that were scored.

    - `scores`: the file; see `read_judgments`.
    - `items`: the items, see `read_items`, joined by id. None: the texts that `score --keep` wrote are taken.
    - `rubrics`: say what is asked and what the labels are worth; shipped ones are found by the name alone.
    - `unit`: what of a conversation was judged, where the texts are those that `--keep` wrote.
    - `limit`: only the judgments of the first items; None: all.

    Raises DataError as `read_judgments` does, and where no id of the judgments is one of the items.
    """
    labels = {label: value for rubric in rubrics for label, value in zip(rubric.scale.labels, rubric.scale.values)}
    rows = read_judgments(scores, labels=labels, unit=unit)
    judgments = [row.judgment for row in rows]
    if limit is not None:
        first = set(list(dict.fromkeys(judgment.id for judgment in judgments))[:limit])
        judgments = [judgment for judgment in judgments if judgment.id in first]
    kept: dict[str, Item] = {row.judgment.id: row.item for row in rows if row.item is not None}
    warnings: list[str] = []
    beside, criteria = kept, _criteria(judgments, rubrics)
    if items is not None:
        kept, warnings = _joined(judgments, tuple(items), str(scores), whole=limit is None)
        warnings += misfits(judgments, kept, {one.name: one.rubric for one in criteria}, beside)
    name = "stdin" if str(scores) == "-" else Path(scores).name
    shown = {judgment.id: kept[judgment.id] for judgment in judgments if judgment.id in kept}
    warnings += _outside(judgments, shown, criteria)
    return Viewing(name, str(scores), tuple(judgments), shown, criteria, tuple(warnings))


def human_score(item: Item, criterion: str) -> float | None:
    """The mean human score of an item under a criterion; None where nobody scored it."""
    scores = item.scores_for(criterion)
    return fmean(scores) if scores else None


def _joined(
    judgments: Sequence[Judgment], items: Sequence[Item], scores: str, *, whole: bool
) -> tuple[dict[str, Item], list[str]]:
    """The items by id, and what does not match, in words."""
    known = {item.id: item for item in items}
    ids = dict.fromkeys(judgment.id for judgment in judgments)
    lost = [one for one in ids if one not in known]
    beyond = [item.id for item in items if item.id not in ids]
    if ids and len(lost) == len(ids):
        raise DataError(
            f"{scores}: the items have none of its {counted(len(ids), 'id')}; its first id is {lost[0]!r}, that of the "
            f"items is {items[0].id!r}",
            Advice(
                "give the file that was scored, with the same --map and --layout",
                "give the items that were scored, read with the same mapping and layout",
            ),
        )
    warnings = []
    if lost:
        of = counted(len(lost), "judged item")
        texts = "its text is" if len(lost) == 1 else "their texts are"
        warnings.append(f"{of} {_is(lost)} not among the items that were given, so {texts} missing: {_some(lost)}")
    if beyond and whole:
        of = counted(len(beyond), "item")
        warnings.append(f"{of} {_has(beyond)} no judgment and {_is(beyond)} left out: {_some(beyond)}")
    return known, warnings


def _outside(judgments: Sequence[Judgment], items: Mapping[str, Item], criteria: Sequence[Criterion]) -> list[str]:
    """What to say of human scores that lie on another scale than the judge's, for each criterion that has some."""
    warnings = []
    for criterion in criteria:
        if criterion.scale is None:
            continue
        own = [items[one.id] for one in judgments if one.rubric == criterion.name and one.id in items]
        human = [score for item in own if (score := human_score(item, criterion.name)) is not None]
        low, high = min(criterion.scale.values), max(criterion.scale.values)
        beyond = [score for score in human if not low <= score <= high]
        if beyond:
            warnings.append(
                f"{len(beyond)} of {counted(len(human), 'human score')} lie outside the scale of {criterion.name}, "
                f"{low:g} to {high:g}: they range from {min(beyond):g} to {max(beyond):g}, so differences from the judge's scores mean nothing"
            )
    return warnings


def _is(found: Sequence[str]) -> str:
    return "is" if len(found) == 1 else "are"


def _has(found: Sequence[str]) -> str:
    return "has" if len(found) == 1 else "have"


def _some(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _criteria(judgments: Sequence[Judgment], rubrics: Sequence[Rubric]) -> tuple[Criterion, ...]:
    labels: dict[str, tuple[str, ...]] = {}
    for judgment in judgments:
        found, before = tuple(judgment.probabilities or ()), labels.get(judgment.rubric, ())
        labels[judgment.rubric] = before or found
    own = {rubric.name: rubric for rubric in rubrics}
    for name in own:
        if judgments and name not in labels:
            names = ", ".join(labels)
            raise PromptError(f"no judgment is by the rubric {name}", f"the judgments are by {names}")
    return tuple(_criterion(name, found, own.get(name)) for name, found in labels.items())


def _criterion(name: str, labels: tuple[str, ...], given: Rubric | None) -> Criterion:
    rubric = given or (load_rubric(name) if name in list_rubrics() else None)
    if not labels:
        return Criterion(name, rubric.scale if rubric else None, rubric, given is not None)
    if rubric is not None and rubric.scale.labels == labels:
        return Criterion(name, rubric.scale, rubric, given is not None)
    if given is not None:
        raise PromptError(
            f"the rubric {name} has the labels {', '.join(given.scale.labels)}, the judgments have {', '.join(labels)}",
            "give the rubric, and its scale, that the judgments were made with",
        )
    scale = Scale(labels, _worth(labels))
    return Criterion(name, scale, with_scale(rubric, scale) if rubric else None)


def _worth(labels: Sequence[str]) -> tuple[float, ...]:
    """What labels are worth where nobody says it: numbers are themselves, others 1, 2, 3 from the worst."""
    try:
        values = tuple(map(float, labels))
    except ValueError:
        return tuple(float(place) for place in range(1, len(labels) + 1))
    ascending = all(low < high for low, high in zip(values, values[1:]))
    return values if ascending else tuple(float(place) for place in range(1, len(labels) + 1))
