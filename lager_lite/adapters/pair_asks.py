"""Pairs of responses, asked for by other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data import Pair, kind_of, misspelt_keys, pairs_given
from ..errors import DataError
from ..judging import Judge, under
from ..prompts import Rubric, pairwise_rubric
from ..tasks import compare_pairs
from .asks import Started
from .bodies import RequestError, check_keys, check_size, given_rows, wanted_rubrics
from .worker import Ask, Worker

# Judged beside the others without a model: one pair of a request that cannot be judged is a row with an error, also
# where it is the only one.
_TIED = Pair("", {}, ("-", "-"))


@dataclass(frozen=True)
class _PairKey:
    """What pairs must share to be judged together: the rubric, and the keys that their rows have.

    - `rubric`: as a question of which response is better.
    - `named`: whether systems are named.
    - `graded`: whether people's preferences are known.
    """

    rubric: Rubric
    named: bool
    graded: bool


def ask_pairs(worker: Worker, body: Mapping[str, Any]) -> Started:
    """Start to compare pairs of responses in both orders; the answer has the `rows` that `pairs` writes, and `warnings`.

    The last state's logits of the labels decide, since weights of single responses do not speak of pairs. Raises
    RequestError (413, 422), and what `Worker.submit` raises.
    """
    check_keys(body, ("pair", "pairs", "rubric", "ties"))
    rows = given_rows(body, "pair", "pairs")
    ties = body.get("ties")
    if not isinstance(ties, (bool, type(None))):
        raise RequestError(422, f"ties is {kind_of(ties)}, expected true or false", param="ties")
    rubric = pairwise_rubric(_one(body.get("rubric"), worker.judge), ties=ties)
    check_size(2 * len(rows), worker.most)
    try:
        pairs = pairs_given(rows)
    except DataError as error:
        raise RequestError(422, error.message, error.hint, param="pairs") from None
    _check_ids(rows, pairs)
    remarks = [f"the pairs: the key {key} is not read: is it meant as {near}?" for key, near in misspelt_keys(pairs)]
    key = _PairKey(rubric, any(any(pair.systems) for pair in pairs), any(pair.preference is not None for pair in pairs))
    ask = Ask(key, lambda judge: under(judge, rubric, fitted=False), _verdicts, pairs, 2 * len(pairs))
    return Started(worker.submit(ask), lambda answers: {"rows": list(answers), "warnings": remarks})


def _check_ids(rows: Sequence[Mapping[str, Any]], pairs: Sequence[Pair]) -> None:
    """Raise RequestError (422) for an id that is given twice."""
    places: dict[str, int] = {}
    for number, (row, pair) in enumerate(zip(rows, pairs), 1):
        if not {"id", "pair_id"} & {key.lower() for key in row}:
            continue
        if places.setdefault(str(pair.id), number) != number:
            raise RequestError(
                422,
                f"pair {number}: the id {str(pair.id)!r} was used before, at pair {places[str(pair.id)]}",
                "make ids unique",
                param="pairs",
            )


def _one(given: Any, judge: Judge) -> Rubric:
    rubrics = wanted_rubrics(given, judge) or judge.rubrics
    if len(rubrics) != 1:
        names = ", ".join(rubric.name for rubric in rubrics)
        raise RequestError(422, f"pairs are compared by one rubric, not by {names}", "name one", param="rubric")
    return rubrics[0]


def _verdicts(judge: Judge, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    return list(compare_pairs(judge, [*pairs, _TIED]).rows())[: len(pairs)]
