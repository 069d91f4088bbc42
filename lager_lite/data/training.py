"""The layouts of training sets: messages, Alpaca, and pairs of a chosen and a rejected response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..records import Item
from .fields import ALIASES, human_of, identity_of, response_of, score_keys, texts_of
from .rows import Row
from .turns import ASSISTANT, Turn, is_conversation, last_answer, told, turns_of
from .values import group_of, is_blank, text_of

_TALKS = ("messages", "conversations", "conversation")
# Beside a conversation that ends with the assistant, an `answer` is the right one and a `summary` is about it.
_OWN = (
    "response",
    "output",
    "actual_output",
    "prediction",
    "completion",
    "model_output",
    "generated_answer",
    "generated",
)


def is_messages(values: Mapping[str, Any]) -> bool:
    """Whether a row holds a conversation."""
    return any(isinstance(values.get(key), list) and values[key] for key in _TALKS)


def is_alpaca(values: Mapping[str, Any]) -> bool:
    """Whether a row holds an instruction, its input and an output, and no response besides."""
    return {"instruction", "input", "output"} <= values.keys() and fits_alpaca(values)


def fits_alpaca(values: Mapping[str, Any]) -> bool:
    """Whether a row holds an instruction and an output, and no response besides."""
    return {"instruction", "output"} <= values.keys() and "response" not in values


def is_pair(values: Mapping[str, Any]) -> bool:
    """Whether a row holds a chosen and a rejected response, and what they respond to."""
    both = [values.get(key) for key in ("chosen", "rejected")]
    return all(key in values for key in ("chosen", "rejected")) and (
        "prompt" in values or all(is_conversation(value) for value in both)
    )


def messages(row: Row, number: int) -> Iterator[Item]:
    """The last turn of the assistant is the response, what was said before it the instruction.

    A response under a key of its own is the one that is judged, and the whole conversation is the instruction.
    """
    key = next((key for key in _TALKS if isinstance(row.values.get(key), list) and row.values[key]), _TALKS[0])
    turns = turns_of(row.values.get(key) or [], key, row.where)
    keys = {"instruction": (key,), "response": (key,), **score_keys(row), "id": ("id",)}
    if not is_blank(row.values.get("system")):
        keys["instruction"] = ("system", key)
        turns.insert(0, ("system", text_of(row.values["system"], "system", row.where)))
    ended = bool(turns) and turns[-1][0] in ASSISTANT
    own = response_of(row, _OWN if ended else ALIASES["response"])
    if own is None:
        before, response = last_answer(turns)
    else:
        keys["response"], response = (own[0],), own[1]
        before = _context(turns, row, response or "")
        if len(before) > len(turns) or before and before[-1] not in turns:
            keys["instruction"] += ("instruction",)
    keys["group"] = keys["instruction"]
    fields = {"instruction": told(before)}
    if response:
        fields["response"] = response
    group = group_of(fields["instruction"])
    yield Item(identity_of(row, number), fields, human_of(row), group, where=row.where, keys=keys)


def alpaca(row: Row, number: int) -> Iterator[Item]:
    """The input stands below the instruction."""
    fields = texts_of(row, instruction="instruction", response="output")
    if "response" in row.blank:  # what else stands there is no answer of the model that was to respond
        fields.pop("response", None)
    extra = row.values.get("input")
    asked: tuple[str, ...] = ("instruction",)
    if not is_blank(extra):
        fields["instruction"] += "\n\n" + text_of(extra, "input", row.where)
        asked += ("input",)
    group = group_of(fields["instruction"])
    keys = {"instruction": asked, "response": ("output",), "group": asked, **score_keys(row), "id": ("id",)}
    yield Item(identity_of(row, number), fields, human_of(row), group, where=row.where, keys=keys)


def pairs(row: Row, number: int) -> Iterator[Item]:
    """Two items; of a response that is a conversation, what was said before its last turn is the instruction."""
    base = identity_of(row, number)
    for key, preferred in (("chosen", 1.0), ("rejected", 0.0)):
        fields, before = _side(row, key)
        instruction = fields.get("instruction") or told(before)
        asked = ("prompt",) if fields.get("instruction") else (key,)
        fields["instruction"] = told(before) if len(before) > 1 else instruction
        keys = {"instruction": (key,) if len(before) > 1 else asked, "response": (key,), "group": asked, "id": ("id",)}
        human, group = {"preferred": (preferred,)}, group_of(_asked(row, instruction))
        yield Item(f"{base}/{key}", fields, human, group, where=row.where, keys=keys)


def _side(row: Row, key: str) -> tuple[dict[str, str], list[Turn]]:
    fields: dict[str, str] = {}
    if not is_blank(row.values.get("prompt")):
        prompt = row.values["prompt"]
        talk = is_conversation(prompt)
        fields["instruction"] = (
            told(turns_of(prompt, "prompt", row.where)) if talk else text_of(prompt, "prompt", row.where)
        )
    before: list[Turn] = []
    response = row.values.get(key)
    if isinstance(response, list) and is_conversation(response):
        before, said = last_answer(turns_of(response, key, row.where))
        if said is not None:
            fields["response"] = said
    elif response is not None and response != "":
        fields["response"] = text_of(response, key, row.where)
    return fields, before


def _asked(row: Row, instruction: str) -> str:
    """What both responses of a pair answer, for their group: the prompt, else the chosen conversation's beginning."""
    chosen = row.values.get("chosen")
    if not is_blank(row.values.get("prompt")) or not isinstance(chosen, list) or not is_conversation(chosen):
        return instruction
    return told(last_answer(turns_of(chosen, "chosen", row.where))[0])


def _context(turns: list[Turn], row: Row, own: str) -> list[Turn]:
    """The conversation that a response of its own belongs to: without that response, and with the last request."""
    if turns and turns[-1][0] in ASSISTANT and (turns[-1][1] or "").strip() == own.strip():
        turns = turns[:-1]
    asked = row.values.get("instruction")
    if isinstance(asked, str) and asked.strip() and asked not in [text for _, text in turns]:
        turns = [*turns, ("user", text_of(asked, "instruction", row.where))]
    return turns
