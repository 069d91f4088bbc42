"""Judging whole files: what the commands call, without anything of the command line."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..data import ANSWER, TURN, apart_from, group_key, write_rows
from ..errors import rows_given
from ..prompts import Rubric, signs
from ..records import Counts, Item, Judgment, id_for_results
from ..system import check_not_read
from .by_turn import TURN_NAMES, by_conversation, turn_row
from .given import FrameLike, items_of_frame
from .judge import Judge
from .panel import Panel
from .quality import Quality

Frame = TypeVar("Frame", bound=FrameLike)

OWN_NAMES = frozenset(
    (
        "id",
        "rubric",
        "score",
        "low",
        "high",
        "raw_score",
        "direct",
        "e_score",
        "uniform",
        "mass",
        "tokens",
        "probabilities",
    )
    + ("members", "per_layer", "feedback", "flags", "error")
)
"""The keys that a row of a judgment may have."""

SHOWN_FAILURES = 10
"""The number of items whose failed judgments a summary keeps."""


@dataclass(frozen=True)
class Summary:
    """What a run did.

    - `counts`: the judge's counts.
    - `seconds`: the wall time.
    - `scored`: the number of judgments with a score.
    - `mean`, `low`, `high`: the mean, lowest and highest score. None: there is no score.
    - `failed`: the number of judgments without a score.
    - `failures`: those of the first SHOWN_FAILURES items that have one.
    - `warnings`: why the scores may tell little, a sentence each; every one was given as a JudgeWarning, too.
    """

    counts: Counts
    seconds: float
    scored: int
    mean: float | None
    low: float | None
    high: float | None
    failed: int
    failures: tuple[Judgment, ...]
    warnings: tuple[str, ...] = ()


class Tally:
    """Adds up judgments one by one, and keeps only the first failures.

    - `rubrics`: see `Quality`.
    - `doubts`: warnings that do not depend on the judgments (see `Judge.doubts`).
    """

    def __init__(self, rubrics: Sequence[Rubric] = (), doubts: Sequence[str] = ()) -> None:
        self._start = time.monotonic()
        self._scored, self._sum, self._failed = 0, 0.0, 0
        self._quality, self._doubts = Quality(rubrics), tuple(doubts)
        self._low, self._high = float("inf"), float("-inf")
        self._failures: list[Judgment] = []
        self._failed_items = 0

    def add(self, judgment: Judgment) -> None:
        """Add one judgment."""
        if judgment.score is None:
            self._failed += 1
            self._keep(judgment)
            return
        self._scored += 1
        self._sum += judgment.score
        self._low, self._high = min(self._low, judgment.score), max(self._high, judgment.score)
        self._quality.add(judgment)

    def _keep(self, judgment: Judgment) -> None:
        """Keep a failure if it is of one of the first items that have one."""
        if not self._failures or (judgment.where, judgment.id) != (self._failures[-1].where, self._failures[-1].id):
            self._failed_items += 1
        if self._failed_items <= SHOWN_FAILURES:
            self._failures.append(judgment)

    def summary(self, counts: Counts) -> Summary:
        """Return the summary of the judgments so far."""
        n = self._scored
        return Summary(
            counts=counts,
            seconds=time.monotonic() - self._start,
            scored=n,
            mean=self._sum / n if n else None,
            low=self._low if n else None,
            high=self._high if n else None,
            failed=self._failed,
            failures=tuple(self._failures),
            warnings=(*self._doubts, *self._quality.warnings()),
        )


def score_file(
    judge: Judge | Panel,
    items: Iterable[Item],
    output: str | Path,
    *,
    row: Callable[[Item, Judgment], Mapping[str, Any]] | None = None,
    progress: Callable[[Counts], None] | None = None,
    unit: str = ANSWER,
) -> Summary:
    """Judge all items and write each judgment as a row when it comes, so that memory does not grow.

    - `output`: see `write_rows`. Tables and .json files are written at the end and need memory for all rows.
    - `row`: makes the row of an item and its judgment. None: `judgment_row` does. Rows of judged turns also have what
      `turn_row` gives, and are written when the last turn of their conversation is judged.
    - `progress`: called with the judge's counts after every decode.
    - `unit`: what of a conversation is judged; where that is every turn, all rows have the keys of `turn_row`.

    Raises OutputError where the file cannot be written, or is one that is read: the model's, or one that an item came
    from. Raises what `Judge.judged` raises, too.
    """
    check_not_read(output, judge.paths if isinstance(judge, Panel) else judge.info.paths)
    apart = apart_from(output, items)
    tally = Tally(judge.rubrics, judge.doubts() if isinstance(judge, Judge) else ())

    def counted(judged: Iterable[tuple[Item, Judgment]]) -> Iterator[tuple[Item, Judgment]]:
        """The same judgments, each taken into the tally."""
        for item, judgment in judged:
            tally.add(judgment)
            yield item, judgment

    def rows() -> Iterator[Mapping[str, Any]]:
        """The rows of the output."""
        for item, judgment, turns in by_conversation(counted(judge.judged(apart, progress=progress))):
            yield {
                **(row(item, judgment) if row else judgment_row(judgment)),
                **turn_row(item, turns, turns=unit == TURN),
            }

    write_rows(output, rows())
    return tally.summary(judge.counts)


def score_items(
    judge: Judge, items: Iterable[Item], progress: Callable[[Counts], None] | None = None
) -> tuple[tuple[Judgment, ...], Summary]:
    """Judge all items; return the judgments in the order of `Judge.score`, and their summary."""
    tally = Tally(judge.rubrics, judge.doubts())
    judgments = tuple(judge.score(items, progress=progress))
    for judgment in judgments:
        tally.add(judgment)
    return judgments, tally.summary(judge.counts)


def score_frame(judge: Judge, frame: Frame, progress: Callable[[Counts], None] | None = None) -> Frame:
    """Judge the rows of a pandas DataFrame; return a DataFrame with the columns of `judgment_row`.

    Columns are read as the keys of a file's rows. The index is that of `frame`; with several rubrics each label occurs
    once for each of them. A frame without rows gives one with these columns and no rows. Raises DataError for a row that cannot be used and for equal ids, and what `Judge.score`
    raises.
    """
    items = items_of_frame(frame)
    labels = [label for label in frame.index for _ in judge.rubrics]
    with rows_given():
        rows = [judgment_row(judgment) for judgment in judge.score(items, progress=progress)]
    columns = None if rows else list(judgment_row(Judgment("", "", None)))
    return type(frame)(rows, index=labels, columns=columns)


@dataclass(frozen=True)
class Ordering:
    """How well methods of scoring order the responses of a group.

    - `right`: by method, the share of pairs that it orders as their grades do. A tie counts as half, so chance gives
      0.5. 0 where there is no pair.
    - `pairs`: the number of pairs of one group whose grades differ.
    """

    right: dict[str, float]
    pairs: int


def ordering(
    items: Sequence[Item],
    judgments: Sequence[Judgment],
    tuned: bool,
    *,
    baselines: Mapping[str, Sequence[float]] | None = None,
) -> Ordering:
    """Compare how each method orders the responses of a group with their human scores.

    - `items`, `judgments`: in the same order; items have human scores of the criterion "".
    - `tuned`: whether the judgments' scores come from fitted weights and are a method too.
    - `baselines`: by the name of a method that needs no judge, its score of every item; they come first.
    """
    baselines = baselines or {}
    methods = {"direct": "direct", "e_score": "e_score", "uniform": "uniform"} | ({"tuned": "score"} if tuned else {})
    rows = [
        (
            item.group and group_key(item.group),
            sum(item.human[""]) / len(item.human[""]),
            {name: scores[place] for name, scores in baselines.items()}
            | {name: getattr(judgment, key) for name, key in methods.items()},
        )
        for place, (item, judgment) in enumerate(zip(items, judgments))
        if judgment.error is None
    ]
    right, pairs = dict.fromkeys((*baselines, *methods), 0.0), 0
    for (group, grade, one), (other_group, other_grade, other) in itertools.combinations(rows, 2):
        if group != other_group or grade == other_grade:
            continue
        pairs += 1
        for method in right:
            gap = (one[method] - other[method]) * (1 if grade > other_grade else -1)
            right[method] += 0.5 if gap == 0 else float(gap > 0)
    return Ordering({method: (count / pairs if pairs else 0.0) for method, count in right.items()}, pairs)


class JudgmentRows:
    """Makes rows for `score_file`.

    - `details`: see `judgment_row`.
    - `injection`: whether to look for signs of injection, and to add them to the flags.

    An item that has the row it was taken from (`Item.row`) keeps it: its keys stand before those of the judgment.
    The attribute `injected` is the number of rows with such signs so far.
    """

    def __init__(self, *, details: bool = False, injection: bool = False) -> None:
        self._details, self._injection = details, injection
        self.injected = 0

    def __call__(self, item: Item, judgment: Judgment) -> dict[str, object]:
        found = signs(item) if self._injection else ()
        self.injected += bool(found)
        row = judgment_row(judgment, details=self._details, more_flags=found)
        return row if item.row is None else _beside(item, row)


def judgment_row(judgment: Judgment, *, details: bool = False, more_flags: Sequence[str] = ()) -> dict[str, object]:
    """Return a judgment as a flat row for a file.

    - `details`: whether to add the expected score of every layer.
    - `more_flags`: flags besides those of the judgment, for instance signs of injection (see `injection.signs`).

    Numbers are rounded to 6 decimals, which is finer than any setting reproduces across machines.
    """
    row: dict[str, object] = {
        "id": id_for_results(judgment.id),
        "rubric": judgment.rubric,
        "score": _round(judgment.score),
    }
    if judgment.interval is not None:
        row["low"], row["high"] = map(_round, judgment.interval)
    for name in ("raw_score", "direct", "e_score", "uniform", "mass"):
        row[name] = _round(getattr(judgment, name))
    row["tokens"] = judgment.tokens
    row["probabilities"] = judgment.probabilities and {k: _round(v) for k, v in judgment.probabilities.items()}
    if judgment.members is not None:
        row["members"] = [_round(one) for one in judgment.members] or None
    if details:
        row["per_layer"] = judgment.per_layer and [_round(v) for v in judgment.per_layer]
    if judgment.feedback is not None:
        row["feedback"] = judgment.feedback[0] if len(judgment.feedback) == 1 else list(judgment.feedback)
    row["flags"] = [*judgment.flags, *more_flags]
    row["error"] = judgment.error
    return row


def _beside(item: Item, row: dict[str, object]) -> dict[str, object]:
    """The row of a judgment behind the row that its item was taken from.

    The key of the item's id is left out, since `id` says it. Others that have a name of ours get `input_` in front, as
    often as it takes until no key has the name.
    """
    kept = {key: value for key, value in (item.row or {}).items() if key not in item.keys.get("id", ())}
    own = OWN_NAMES if item.turn is None else OWN_NAMES.union(TURN_NAMES)
    names = {**dict.fromkeys(kept), **dict.fromkeys(own)}
    found: dict[str, object] = {"id": row["id"]}
    for key, value in kept.items():
        name = key
        while name in own or name != key and name in names:
            name = f"input_{name}"
        found[name] = value
    return {**found, **row}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
