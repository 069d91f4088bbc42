"""What may be asked, whoever asks: a body in, an answer as JSON out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ..judging import judgment_row
from ..prompts import describe_scale, list_rubrics, load_rubric
from .bodies import Wanted, check_keys, wanted_scores
from .worker import Worker, scoring


@dataclass(frozen=True)
class Started:
    """A request that was read and is being answered.

    - `future`: the answers to what it asks; None where nothing has to be judged.
    - `document`: from the answers (none without a future) to what is sent.
    """

    future: Future[Sequence[Any]] | None
    document: Callable[[Sequence[Any]], Mapping[str, Any]]


def at_once(document: Mapping[str, Any]) -> Started:
    """Return a Started that needs no judging."""
    return Started(None, lambda _: document)


def ask_scores(worker: Worker, body: Mapping[str, Any]) -> Started:
    """Start to score items; see `bodies.wanted_scores`. Raises LagerError."""
    wanted = wanted_scores(body, worker.judge, worker.most)
    count = len(wanted.rubrics or worker.judge.rubrics)
    future = worker.submit(scoring(wanted.rubrics, wanted.items, count))
    return Started(future, lambda answers: _rows(wanted, answers))


def ask_rubrics(worker: Worker, body: Mapping[str, Any]) -> Started:
    """Answer with the rubrics that can be named, by name: what they are about, their scale, the fields they need."""
    check_keys(body, ())
    judge = worker.judge
    shipped = {} if judge.weights is not None else {name: load_rubric(name) for name in list_rubrics()}
    known = {**shipped, **{rubric.name: rubric for rubric in judge.rubrics}}
    told = {
        name: {
            "about": rubric.about or rubric.criterion,
            "scale": describe_scale(rubric.scale),
            "needs": list(rubric.required),
            "default": rubric in judge.rubrics,
        }
        for name, rubric in known.items()
    }
    return at_once({"rubrics": told})


def _rows(wanted: Wanted, answers: Sequence[Any]) -> dict[str, Any]:
    rows = [judgment_row(judgment, details=wanted.per_layer) for own in answers for judgment in own]
    return {"rows": rows, "warnings": list(wanted.warnings)}
