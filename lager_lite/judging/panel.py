"""A panel: several models judge the same items, one after the other, and their scores become one.

One model is in memory at a time. The judgments of all but the last wait in temporary files, so that memory does not
grow with the items; a run that was stopped finds its readings in the store.
"""

from __future__ import annotations

import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..backbones import locate_model, open_model
from ..errors import DataError, JudgeWarning, LagerError
from ..prompts import Rubric
from ..records import Counts, Item, Judgment
from ..scoring import Member, PanelWeights, WeightsFile, apply_calibration, check_distinct, check_panel
from .given import ItemLike, rubrics_given
from .judge import Judge, Progress
from .quality import watched

Opener = Callable[[str, WeightsFile | None], AbstractContextManager[Judge]]
"""Opens the judge of one member: from its model and its weights."""


class Panel:
    """Scores items with several models.

    - `models`: two or more of what `-m` takes; none may be the same as another one.
    - `rubric`: as of `Judge`. Every model has score tokens of its own for the rubric's labels.
    - `weights`: of this very panel, made by `fit_panel`; without them the score is the mean of the members' `e_score`.
    - `force`: use weights that were fitted for other models or settings where they can work.
    - `opener`: opens the judge of a member. None: `Judge` with `options`.
    - `options`: what else `Judge` takes, the same for every member.

    Unlike a judge a panel holds no model: each is loaded when it is its turn, and freed after it. Raises ModelFileError
    and PromptError as `Judge`, and WeightsError for equal models and for the weights of another panel.
    """

    def __init__(
        self,
        models: Sequence[str | Path],
        *,
        rubric: str | Path | Rubric | Sequence[str | Path | Rubric] = "default",
        weights: PanelWeights | None = None,
        force: bool = False,
        opener: Opener | None = None,
        **options: Any,
    ) -> None:
        files = [open_model(locate_model(str(model)).path) for model in models]
        self.models = tuple(str(file.info.paths[0]) for file in files)
        self.paths = tuple(path for file in files for path in file.info.paths)
        self.members = tuple(
            Member(i.paths[0].name, i.architecture, i.quantization, i.fingerprint) for i in (f.info for f in files)
        )
        check_distinct(self.members)
        if weights is not None:
            check_panel(weights, self.members, force=force)
        self.weights, self.rubrics = weights, tuple(rubrics_given(rubric))
        self.names = names_of(self.members)
        self.counts = Counts()
        self._told: set[str] = set()
        self._opener = opener or (
            lambda model, own: Judge(Path(model), rubric=self.rubrics, weights=own, force=force, **options)
        )

    @contextmanager
    def opened(self, place: int) -> Iterator[Judge]:
        """The judge of one member, from 0, with its weights where the panel has some; to be used in a `with`.

        What cannot be opened is an error that begins with the member's name.
        """
        with ExitStack() as stack:
            try:
                own = None if self.weights is None else self.weights.members[place]
                judge = stack.enter_context(self._opener(self.models[place], own))
            except LagerError as error:
                raise type(error)(f"{self.names[place]}: {error.message}", error.advice) from error
            yield judge

    def score(self, items: Iterable[ItemLike], *, progress: Progress | None = None) -> Iterator[Judgment]:
        """Judge every item under every rubric, as `Judge.score`. The judgments come while the last model reads."""
        for _, judgment in self.judged(items, progress=progress):
            yield judgment

    def judged(self, items: Iterable[ItemLike], *, progress: Progress | None = None) -> Iterator[tuple[Item, Judgment]]:
        """Do as `score`, and yield every judgment with its item. The counts are those of all members together.

        items: gone over once for every model. Raises DataError where a later model finds other items than the first.
        What makes the scores of a member doubtful is given as a JudgeWarning with its name, and what shows over the
        panel's own scores after the end.
        """
        return watched(self._judged(items, progress), self.rubrics, (), self._told)

    def _judged(self, items: Iterable[ItemLike], progress: Progress | None) -> Iterator[tuple[Item, Judgment]]:
        again = list(items) if isinstance(items, Iterator) else items
        rubrics = {rubric.name: rubric for rubric in self.rubrics}
        with ExitStack() as stack:
            waiting = [stack.enter_context(tempfile.TemporaryFile()) for _ in self.models[1:]]
            for place, file in enumerate(waiting):
                for _, judgment in self._of_member(place, again, progress):
                    pickle.dump(judgment, file)
                file.seek(0)
            for item, last in self._of_member(len(waiting), again, progress):
                parts = [*(_next(file) for file in waiting), last]
                if any((one.id, one.rubric) != (last.id, last.rubric) for one in parts):
                    raise DataError(f"item {last.id!r} was another one when an earlier model read it", "judge it again")
                yield item, self.judgment(parts, rubrics.get(last.rubric))
            if any(file.read(1) for file in waiting):
                raise DataError("there are fewer items than when the first model read them", "judge them again")

    def judgment(self, parts: Sequence[Judgment], rubric: Rubric | None) -> Judgment:
        """The judgment of the panel from those of its members, in their order, on one item under `rubric`.

        An item that a member cannot judge has that member's error.
        """
        return panel_judgment(parts, rubric or self.rubrics[0], self.weights, self.names)

    def _of_member(
        self, place: int, items: Iterable[ItemLike], progress: Progress | None
    ) -> Iterator[tuple[Item, Judgment]]:
        before = self.counts

        def seen(counts: Counts) -> None:
            """Add what this member has done to what those before it did."""
            self.counts = sum_of(before, counts)
            if progress is not None:
                progress(self.counts)

        with self.opened(place) as judge:
            for doubt in judge.doubts():
                if (text := f"{self.names[place]}: {doubt}") not in self._told:
                    self._told.add(text)
                    warnings.warn(text, JudgeWarning, stacklevel=3)
            yield from judge.judged(items, progress=seen, quiet=True)


def panel_judgment(
    parts: Sequence[Judgment], rubric: Rubric, weights: PanelWeights | None, names: Sequence[str]
) -> Judgment:
    """The judgment of a panel from those of its members; names: of the members, for messages.

    The distribution is the mean of the members', by their shares or, without weights, with equal ones.
    `direct`, `e_score` and `uniform` are means with equal shares, `mass` is the lowest one, `tokens` are those of all.
    """
    first = parts[0]
    errors = [f"{name}: {part.error}" for name, part in zip(names, parts) if part.error is not None]
    if errors:
        same = len({part.error for part in parts}) == 1
        return Judgment(
            first.id,
            first.rubric,
            None,
            error=first.error if same else errors[0],
            where=first.where,
            flags=_flags(parts, names),
            members=(),
        )
    shares = np.full(len(parts), 1.0 / len(parts)) if weights is None else weights.shares
    values = np.asarray(rubric.scale.values)
    labels = list(first.probabilities or ())
    pooled = shares @ np.array([[(part.probabilities or {})[label] for label in labels] for part in parts])
    raw = float(shares @ np.array([part.raw_score for part in parts], dtype=np.float64))
    score = raw if weights is None else float(apply_calibration(weights.calibration, np.array(raw)))
    margin = None if weights is None else weights.margin
    return Judgment(
        first.id,
        first.rubric,
        score,
        raw,
        dict(zip(labels, map(float, pooled))),
        _mean([part.direct for part in parts]),
        _mean([part.e_score for part in parts]),
        _mean([part.uniform for part in parts]),
        mass=min((part.mass for part in parts if part.mass is not None), default=None),
        tokens=sum(part.tokens or 0 for part in parts),
        flags=_flags(parts, names),
        where=first.where,
        interval=None
        if margin is None
        else (max(float(values[0]), score - margin), min(float(values[-1]), score + margin)),
        members=tuple(float(part.score or 0.0) for part in parts),
    )


def names_of(members: Sequence[Member]) -> tuple[str, ...]:
    """What the members are called in messages and tables: their files' names, numbered where these are alike."""
    files = [member.file.removesuffix(".gguf") for member in members]
    return tuple(f"{name} ({n})" if files.count(name) > 1 else name for n, name in enumerate(files, 1))


def sum_of(one: Counts, other: Counts) -> Counts:
    """Two counts together."""
    return Counts(**{part.name: getattr(one, part.name) + getattr(other, part.name) for part in fields(Counts)})


def _next(file: IO[bytes]) -> Judgment:
    try:
        found: Judgment = pickle.load(file)
    except EOFError:
        raise DataError("there are more items than when the first model read them", "judge them again") from None
    return found


def _flags(parts: Sequence[Judgment], names: Sequence[str]) -> tuple[str, ...]:
    """What all members say of the judgment, and what single ones say with their names."""
    found: dict[str, None] = {}
    for name, part in zip(names, parts):
        for flag in part.flags:
            found[flag if all(flag in other.flags for other in parts) else f"{name}: {flag}"] = None
    return tuple(found)


def _mean(numbers: Sequence[float | None]) -> float | None:
    known = [one for one in numbers if one is not None]
    return sum(known) / len(known) if known and len(known) == len(numbers) else None
