"""What another program asks for, as JSON: read strictly, so that nothing is judged that was not meant."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data import kind_of
from ..errors import DataError, LagerError, PromptError
from ..judging import Judge, items_of_dicts
from ..prompts import Rubric, list_rubrics, load_rubric, rubric_from_table
from ..records import Item

MOST_RUBRIC = 1 << 16
"""The most bytes of JSON of a rubric that a request brings: prompts of many rubrics are remembered."""


class RequestError(LagerError):
    """A request that cannot be answered.

    - `status`: the HTTP status that says so.
    - `param`: the key of the body that is wrong; None where it is none.
    - `code`: a word for programs; None for none.
    - `headers`: further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        hint: str = "",
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.status, self.param, self.code = status, param, code
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Wanted:
    """What a request wants to have judged.

    - `items`: the items, at least one.
    - `rubrics`: the rubrics; None for those of the server.
    - `per_layer`: whether rows name the expected score of every layer.
    - `warnings`: what is to be said of the keys of the items.
    """

    items: tuple[Item, ...]
    rubrics: tuple[Rubric, ...] | None
    per_layer: bool
    warnings: tuple[str, ...]


def parse_json(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds. Raises RequestError (400) for anything else, NaN and repeated keys too."""
    try:
        found = json.loads(body.decode("utf-8"), parse_constant=_refused, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise RequestError(400, f"the body is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise RequestError(400, "the body is nested too deeply") from None
    except ValueError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise RequestError(400, f"the body is {kind_of(found)}, expected a JSON object")
    return found


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        again = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"an object has the key {again!r} twice")
    return values


def check_keys(body: Mapping[str, Any], known: Sequence[str], status: int = 422) -> None:
    """Raise RequestError where a body has another key than the known ones."""
    for key in body:
        if key not in known:
            raise RequestError(status, f"unknown key {key!r}", f"the keys are {', '.join(known)}", param=key)


def wanted_scores(body: Mapping[str, Any], judge: Judge, most: int) -> Wanted:
    """Read the body of a request for scores, at most `most`. Raises RequestError (413, 422)."""
    check_keys(body, ("item", "items", "rubric", "per_layer"))
    rows = given_rows(body, "item", "items")
    per_layer = body.get("per_layer", False)
    if not isinstance(per_layer, bool):
        raise RequestError(422, f"per_layer is {kind_of(per_layer)}, expected true or false", param="per_layer")
    rubrics = wanted_rubrics(body.get("rubric"), judge)
    check_size(len(rows) * len(rubrics or judge.rubrics), most)
    try:
        items, remarks = items_of_dicts(rows, "the items")
    except DataError as error:
        raise RequestError(422, error.message, error.hint, param="items") from None
    return Wanted(tuple(items), rubrics, per_layer, tuple(remarks))


def check_size(judgments: int, most: int) -> None:
    """Raise RequestError (413) for a request that could never be let in."""
    if judgments > most:
        raise RequestError(
            413, f"the request asks for {judgments} judgments, at most {most} may wait", "send it in parts"
        )


def given_rows(body: Mapping[str, Any], one: str, several: str) -> list[dict[str, Any]]:
    """The object under `one`, or the list of objects under `several`. Raises RequestError (422)."""
    if (one in body) == (several in body):
        raise RequestError(422, f"give either {one!r} or {several!r}", f"{one} is one object, {several} a list of them")
    if one in body:
        rows: Any = [body[one]]
    else:
        rows = body[several]
        if not isinstance(rows, list):
            raise RequestError(422, f"{several} is {kind_of(rows)}, expected a list of objects", param=several)
        if not rows:
            raise RequestError(422, f"{several} is empty, expected at least one object", param=several)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            where = one if one in body else f"{several}: number {number}"
            raise RequestError(422, f"{where} is {kind_of(row)}, expected an object", param=several)
    return list(rows)


def wanted_rubrics(given: Any, judge: Judge) -> tuple[Rubric, ...] | None:
    """The rubrics that a request names or brings; None where it says nothing. Raises RequestError (422).

    A name is that of a rubric of `judge` or of a shipped one, and never the path of a file.
    """
    if given is None:
        return None
    rubrics = [_rubric(one, judge) for one in (given if isinstance(given, list) else [given])]
    if not rubrics:
        raise RequestError(
            422, "the list of rubrics is empty", "name at least one, or leave out the key", param="rubric"
        )
    names = [rubric.name for rubric in rubrics]
    if len(set(names)) < len(names):
        raise RequestError(422, "two rubrics have the same name", "give each a name of its own", param="rubric")
    return tuple(rubrics)


def _rubric(given: Any, judge: Judge) -> Rubric:
    own = {rubric.name: rubric for rubric in judge.rubrics}
    if isinstance(given, str):
        if given in own:
            return own[given]
        if given in list_rubrics():
            return load_rubric(given)
        names = dict.fromkeys((*own, *list_rubrics()))
        raise RequestError(422, f"there is no rubric {given!r}", f"one of: {', '.join(names)}", param="rubric")
    if not isinstance(given, dict):
        raise RequestError(422, f"the rubric is {kind_of(given)}, expected a name or an object", param="rubric")
    if len(json.dumps(given)) > MOST_RUBRIC:
        raise RequestError(422, f"the rubric is longer than {MOST_RUBRIC} bytes", param="rubric")
    try:
        return rubric_from_table({"name": "inline", **given}, "the rubric")
    except PromptError as error:
        raise RequestError(422, error.message, error.hint, param="rubric") from None
    except (TypeError, ValueError, AttributeError, KeyError):
        raise RequestError(422, "the rubric is not written as its keys ask for", param="rubric") from None
