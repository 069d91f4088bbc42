"""Rows in our own keys, or their usual aliases, as items, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ..errors import DataError
from ..records import Item, id_for_results
from .rows import Row
from .turns import is_conversation, is_parts, joined, last_answer, outlined, parts_of, told, turns_of
from .values import group_of, id_of, is_blank, is_missing, scores_of, text_of

ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "idx", "uid", "item_id"),
    "instruction": ("instruction", "prompt", "question", "input", "query", "user_input", "user_prompt"),
    "response": (
        "response",
        "output",
        "actual_output",
        "prediction",
        "completion",
        "model_output",
        "generated_answer",
        "generated",
        "generation",
        "generated_text",
        "generated_summary",
        "model_answer",
        "model_response",
        "llm_answer",
        "llm_response",
        "predicted",
        "summary",
        "answer",
    ),
    "reference": ("reference", "reference_answer", "expected_output", "expected", "ground_truth"),
    "source": (
        "source",
        "article",
        "document",
        "context",
        "source_text",
        "passage",
        "contexts",
        "retrieved_contexts",
        "retrieval_context",
    ),
    "rubric": ("rubric", "score_rubric", "criteria", "input_rubric"),
    "score": ("human_score", "human_scores", "score", "rating", "input_score"),
    "scores": ("scores",),
    "group": ("group",),
    "rendered": ("rendered",),
}
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
    return is_missing(value) or isinstance(value, str) and not value and key.lower() in ALIASES["response"]


def items_of_row(row: Row, number: int, mapping: Mapping[str, str]) -> Iterator[Item]:
    """The items of a row of ours: one, or one for each entry of a list `responses` of texts or of objects that
    each have one. Arguments and errors as `item_of_row`."""
    row = without_missing(row)
    key = mapping.get("responses", "responses")
    names = _keys_of(row, mapping)
    several = row.values.get(key)
    if not isinstance(several, list) or "response" in names:
        yield item_of_row(row, number, mapping)
        return
    base = row.values[names["id"]] if "id" in names else number
    shared = {k: v for k, v in row.values.items() if k not in (key, names.get("id"))}
    scored = {names[field] for field in ("score", "scores") if field in names}
    scored.update(k for field, k in mapping.items() if field.startswith("score:"))
    for place, entry in enumerate(several, 1):
        own = entry if isinstance(entry, dict) else {mapping.get("response", "response"): entry}
        name = f"{base}/{own.get('id', place)}"
        parted = {k: _part(shared[k], place, len(several), row.where) for k in shared if k in scored}
        spread = Row({**shared, **parted, **own, mapping.get("id", "id"): name}, row.where)
        item = item_of_row(spread, number, mapping)
        inner = {field: tuple(key if k in own else k for k in taken) for field, taken in item.keys.items()}
        yield replace(item, keys={**inner, "id": (names.get("id", key), key)})


def _part(scores: Any, place: int, count: int, where: str) -> Any:
    """What of the human scores beside a list of `count` responses belongs to the one at `place`, from 1."""
    if isinstance(scores, dict):
        return {name: _part(value, place, count, where) for name, value in scores.items()}
    if isinstance(scores, list) and len(scores) == count:
        return scores[place - 1]
    if count == 1:
        return scores
    raise DataError(
        f"{where}: {len(scores) if isinstance(scores, list) else 1} scores beside {count} responses",
        "give every response its own score, as objects in `responses` or in a list of the same length",
    )


def item_of_row(row: Row, number: int, mapping: Mapping[str, str]) -> Item:
    """The item that a row of ours is; `number` is its id where it has none.

    null, NaN and no key at all mean the same: the item has no such field. So does blank text for every usual field
    but the response, of which it is what a model answered. Raises DataError.
    """
    row = without_missing(row)
    keys = _keys_of(row, mapping)
    values = row.values
    fields = _spoken(row, {field: keys[field] for field in _TEXT_FIELDS if field in keys})
    taken: dict[str, tuple[str, ...]] = {field: (key,) for field, key in keys.items()}
    if "rubric" in fields and "rubric" not in mapping:
        fields["rubric"] = _with_descriptions(fields["rubric"], row)
        taken["rubric"] += tuple(key for key in _DESCRIPTIONS if not is_blank(values.get(key)))
    claimed = {*keys.values(), *mapping.values()}
    for field, key in mapping.items():
        if field not in ALIASES and not is_blank(values.get(key)):
            taken[field] = (key,)
            if not field.startswith("score:"):
                fields[field] = text_of(values[key], key, row.where)
    for key, value in values.items():
        free = key not in claimed and key not in fields and not isinstance(value, bool)
        if free and isinstance(value, (str, int, float, Decimal)):
            fields[key], taken[key] = text_of(value, key, row.where), (key,)
    rendered = text_of(values[keys["rendered"]], keys["rendered"], row.where) if "rendered" in keys else None
    identity = id_of(values[keys["id"]], keys["id"], row.where) if "id" in keys else str(number)
    group = text_of(values[keys["group"]], keys["group"], row.where) if "group" in keys else None
    extra = next((name for name in fields if name.lower() == "input" and fields[name]), None)
    if extra and keys.get("instruction", "").lower() == "instruction" and "instruction" not in mapping:
        fields["instruction"] += "\n\n" + fields[extra]  # as in Alpaca, whose responses stand under `output`
        taken["instruction"] += (extra,)
    fields = {name: text for name, text in fields.items() if name not in _OPTIONAL or not is_blank(text)}
    shared = fields.get("source") or fields.get("instruction")
    if group is None and shared:
        group, taken["group"] = group_of(shared), taken["source" if "source" in fields else "instruction"]
    return Item(identity, fields, _human(row, keys, mapping), group, rendered, row.where, taken)


def _keys_of(row: Row, mapping: Mapping[str, str]) -> dict[str, str]:
    """Field -> the key that holds it in this row: the mapped one, else the first alias that is there.

    An alias is found in any capitals. The first alias of the response decides even without a value: the row then has
    no response, since what stands under the next one is something else, such as the right answer. Beside another
    response, an `answer` is the reference.
    """
    taken = set(mapping.values())
    written: dict[str, str] = {}
    for name in (*row.values, *sorted(row.blank)):
        written.setdefault(name.lower(), name)
    keys: dict[str, str] = {}
    responded: str | None = None
    for field, aliases in ALIASES.items():
        spelled = [a if a in row.values else written.get(a, a) for a in aliases]
        candidates = [mapping[field]] if field in mapping else [a for a in spelled if a not in taken]
        if field == "response":
            key = responded = next((k for k in candidates if k in row.values or k in row.blank), None)
        else:
            key = next((k for k in candidates if not is_blank(row.values.get(k))), None)
        if key is not None and key in row.values:
            keys[field] = key
    answer = "answer" if "answer" in row.values else written.get("answer")
    if answer is None or responded in (None, answer) or answer in taken:
        return keys
    if "reference" not in keys and isinstance(row.values.get(answer), str):
        keys["reference"] = answer
    return keys


def _spoken(row: Row, keys: Mapping[str, str]) -> dict[str, str]:
    """The text fields of a row; conversations, lists of passages and a rubric of several parts become text.

    What a conversation under the key of the response says before its last turn belongs to the instruction.
    """
    fields: dict[str, str] = {}
    for field, key in keys.items():
        value = row.values[key]
        if field == "response" and is_conversation(value):
            before, said = last_answer(turns_of(value, key, row.where))
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
        else:
            fields[field] = text_of(value, key, row.where)
    return fields


def response_of(row: Row, keys: Sequence[str]) -> tuple[str, str | None] | None:
    """The first of these keys that the row has, and its text, None for no text; None where it has none of the keys."""
    key = next((k for k in keys if k in row.values or k in row.blank), None)
    if key is None:
        return None
    return key, _spoken(row, {"response": key}).get("response") if key in row.values else None


def human_of(row: Row) -> dict[str, tuple[float, ...]]:
    """The human scores of a row, by criterion, from the usual keys."""
    return _human(row, _keys_of(row, {}), {})


def score_keys(row: Row) -> dict[str, tuple[str, ...]]:
    """The keys that `human_of` takes the scores from."""
    return {field: (key,) for field, key in _keys_of(row, {}).items() if field in ("score", "scores")}


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


def _human(row: Row, keys: Mapping[str, str], mapping: Mapping[str, str]) -> dict[str, tuple[float, ...]]:
    named: dict[str, Any] = {}
    for field in ("score", "scores"):
        value = row.values.get(keys[field]) if field in keys else None
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = _object(value, keys[field], row.where)
        if isinstance(value, dict):
            named.update(value)
        elif value is not None:
            named[""] = value
    for field, key in mapping.items():
        if field.startswith("score:"):
            named[field.partition(":")[2]] = row.values.get(key)
    human = {str(name): scores_of(value, f"score {name}".strip(), row.where) for name, value in named.items()}
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
