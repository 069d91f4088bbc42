"""The layouts of training sets: messages, Alpaca, and pairs of a chosen and a rejected response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...errors import DataError, leave_out
from ...records import Item
from ..keys import (
    ALIASES,
    ASSISTANT,
    MODEL_KEYS,
    SYSTEM_PROMPTS,
    Row,
    ScoreError,
    Turn,
    earlier,
    group_of,
    human_of,
    identity_of,
    is_blank,
    is_conversation,
    items_of_row,
    last_answer,
    own_item,
    response_key,
    response_of,
    role_of,
    score_keys,
    spoken,
    system_key,
    text_of,
    texts_of,
    told,
    turns_of,
    unwrapped,
)
from .turn_scores import HumanScores, scores_in_turn

TALKS = ("messages", "conversations", "conversation", "contents")
# Beside a conversation that ends with the assistant, an `answer` is the right one and a `summary` is about it.
ABOUT_A_TALK = ("answer", "summary")
_SPOKEN = {"true": 1.0, "false": 0.0}
_SIDES = ("chosen", "rejected")
_REQUESTS = ("instruction", "question", "input", "query")


def is_messages(values: Mapping[str, Any]) -> bool:
    """Whether a row holds a conversation, an empty one too where it holds no other text."""
    if _talk_key(values) is not None:
        return True
    texts = (*ALIASES["instruction"], *ALIASES["source"], *ALIASES["response"], "responses", "rendered", *_SIDES)
    return any(values.get(key) == [] for key in TALKS) and values.keys().isdisjoint(texts)


def talk_key(row: Row) -> str:
    """The key of a row's conversation; the usual one where it holds none."""
    return _talk_key(row.values) or TALKS[0]


def is_alpaca(values: Mapping[str, Any]) -> bool:
    """Whether a row holds an instruction, its input and an output, and no response besides."""
    return {"instruction", "input", "output"} <= values.keys() and fits_alpaca(values)


def fits_alpaca(values: Mapping[str, Any]) -> bool:
    """Whether a row holds an instruction and an output, and no response besides."""
    return {"instruction", "output"} <= values.keys() and values.keys().isdisjoint(("response", *MODEL_KEYS))


def is_pair(values: Mapping[str, Any]) -> bool:
    """Whether a row holds a chosen and a rejected response, and what they respond to.

    Beside a response of its own such a row is a pair only with a `prompt`, a conversation or two of these as its sides.
    """
    both = [values.get(key) for key in _SIDES]
    if not all(key in values for key in _SIDES):
        return False
    if "prompt" in values or is_messages(values) or all(is_conversation(_turns(value)) for value in both):
        return True
    return any(isinstance(values.get(key), str) for key in _REQUESTS) and response_key(values, ()) is None


def is_labelled_completion(values: Mapping[str, Any]) -> bool:
    """Whether a row holds a prompt, a completion, and whether it is a good one, as for KTO."""
    return {"prompt", "completion", "label"} <= values.keys() and str(values["label"]).lower() in _SPOKEN


def messages(row: Row, number: int) -> Iterator[Item]:
    """The last turn of the assistant is the response, what was said before it the instruction.

    A response under a key of its own is the one that is judged, and the whole conversation is the instruction; of
    several `responses` each is an item.
    """
    key = talk_key(row)
    turns = turns_of(row.values.get(key) or [], key, row.where)
    keys = {"instruction": (key,), "response": (key,), **score_keys(row), "id": ("id",)}
    if system := system_key(row.values, named=False):
        keys["instruction"] = (system, key)
        turns.insert(0, ("system", text_of(row.values[system], system, row.where)))
    ended = bool(turns) and turns[-1][0] in ASSISTANT
    own = response_key(row.values, row.blank, ABOUT_A_TALK if ended else ())
    if own is None and isinstance(row.values.get("responses"), list) and row.values["responses"]:
        yield from _answers(row, number, turns, keys["instruction"])
        return
    if own is None:
        whole = turns_of(row.values.get(key) or [], key, row.where, thoughts=True)
        before, response = last_answer([*turns[: len(turns) - len(whole)], *whole])
    else:
        keys["response"], response = (own,), response_of(row, own)
        before = _context(turns, row, response or "")
        if len(before) > len(turns) or before and before[-1] not in turns:
            keys["instruction"] += ("instruction",)
    keys["group"] = keys["instruction"]
    fields = {"instruction": told(before)}
    if response:
        fields["response"] = response
    human = human_of(row)
    if not human and own is None and (human := _rated(row, key)):
        keys["score"] = (key,)
    group = group_of(fields["instruction"])
    yield Item(identity_of(row, number), fields, human, group, where=row.where, keys=keys)


def _talk_key(values: Mapping[str, Any]) -> str | None:
    return next((key for key in TALKS if isinstance(values.get(key), list) and values[key]), None)


def _answers(row: Row, number: int, turns: list[Turn], asked: tuple[str, ...]) -> Iterator[Item]:
    """The items of several `responses` beside a conversation, which is their instruction."""
    values = {
        key: value for key, value in row.values.items() if key not in (*TALKS, *SYSTEM_PROMPTS, "prompt", "question")
    }
    talk = {"instruction": told(turns)}
    for item in items_of_row(replace(row, values={**values, **talk}), number, {}):
        yield replace(item, keys={**item.keys, "instruction": asked, "group": asked})


def labelled_completion(row: Row, number: int) -> Iterator[Item]:
    """One item; a label that is true says that people wanted the response."""
    values = {key: value for key, value in row.values.items() if key != "label"}
    item = own_item(replace(row, values=values), number, {})
    if is_blank(row.values.get("label")):
        yield item
        return
    human = {**item.human, "preferred": (_SPOKEN[str(row.values["label"]).lower()],)}
    yield replace(item, human=human, keys={**item.keys, "score:preferred": ("label",)})


def alpaca(row: Row, number: int) -> Iterator[Item]:
    """The input stands below the instruction, a system prompt and the turns of a `history` above it."""
    fields = texts_of(row, instruction="instruction", response="output")
    if "response" in row.blank:  # what else stands there is no answer of the model that was to respond
        fields.pop("response", None)
    extra = row.values.get("input")
    asked: tuple[str, ...] = ("instruction",)
    if not is_blank(extra):
        fields["instruction"] += "\n\n" + text_of(extra, "input", row.where)
        asked += ("input",)
    if not is_blank(row.values.get("history")):
        before = earlier(row.values["history"], "history", row.where)
        if before is None:
            raise DataError(
                f"{row.where}: key 'history' holds no pairs of a request and an answer, and no turns",
                f"write the earlier turns so, or {leave_out('history')}",
            )
        fields["instruction"] = told([*before, ("user", fields["instruction"])])
        asked = ("history", *asked)
    if system := system_key(row.values):
        first = "User: " if asked[0] != "history" else ""
        fields["instruction"] = f"System: {row.values[system]}\n\n{first}{fields['instruction']}"
        asked = (system, *asked)
    group = group_of(fields["instruction"])
    keys = {"instruction": asked, "response": ("output",), "group": asked, **score_keys(row), "id": ("id",)}
    yield Item(identity_of(row, number), fields, human_of(row), group, where=row.where, keys=keys)


def pairs(row: Row, number: int) -> Iterator[Item]:
    """Two items; of a response that is a conversation, what was said before its last turn is the instruction."""
    base = identity_of(row, number)
    row, talk = _with_prompt(row)
    for key, preferred in zip(_SIDES, (1.0, 0.0)):
        fields, before = _side(row, key)
        instruction = fields.get("instruction") or told(before)
        asked = talk if fields.get("instruction") else (key,)
        fields["instruction"] = told(before) if len(before) > 1 else instruction
        keys = {"instruction": (key,) if len(before) > 1 else asked, "response": (key,), "group": asked, "id": ("id",)}
        human, group = {"preferred": (preferred,)}, group_of(_asked(row, instruction))
        yield Item(f"{base}/{key}", fields, human, group, where=row.where, keys=keys)


def _with_prompt(row: Row) -> tuple[Row, tuple[str, ...]]:
    """The row with what a pair answers as its prompt, below a system prompt, and the keys of the prompt."""
    key = _talk_key(row.values)
    if key is None or not is_blank(row.values.get("prompt")):
        return _with_request(row)
    turns = list(row.values[key])
    asked: tuple[str, ...] = (key,)
    if turns_of(turns[-1:], key, row.where)[0][0] in ASSISTANT:
        raise DataError(
            f"{row.where}: {key!r} ends with an answer beside 'chosen' and 'rejected', which answer it again",
            f"end it with the last request, or {leave_out(key)}",
        )
    if system := system_key(row.values, named=False):
        turns, asked = [{"role": "system", "content": row.values[system]}, *turns], (system, key)
    return replace(row, values={**row.values, "prompt": turns}), asked


def _with_request(row: Row) -> tuple[Row, tuple[str, ...]]:
    """The row with its request as the prompt, an `input` below an `instruction` and a system prompt above both."""
    values = row.values
    keys = ["prompt"] if not is_blank(values.get("prompt")) else [k for k in _REQUESTS if not is_blank(values.get(k))]
    keys = keys[:2] if keys[:1] == ["instruction"] and keys[1:2] == ["input"] else keys[:1]
    system = system_key(values)
    if keys in ([], ["prompt"]) and (system is None or not keys):
        return row, ("prompt",)
    given = values[keys[0]]
    talk: list[Any] = [*given] if is_conversation(given) else []
    if not talk:
        text = "\n\n".join(text_of(values[key], key, row.where) for key in keys)
        talk = [{"role": "user", "content": text}]
    if system is not None and role_of(talk[0]) != "system":
        talk, keys = [{"role": "system", "content": values[system]}, *talk], [system, *keys]
    return replace(row, values={**values, "prompt": talk}), tuple(keys)


def _rated(row: Row, key: str) -> HumanScores:
    """The human scores inside the last turn of the assistant, where they are numbers."""
    last: Mapping[str, Any] = next(
        (turn for turn in reversed(row.values.get(key) or []) if role_of(turn) in ASSISTANT), {}
    )
    try:
        return scores_in_turn(last, row.where, {})
    except ScoreError:
        return {}


def _side(row: Row, key: str) -> tuple[dict[str, str], list[Turn]]:
    """The fields of one side of a pair, and what was said before its response in a conversation."""
    fields: dict[str, str] = {}
    before: list[Turn] = []
    if not is_blank(row.values.get("prompt")):
        prompt = row.values["prompt"]
        talk = is_conversation(prompt)
        fields["instruction"] = (
            told(turns_of(prompt, "prompt", row.where)) if talk else text_of(prompt, "prompt", row.where)
        )
    response = _turns(row.values.get(key))
    if isinstance(response, list) and is_conversation(response):
        before, said = last_answer(turns_of(response, key, row.where, thoughts=True))
        if said is not None:
            fields["response"] = said
    elif response is not None and response != "":
        fields["response"] = text_of(response, key, row.where)
    return fields, before


def _turns(value: Any) -> Any:
    """A side of a pair as a conversation, where it is one."""
    return unwrapped((spoken(value) or value) if isinstance(value, str) else value)


def _asked(row: Row, instruction: str) -> str:
    """What both responses of a pair answer, for their group: the prompt, else the chosen conversation's beginning."""
    chosen = _turns(row.values.get("chosen"))
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
