"""Rows in our own keys, or their usual aliases, as items, and back."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ...errors import DataError, each_text
from ...records import Item, id_for_results
from .columns import scores_beside
from .groups import group_named, text_group
from .names import (
    ALIASES,
    ANNOTATED,
    HISTORY_KEYS,
    HUMAN_KEYS,
    by_spelling,
    is_number_of_choice,
    response_key,
    spelled,
    usual_keys,
)
from .people import check_meaning, check_whose, given, is_decided, people_keys, submitted
from .rows import Row
from .several import left_marks
from .turns import (
    earlier,
    is_conversation,
    is_parts,
    joined,
    last_answer,
    outlined,
    parts_of,
    system_key,
    told,
    turns_of,
    unwrapped,
)
from .values import id_of, is_blank, is_missing, scores_of, text_of

_OPTIONAL = ("source", "instruction", "reference", "rubric")
_TEXT_FIELDS = ("source", "instruction", "reference", "response", "rubric")
_DESCRIPTIONS = tuple(f"score{score}_description" for score in range(11))


def without_missing(row: Row) -> Row:
    """The row with the keys whose value is missing in `blank`; so is a response of no characters, as an empty cell."""
    values = {key: value for key, value in row.values.items() if not _is_absent(key, value)}
    if len(values) == len(row.values):
        return row
    return replace(row, values=values, blank=row.blank | (row.values.keys() - values.keys()))


def _is_absent(key: str, value: Any) -> bool:
    return is_missing(value) or isinstance(value, str) and not value and spelled(key) in ALIASES["response"]


def own_item(row: Row, number: int, mapping: Mapping[str, str], *, keys: Mapping[str, str] | None = None) -> Item:
    """The item that a row of ours is; `number` is its id where it has none.

    null, NaN and no key at all mean the same: the item has no such field. So does blank text for every usual field
    but the response, of which it is what a model answered. keys: what `keys_of` finds for the row without what is
    missing in it, None where that is not known. Raises DataError.
    """
    row = without_missing(row)
    keys = keys_of(row, mapping) if keys is None else keys
    values = row.values
    fields = _spoken(row, {field: keys[field] for field in _TEXT_FIELDS if field in keys})
    taken: dict[str, tuple[str, ...]] = {field: (key,) for field, key in keys.items()}
    if "instruction" in fields:  # else it is what a conversation under the key of the response says before its end
        taken.setdefault("instruction", taken.get("response", ()))
    if "rubric" in fields and "rubric" not in mapping:
        fields["rubric"] = _with_descriptions(fields["rubric"], row)
        taken["rubric"] += tuple(key for key in _DESCRIPTIONS if not is_blank(values.get(key)))
    scored = keys_of_scores(row, keys, mapping)
    taken.update(scored)
    claimed = {*keys.values(), *mapping.values(), *sum(scored.values(), ())}
    for field, key in mapping.items():
        if field not in ALIASES and not is_blank(values.get(key)):
            taken[field] = (key,)
            if not field.startswith("score:"):
                fields[field] = text_of(values[key], key, row.where)
    for key, value in values.items():
        # A key with the name of a role is none of the item's own fields: what it says of the role is not what is read.
        free = key not in claimed and key not in fields and key not in ALIASES and bool(key.strip())
        free = free and not isinstance(value, bool)
        if free and isinstance(value, (str, int, float, Decimal)):
            fields[key], taken[key] = text_of(value, key, row.where), (key,)
    rendered = text_of(values[keys["rendered"]], keys["rendered"], row.where) if "rendered" in keys else None
    identity = id_of(values[keys["id"]], keys["id"], row.where) if "id" in keys else str(number)
    group = text_of(values[keys["group"]], keys["group"], row.where) if "group" in keys else None
    extra = next((name for name in fields if spelled(name) == "input" and fields[name]), None)
    if extra and spelled(keys.get("instruction", "")) == "instruction" and "instruction" not in mapping:
        fields["instruction"] += "\n\n" + fields[extra]  # as in Alpaca, whose responses stand under `output`
        taken["instruction"] += (extra,)
    fields = {name: text for name, text in fields.items() if name not in _OPTIONAL or not is_blank(text)}
    _put_before(row, fields, taken, claimed)
    if group is not None:
        group = group_named(group, fields)
    elif (group := text_group(fields)) is not None:
        taken["group"] = taken["source" if "source" in fields else "instruction"]
    human = _human(row, scored, mapping)
    return Item(identity, fields, human, group, rendered, row.where, {**taken, **left_marks(row, taken)})


def _put_before(row: Row, fields: dict[str, str], taken: dict[str, tuple[str, ...]], claimed: Collection[str]) -> None:
    """Put a system prompt and what was said before the request in front of the instruction, where keys hold these."""
    key = next((key for key in row.values if spelled(key) in HISTORY_KEYS and key not in claimed), None)
    before = earlier(row.values[key], key, row.where) if key is not None else None
    system = system_key({k: v for k, v in row.values.items() if k not in claimed}) if "instruction" in fields else None
    text = text_of(row.values[system], system, row.where) if system is not None else ""
    if "rubric" in fields or fields.get("instruction", "").startswith(f"System: {text}\n"):
        system = None  # it is shown apart, as in BiGGen-Bench, or stands there already, in what `convert` wrote
    if not before and system is None:
        return
    asked = [("user", fields["instruction"])] if "instruction" in fields else []
    told_first = [("system", text)] if system is not None else []
    fields["instruction"] = told([*told_first, *(before or ()), *asked])
    taken["instruction"] = taken.get("instruction", ())
    if key is not None and before:
        taken["instruction"] = (key, *taken["instruction"])
        fields.pop(key, None)
        taken.pop(key, None)
    if system is not None:  # stays a field of its own, for rubrics that name it
        taken["instruction"] = (system, *taken["instruction"])


def keys_of(row: Row, mapping: Mapping[str, str]) -> dict[str, str]:
    """Field -> the key that holds it in this row: the mapped one, else the first alias that has a value.

    An alias is found in any spelling (see `spelled`); the key of the response as `response_key` says. So is that of
    the human score: where a column of people's scores is empty, another score is none. Beside another response, an
    `answer` is the reference.
    """
    taken = set(mapping.values())
    found = usual_keys([*row.values, *sorted(row.blank)])
    keys: dict[str, str] = {}
    responded = mapping.get("response") or response_key(row.values, row.blank, taken)
    for field, usual in found.items():
        if field == "response":
            key = responded
        elif field in mapping:
            key = mapping[field]
        else:
            free = (k for k in usual if k not in taken)
            key = next((k for k in free if spelled(k) in HUMAN_KEYS or _has_value(field, row.values.get(k))), None)
        if key is not None and key in row.values and (field == "response" or not is_blank(row.values[key])):
            keys[field] = key
    written = by_spelling([*row.values, *sorted(row.blank)])
    answer = written.get("answer")
    if answer is None or responded in (None, answer) or answer in taken or is_decided(row.values):
        return keys
    value = row.values.get(answer)
    number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    if "reference" not in keys and (
        isinstance(value, str) or number and not is_number_of_choice(answer, value, written)
    ):
        keys["reference"] = answer
    return keys


def id_key(row: Row, mapping: Mapping[str, str]) -> str | None:
    """The key that `keys_of` finds for the id, None where there is none; without looking for the others."""
    usual = [mapping["id"]] if "id" in mapping else usual_keys([*row.values, *sorted(row.blank)])["id"]
    taken = set(mapping.values()) if "id" not in mapping else ()
    return next((key for key in usual if key not in taken and not is_blank(row.values.get(key))), None)


def _has_value(field: str, value: Any) -> bool:
    """Whether a value is not missing, and may be that of the field: a list of numbers, as of tokens, is no text."""
    numbers = isinstance(value, list) and bool(value) and all(isinstance(one, (int, float)) for one in value)
    return not is_blank(value) and not (numbers and field in _OPTIONAL)


def _spoken(row: Row, keys: Mapping[str, str]) -> dict[str, str]:
    """The text fields of a row; conversations, lists of passages and a rubric of several parts become text.

    What a conversation under the key of the response says before its last turn belongs to the instruction.
    """
    fields: dict[str, str] = {}
    for field, key in keys.items():
        value = unwrapped(row.values[key]) if field == "response" else row.values[key]
        if field == "response" and is_conversation(value):
            before, said = last_answer(turns_of(value, key, row.where, thoughts=True))
            earlier = "\n\n".join(filter(None, (fields.get("instruction"), told(before))))
            fields.update({"instruction": earlier} if earlier else {})
            fields.update({"response": said} if said else {})
        elif field == "response" and value == "":
            continue  # as an empty cell
        elif is_conversation(value):
            fields[field] = told(turns_of(value, key, row.where))
        elif is_parts(value) and field in ("instruction", "response"):
            fields[field] = parts_of(value, key, row.where)
        elif isinstance(value, list) and field in ("source", "instruction", "reference"):
            fields[field] = joined(value, key, row.where)
        elif isinstance(value, (list, Mapping)) and field == "rubric":
            fields[field] = outlined(value, key, row.where)
        elif isinstance(value, list) and field == "response":
            raise DataError(
                f"{row.where}: key {key!r} holds a list, expected text",
                each_text(key),
            )
        else:
            fields[field] = text_of(value, key, row.where)
    return fields


def response_of(row: Row, key: str | None) -> str | None:
    """The text under the key of a response, None where there is no such key or no text."""
    return None if key is None or key not in row.values else _spoken(row, {"response": key}).get("response")


def field_keys(**keys: str) -> dict[str, tuple[str, ...]]:
    """The keys of fields, as an `Item` has them, for fields with one key each."""
    return {field: (key,) for field, key in keys.items()}


def human_of(row: Row) -> dict[str, tuple[float, ...]]:
    """The human scores of a row, by criterion, from the usual keys."""
    return _human(row, keys_of_scores(row, keys_of(row, {}), {}), {})


def score_keys(row: Row) -> dict[str, tuple[str, ...]]:
    """The keys that `human_of` takes the scores from."""
    return keys_of_scores(row, keys_of(row, {}), {})


def keys_of_scores(row: Row, keys: Mapping[str, str], mapping: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The keys of `score`, several where there is a column for each annotator, and of `scores`.

    Raises ScoreError where a score does not say whose it is, and people's stand beside it.
    """
    found: dict[str, tuple[str, ...]] = {field: (keys[field],) for field in ("score", "scores") if field in keys}
    found |= {f"score:{key[: -len(ANNOTATED)]}": (key,) for key in row.values if key.lower().endswith(ANNOTATED)}
    if "score" in mapping or any(spelled(key) in HUMAN_KEYS for key in row.values):
        return found
    if people := scores_beside(people_keys(row.values), keys.get("response"), row.values):
        check_meaning(row.values, people, next(iter(found.get("score", ())), None), row.where)
        return {**found, "score": people}
    if spelled(found.get("score", ("",))[0]) == "score":
        check_whose(row.values, found["score"][0], row.where)
    return found


def identity_of(row: Row, number: int) -> str:
    """The id of a row, else its number as text. Raises DataError for an id that is neither text nor a number."""
    found = row.values.get("id")
    return str(number) if is_blank(found) else id_of(found, "id", row.where)


def texts_of(row: Row, **keys: str) -> dict[str, str]:
    """Fields read from their keys; a response may be missing. Raises DataError naming every other missing key."""
    if row.values.get(keys.get("response", "")) is None:
        keys.pop("response", None)
    missing = [key for key in keys.values() if row.values.get(key) is None]
    if missing:
        has = ", ".join(row.values)
        raise DataError(f"{row.where}: the key {', '.join(missing)} is missing; the row has {has}")
    return _spoken(row, keys)


def _with_descriptions(criteria: str, row: Row) -> str:
    lines = [criteria]
    for score, key in enumerate(_DESCRIPTIONS):
        if not is_blank(row.values.get(key)):
            lines.append(f"Score {score}: {text_of(row.values[key], key, row.where)}")
    return "\n".join(lines)


def _human(row: Row, keys: Mapping[str, tuple[str, ...]], mapping: Mapping[str, str]) -> dict[str, tuple[float, ...]]:
    """The human scores by criterion; keys: those of `score` and `scores`."""
    named: dict[str, Any] = {}
    from_key: dict[str, str] = {}
    for several in (keys[field] for field in ("score", "scores") if field in keys):
        value = given(row.values.get(several[0]))
        if len(several) > 1:
            parts = (scores_of(given(row.values[key]), key, row.where) for key in several)
            value = [score for part in parts for score in part]
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = _object(value, several[0], row.where)
        if isinstance(value, dict):
            named.update(value)
            from_key.update({str(name): f"{several[0]}: {name}" for name in value})
        elif value is not None:
            named[""], from_key[""] = value, several[0]
    for field, key in mapping.items():
        if field.startswith("score:"):
            named[field.partition(":")[2]] = row.values.get(key)
    for key, value in row.values.items():
        if key.lower().endswith(ANNOTATED) and isinstance(value, (list, int, float)):
            named.setdefault(key[: -len(ANNOTATED)], submitted(row.values, key))
    human = {
        str(name): scores_of(value, from_key.get(str(name), str(name)), row.where) for name, value in named.items()
    }
    return {name: scores for name, scores in human.items() if scores}


def _object(text: str, key: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise DataError(f"{where}: key {key!r} starts like a JSON object and is none") from None


def item_row(item: Item) -> dict[str, Any]:
    """An item as a row that `read_items` reads back: id, fields, rendered, score or scores, group."""
    row: dict[str, Any] = {"id": id_for_results(item.id), **item.fields}
    if item.rendered is not None:
        row["rendered"] = item.rendered
    if set(item.human) == {""}:
        row["score"] = _plain(item.human[""])
    elif item.human:
        row["scores"] = {name: _plain(values) for name, values in item.human.items()}
    if item.group is not None:
        row["group"] = item.group
    return row


def _plain(scores: Sequence[float]) -> float | int | list[float | int]:
    numbers = [int(s) if s.is_integer() else s for s in map(float, scores)]
    return numbers[0] if len(numbers) == 1 else numbers
