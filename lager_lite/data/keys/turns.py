"""Conversations and lists of passages, as people store them, as text for the judge."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import DataError
from .values import is_blank, is_missing, text_of

_SPOKEN = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")
_SCORE = re.compile(r"score(\d+)_description", re.IGNORECASE)
Turn = tuple[str, str | None]
"""The role in small letters, and what was said; None for a turn without text."""

ASSISTANT = ("assistant", "gpt", "chatgpt", "model", "ai", "bot", "chatbot")
SYSTEM_PROMPTS = ("system", "system_prompt")
"""Keys of what a model was told before the request."""
_MOST_OF_A_NAME, _MARKS = 5, tuple(".!?:;。！？")
_NAMES = {**dict.fromkeys(ASSISTANT, "Assistant"), "human": "User", "user": "User"}
_SPELLED = {"function_call": "Assistant calls", "observation": "Tool", "function": "Tool", "": "Turn"}
_ROLE_KEYS = ("role", "from", "type")
_TEXT_KEYS = ("content", "value")
_THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking", "thought")
_THOUGHT_TYPES = ("thinking", "reasoning", "redacted_thinking", "thought")
_ANSWER_KEYS = ("text", "output_text", "content", "generated_text", "answer", "response", "output", "completion")
_PASSAGE_KEYS = ("text", "page_content", "content")


def is_conversation(value: Any) -> bool:
    """Whether a value is a list of turns, each an object with a role and something said."""
    return isinstance(value, list) and bool(value) and all(isinstance(t, Mapping) and _is_turn(t) for t in value)


def turns_of(value: Sequence[Mapping[str, Any]], key: str, where: str, *, thoughts: bool = False) -> list[Turn]:
    """The turns of a conversation.

    A content of parts is joined where all are text; a turn without content that calls tools says which. Thoughts that
    stand beside the content or in parts of their own are left out; with `thoughts`, the last answer has its own before
    it, as `answer_of` knows them. Raises DataError for a part that is no text, with its type.
    """
    turns = [(role_of(turn), _said(turn, key, where)) for turn in value]
    last = max((i for i, (role, _) in enumerate(turns) if role in ASSISTANT), default=None)
    if thoughts and last is not None and turns[last][1] and (thought := _thought(value[last])):
        turns[last] = (turns[last][0], f"<think>{thought}</think>{turns[last][1]}")
    return turns


def unwrapped(value: Any) -> Any:
    """What an answer as a program's interface gives it says: a text, or a conversation of one turn.

    Known are a turn by itself, a list of one text or one choice, `message`, `choices`, `candidates`, `body` and
    `response` around them, and an object with one text, such as {"text": ...}. Anything else is returned as it is.
    """
    if isinstance(value, list) and len(value) == 1 and not is_conversation(value) and not is_parts(value):
        return unwrapped(value[0])
    if isinstance(value, list):
        messages = [one for one in value if isinstance(one, Mapping) and one.get("type") == "message"]
        return messages if is_conversation(messages) else value
    if not isinstance(value, Mapping):
        return value
    if _is_turn(value):
        return [{**value, "role": role_of(value)}]
    for key in ("body", "choices", "candidates", "message", "response", "content", "output"):
        if isinstance(value.get(key), (list, Mapping)):
            return unwrapped(value[key])
    found = [value[key] for key in _ANSWER_KEYS if isinstance(value.get(key), str) and value[key].strip()]
    return found[0] if len(found) == 1 else value


def spoken(text: str) -> list[dict[str, str]] | None:
    """The turns of a text in which each begins with "Human:" or "Assistant:", as in HH-RLHF; None for another text."""
    pieces = _SPOKEN.split(text)
    if pieces[0].strip() or len(pieces) < 3:
        return None
    return [{"role": role.lower(), "content": said.strip()} for role, said in zip(pieces[1::2], pieces[2::2])]


def system_key(values: Mapping[str, Any], *, named: bool = True) -> str | None:
    """The key of a row's system prompt, as the row writes it; None where it has none.

    named: whether a few words without a mark behind them under `system` are the name of the system that answered.
    """
    for usual in SYSTEM_PROMPTS:
        key = next((key for key in values if key.lower().replace(" ", "_") == usual), "")
        text = values[key].strip() if isinstance(values.get(key), str) else ""
        name = named and usual == "system" and text[-1:] not in _MARKS and len(text.split()) <= _MOST_OF_A_NAME
        if text and not name:
            return key
    return None


def earlier(value: Any, key: str, where: str) -> list[Turn] | None:
    """What was said before a request: pairs of a request and an answer, turns, or texts; None for anything else."""
    if isinstance(value, str):
        return [("conversation", value)]
    if not isinstance(value, list):
        return None
    if is_conversation(value):
        return turns_of(value, key, where)
    if all(isinstance(one, str) for one in value):
        return [("conversation", "\n".join(value))] if value else []
    if all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value):
        pairs = ((role, text) for pair in value for role, text in zip(("user", "assistant"), pair))
        return [(role, text_of(text, key, where)) for role, text in pairs if not is_blank(text)]
    return None


def told(turns: Sequence[Turn]) -> str:
    """A conversation as text: one turn as it stands, several each behind its role."""
    spoken = [(role, text) for role, text in turns if text is not None]
    if len(spoken) == 1:
        return spoken[0][1]
    return "\n\n".join(f"{_NAMES.get(role, role.capitalize())}: {text}" for role, text in spoken)


def last_answer(turns: Sequence[Turn]) -> tuple[list[Turn], str | None]:
    """What was said before the last turn of the assistant, and that turn; all turns and None where there is none."""
    last = max((i for i, (role, _) in enumerate(turns) if role in ASSISTANT), default=None)
    return (list(turns), None) if last is None else (list(turns[:last]), turns[last][1])


def joined(value: Sequence[Any], key: str, where: str) -> str:
    """A list of passages as one text, numbered where there are several; raises DataError for what is no text."""
    texts = [_passage(entry, key, where) for entry in value if not is_blank(entry)]
    return texts[0] if len(texts) == 1 else "\n\n".join(f"[{n}]\n{text}" for n, text in enumerate(texts, 1))


def outlined(value: Any, key: str, where: str) -> str:
    """A rubric that is an object or a list, as lines: a list's entries behind hyphens, an object's values behind their
    keys. The criteria of a rubric with a description for every score come without one, as in BiGGen-Bench.

    Raises DataError for what is no text, number, list or object.
    """
    if isinstance(value, Mapping):
        lines = []
        for name, part in sorted(value.items(), key=lambda entry: str(entry[0]).lower() != "criteria"):
            if is_blank(part) or isinstance(part, (list, Mapping)) and not part:
                continue
            score = _SCORE.fullmatch(str(name))
            text = str(part).lower() if isinstance(part, bool) else outlined(part, key, where)
            head = "" if str(name).lower() == "criteria" else f"Score {score[1]}: " if score else f"{name}: "
            lines.append(head.rstrip() + "\n" + text if head and "\n" in text else head + text)
        return "\n".join(lines)
    if isinstance(value, list):
        return "\n".join(
            "- " + outlined(part, key, where).replace("\n", "\n  ") for part in value if not is_blank(part)
        )
    return text_of(value, key, where)


def parts_of(value: Sequence[Any], key: str, where: str) -> str:
    """A content of parts as text, without thoughts. Raises DataError for a part that is no text, with its type."""
    texts = []
    for part in value:
        text = part.get("text") if isinstance(part, Mapping) else part
        kind = part.get("type", "text") if isinstance(part, Mapping) else "text"
        if kind in _THOUGHT_TYPES:
            continue
        if kind not in ("text", "input_text", "output_text") or not isinstance(text, str):
            raise DataError(
                f"{where}: key {key!r} holds a part of type {str(kind)!r}, expected text", "only text can be judged"
            )
        texts.append(text_of(text, key, where))
    return "\n".join(texts)


def is_parts(value: Any) -> bool:
    """Whether a value is a content of parts."""
    return isinstance(value, list) and bool(value) and all(isinstance(p, Mapping) and "type" in p for p in value)


def _is_turn(turn: Mapping[str, Any]) -> bool:
    return any(k in turn for k in _ROLE_KEYS) and (
        "tool_calls" in turn or any(k in turn for k in (*_TEXT_KEYS, "parts"))
    )


def role_of(turn: Mapping[str, Any]) -> str:
    """The role of a turn in small letters, empty where it has none."""
    return next((str(turn[k]).lower() for k in _ROLE_KEYS if k in turn), "")


def role_name(role: str) -> str:
    """What a role is called where every turn stands behind its role."""
    return _NAMES.get(role) or _SPELLED.get(role) or role.replace("_", " ").capitalize()


def called(turn: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
    """The calls of tools in a turn, each with the name of its tool."""
    calls = [call for call in turn.get("tool_calls") or () if isinstance(call, Mapping)]
    return [(call, str(call.get("function", call).get("name", "a tool"))) for call in calls]


def text_of_turn(turn: Mapping[str, Any], key: str, where: str, *, thoughts: bool = False) -> str | None:
    """Everything that a turn says, and the tools that it calls; None for nothing.

    thoughts: as of `turns_of`, which says what is raised, too.
    """
    content = next((turn[k] for k in (*_TEXT_KEYS, "parts") if k in turn), None)
    lone = [turn["function_call"]] if isinstance(turn.get("function_call"), Mapping) else []
    calls = [f"[calls {_call(call)}]" for call in (*(turn.get("tool_calls") or ()), *lone)]
    if isinstance(content, list):
        said = [_part_told(part, key, where) for part in content]
    else:
        said = [] if is_missing(content) else [text_of(content, key, where)]
    told_of = "\n".join(text for text in (*said, *calls) if text.strip())
    thought = _thought(turn) if thoughts else ""
    return (f"<think>{thought}</think>{told_of}" if thought else told_of) or None


def _part_told(part: Any, key: str, where: str) -> str:
    """A part of a content as text: what it says, or which tool it calls, or what a tool said."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "tool_use":
        return f"[calls {_call({'name': part.get('name'), 'arguments': part.get('input', '')})}]"
    if kind == "tool_result":
        return text_of_turn({"content": part.get("content")}, key, where) or ""
    return parts_of([part], key, where)


def _said(turn: Mapping[str, Any], key: str, where: str) -> str | None:
    content = next((turn[k] for k in (*_TEXT_KEYS, "parts") if k in turn), None)
    calls = turn.get("tool_calls")
    if calls and (is_blank(content) or content == []):
        return "\n".join(f"[calls {_call(call)}]" for call in calls)
    if is_missing(content):
        return None
    return parts_of(content, key, where) if isinstance(content, list) else text_of(content, key, where)


def _thought(turn: Mapping[str, Any]) -> str:
    """What a turn says that it thought, beside its content or in parts of it; "" for nothing."""
    beside = [turn[k] for k in _THOUGHT_KEYS if isinstance(turn.get(k), str)]
    content = next((turn[k] for k in (*_TEXT_KEYS, "parts") if k in turn), None)
    parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    inside = [
        str(part.get("thinking") or part.get("text") or "") for part in parts if part.get("type") in _THOUGHT_TYPES
    ]
    return "\n".join(filter(None, (*beside, *inside)))


def _call(call: Mapping[str, Any]) -> str:
    made = call.get("function", call)
    given = made.get("arguments", "")
    return f"{made.get('name', 'a tool')}({given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)})"


def _passage(entry: Any, key: str, where: str) -> str:
    if isinstance(entry, Mapping):
        entry = next((entry[k] for k in _PASSAGE_KEYS if k in entry), entry)
    return text_of(entry, key, where)
