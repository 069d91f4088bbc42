"""Benchmark rows without responses: an emotion, or whether a question can be answered, is judged in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import DataError
from ...records import Item
from ..keys import (
    HeldRows,
    Row,
    RowSource,
    field_keys,
    group_of,
    id_of,
    identity_of,
    rows_of,
    scores_of,
    text_of,
    texts_of,
)

_EQ_BENCH = re.compile(
    r"dialogue:\s*\n(?P<dialogue>.*?)\n?\[End dialogue\]\s*At the end of this dialogue,? (?P<question>[^\n]*)", re.S
)
_PERSON = re.compile(r"(?:.*, )?(?P<person>.+?)(?: would feel|'s? emotional state)")


def eq_bench(row: Row, number: int) -> Iterator[Item]:
    """One item per emotion, scored on the full 0-10 scale; dialogues of one story are one group."""
    match = _EQ_BENCH.search(text_of(row.values["prompt"], "prompt", row.where))
    person = _PERSON.match(match["question"]) if match else None
    if not match or not person:
        raise DataError(f"{row.where}: no dialogue and person found in the prompt of EQ-Bench")
    full = "reference_answer_fullscale"
    key = full if row.values.get(full) else "reference_answer"
    answer = row.values[key]
    keys = field_keys(source="prompt", person="prompt", group="prompt", emotion=key, score=key, id="id")
    for n in range(1, 1 + sum(re.fullmatch(r"emotion\d+", key) is not None for key in answer)):
        fields = {"source": match["dialogue"], "person": person["person"]}
        fields["emotion"] = text_of(answer[f"emotion{n}"], f"emotion{n}", row.where)
        scores = scores_of(answer[f"emotion{n}_score"], f"emotion{n}_score", row.where)
        group = _story(match["dialogue"])
        yield Item(f"{row.values['id']}/{n}", fields, {"": scores}, group, where=row.where, keys=keys)


def emotion(row: Row, number: int) -> Iterator[Item]:
    """The item of a row of the emotion set."""
    fields = texts_of(row, source="dialogue", person="human", emotion="emotion")
    scores = scores_of(row.values["emotion_score"], "emotion_score", row.where)
    identity = identity_of(row, number)
    keys = field_keys(
        source="dialogue", person="human", emotion="emotion", score="emotion_score", group="dialogue", id="id"
    )
    yield Item(identity, fields, {"": scores}, _story(fields["source"]), where=row.where, keys=keys)


def _story(dialogue: str) -> str | None:
    # Later dialogues of a story repeat the earlier ones and go on, so the opening names the story.
    return group_of(dialogue.strip().partition("\n")[0])


def is_self_aware(whole: Mapping[str, Any]) -> bool:
    """Whether a JSON document is that of SelfAware."""
    entries = whole.get("example")
    return isinstance(entries, list) and isinstance(next(iter(entries), None), dict) and "answerable" in entries[0]


def self_aware(row: Row, number: int) -> Iterator[Item]:
    """The item of a question of SelfAware, whose score is 5 where it is answerable and 1 where not."""
    fields = texts_of(row, instruction="question")
    human = {"": (5.0 if row.values["answerable"] else 1.0,)}
    group = group_of(fields["instruction"])
    keys = field_keys(instruction="question", score="answerable", group="question", id="question_id")
    yield Item(
        id_of(row.values["question_id"], "question_id", row.where), fields, human, group, where=row.where, keys=keys
    )


def examples(rows: RowSource) -> RowSource:
    """The rows of SelfAware, which stand under one key of the document."""
    return HeldRows(rows.name, tuple(rows_of(rows.whole["example"], f"{rows.name}: example")))


def is_eq_bench(values: Mapping[str, Any]) -> bool:
    """Whether a row is one of EQ-Bench."""
    return isinstance(values.get("reference_answer"), dict) and "prompt" in values
