"""The layouts of annotation and tracing tools, whose texts stand in objects inside a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...errors import DataError
from ...records import Item
from ..checks import item_of_row
from ..keys import ALIASES, Row, is_blank, is_withdrawn, response_key, scores_of, spelled, unwrapped
from .training import is_messages, messages

_WHOLE = ("fields", "data", "row", "record", "item", "example", "sample")
_ASKED = ("inputs", "input", "request")
_SAID = ("outputs", "output")
_ANSWERED = ("answer.score", "answer.rating", "answer.grade")
_RIGHT = ("reference_outputs", "expected_output", "expectedoutput", "reference", "expected", "ideal")


def is_argilla(values: Mapping[str, Any]) -> bool:
    """Whether a row is a record of Argilla."""
    return isinstance(values.get("fields"), Mapping) and not values.keys().isdisjoint(("responses", "suggestions"))


def is_label_studio(values: Mapping[str, Any]) -> bool:
    """Whether a row is a task of Label Studio."""
    return isinstance(values.get("data"), Mapping) and isinstance(values.get("annotations"), list)


def is_nested(values: Mapping[str, Any]) -> bool:
    """Whether the texts of a row stand in objects: all in one, or what was asked and what was said in one each."""
    key = response_key(values, ())
    values, _ = _parted(values)
    if key is not None and not isinstance(unwrapped(values[key]), Mapping):
        return any(isinstance(values.get(outer), Mapping) for outer in _ASKED)
    lifted, _ = _lifted(values)
    key = response_key(lifted, ())
    return key is not None and not isinstance(lifted[key], Mapping)


def argilla(row: Row, number: int) -> Iterator[Item]:
    """One item of the fields; the numbers in the responses are people's scores, those in the suggestions are not."""
    item = _inside(row, number, "fields")
    marks: dict[str, list[Any]] = {}
    given = row.values.get("responses")
    if isinstance(given, Mapping):
        for name, answers in given.items():
            marks[name] = [
                one.get("value") for one in answers or () if isinstance(one, Mapping) and not is_withdrawn(one)
            ]
    for one in given if isinstance(given, list) else ():
        for name, answer in ((one.get("values") or {}) if not is_withdrawn(one) else {}).items():
            marks.setdefault(name, []).append(answer.get("value") if isinstance(answer, Mapping) else answer)
    yield _scored(item, marks, "responses", row.where)


def label_studio(row: Row, number: int) -> Iterator[Item]:
    """One item of the data; ratings, numbers and choices that are numbers are people's scores."""
    item = _inside(row, number, "data")
    marks: dict[str, list[Any]] = {}
    for annotation in row.values["annotations"]:
        for result in annotation.get("result", ()) if not annotation.get("was_cancelled") else ():
            value = result.get("value", {})
            found = next((value[key] for key in ("rating", "number", "choices") if key in value), None)
            marks.setdefault(str(result.get("from_name", "rating")), []).append(
                found[0] if isinstance(found, list) and len(found) == 1 else found
            )
    yield _scored(item, marks, "annotations", row.where)


def nested(row: Row, number: int) -> Iterator[Item]:
    """One item of the texts inside the objects of a row."""
    lifted, origin = _lifted(row.values)
    scores = lifted.get("scores")
    if isinstance(scores, list) and any(isinstance(one, Mapping) for one in scores):
        lifted = {**lifted, "scores": None, **({"human_scores": found} if (found := _by_people(scores)) else {})}
        origin["human_scores"] = "scores"
    inner = replace(row, values={key: value for key, value in lifted.items() if value is not None})
    for item in messages(inner, number) if is_messages(lifted) else [item_of_row(inner, number, {})]:
        yield replace(item, keys={k: tuple(origin.get(key, key) for key in keys) for k, keys in item.keys.items()})


def _inside(row: Row, number: int, outer: str) -> Item:
    """The item of the texts under one key, with the row's own id."""
    inner = {key: value for key, value in row.values[outer].items() if spelled(key) not in ALIASES["id"]}
    identity = {key: value for key, value in row.values.items() if key in ("id", "external_id")}
    item = item_of_row(replace(row, values={**inner, **identity}), number, {})
    return replace(item, keys={name: keys if name == "id" else (outer,) for name, keys in item.keys.items()})


def _scored(item: Item, marks: Mapping[str, list[Any]], key: str, where: str) -> Item:
    """The item with the marks that are numbers: by the names of the questions, or unnamed where there is one."""
    human: dict[str, tuple[float, ...]] = {}
    for name, values in marks.items():
        try:
            found = scores_of(values, name, where)
        except DataError:
            continue  # an answer in words
        human.update({name: found} if found else {})
    if len(human) == 1:
        human = {"": next(iter(human.values()))}
    keys = {f"score:{name}" if name else "score": (key,) for name in human}
    return replace(item, human={**item.human, **human}, keys={**item.keys, **keys})


def _lifted(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of a row with those inside its objects, and from which key each of the latter was taken."""
    values, dotted = _parted(values)
    answer = response_key(values, ())
    whole = {key: unwrapped(value) if key == answer and key not in _SAID else value for key, value in values.items()}
    lifted = {key: value for key, value in whole.items() if not isinstance(value, Mapping)}
    origin: dict[str, str] = {}
    for outer, role in (*((key, "") for key in _WHOLE), *((key, "instruction") for key in _ASKED)):
        inner = values.get(outer)
        if isinstance(inner, Mapping):
            texts = [key for key, value in inner.items() if isinstance(value, str) and value.strip()]
            known = [key for key in inner if spelled(key) in ALIASES["instruction"]]
            alone = {role: inner[texts[0]]} if role and len(texts) == 1 and not known else {}
            found = alone or {key: value for key, value in inner.items() if spelled(key) not in ALIASES["id"]}
            lifted.update(found)
            origin.update({key: f"{outer}.{key}" if outer in dotted else outer for key in found})
    for key in _ANSWERED:  # what a worker of Mechanical Turk entered
        if key in lifted and "human_score" not in lifted:
            lifted["human_score"], origin["human_score"] = lifted.pop(key), key
    for keys, role in ((_SAID, "response"), (_RIGHT, "reference")):
        outer = next((key for key in keys if isinstance(values.get(key), Mapping)), "")
        if outer:
            said = _said(values[outer])
            lifted.update({role: said} if not is_blank(said) else {})
            origin[role] = f"{outer}.{next(iter(values[outer]))}" if outer in dotted else outer
    return lifted, origin


def _parted(values: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The values with keys such as `inputs.question` as objects, and the names of the latter."""
    found: dict[str, Any] = {}
    dotted: set[str] = set()
    for key, value in values.items():
        outer, dot, inner = key.partition(".")
        if dot and outer in (*_WHOLE, *_ASKED, *_SAID, *_RIGHT) and outer not in values:
            dotted.add(outer)
            found.setdefault(outer, {})[inner] = value
        else:
            found[key] = value
    return found, dotted


def _by_people(scores: Any) -> list[Any]:
    """The values of those of a trace's scores that people gave."""
    entries = [one for one in scores if isinstance(one, Mapping)] if isinstance(scores, list) else []
    return [one.get("value") for one in entries if str(one.get("source", "")).upper() == "ANNOTATION"]


def _said(inner: Mapping[str, Any]) -> Any:
    """The one text of an object, by the usual keys of a response, else alone in it; None for several."""
    if (key := response_key(inner, ())) is not None and isinstance(inner[key], (str, list)):
        return inner[key]
    found = unwrapped(inner)
    texts = [value for value in inner.values() if isinstance(value, str) and value.strip()]
    return found if not isinstance(found, Mapping) else texts[0] if len(texts) == 1 else None
