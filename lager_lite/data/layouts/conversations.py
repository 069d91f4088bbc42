"""Conversations judged as a whole, or turn by turn.

Turns are written one below the other, each behind its role (and the name of a tool), and a later turn's context
begins with the whole context of the earlier one, so that the judge evaluates what they share once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import Advice, DataError
from ...records import Item
from ..keys import (
    ASSISTANT,
    THOUGHTS,
    Row,
    answer_of,
    called,
    group_of,
    human_of,
    identity_of,
    response_key,
    response_of,
    role_name,
    role_of,
    score_keys,
    system_key,
    text_of,
    text_of_turn,
)
from .training import ABOUT_A_TALK, TALKS, talk_key
from .turn_scores import HumanScores, dealt_scores, scores_in_turn

ANSWER, TURN, CONVERSATION = UNITS = ("answer", "turn", "conversation")
"""What of a conversation is judged: its last answer, every turn of the assistant, or the whole."""
MESSAGES = "messages"
"""The name of the layout whose rows hold conversations."""
JUDGED_MARK = " (judged)"
_MOST_NAME = 60
# Roles that are neither the assistant's nor of somebody whom it answers.
_SILENT = frozenset(("system", "developer", "tool", "function", "observation", "function_call"))
_HEADING = re.compile(
    r"^(?=[ \t>]*(?:user|human|assistant|system|developer|tool|function|observation)\b[^\n:]{0,80}:)", re.I | re.M
)


@dataclass(frozen=True)
class Spoken:
    """One turn of a conversation.

    - `heading`: the role, and the name of a tool or of whoever speaks.
    - `judged`: whether the assistant speaks.
    - `text`: what was said and which tools were called; None where that is nothing, empty where it was thoughts only.
    - `thought`: whether thoughts were left out of the text.
    - `human`: the human scores inside the turn, by criterion.
    - `asks`: whether somebody speaks whom the assistant answers: neither itself, nor a system text, nor a tool.
    """

    heading: str
    judged: bool
    text: str | None
    thought: bool = False
    human: Mapping[str, tuple[float, ...]] | None = None
    asks: bool = False


@dataclass(frozen=True)
class ConversationReader:
    """How rows with a conversation become items.

    - `unit`: TURN or CONVERSATION.
    - `labels`: what each label of the scale of the human scores is worth.
    - `keep_thoughts`: whether turns keep the thoughts that they were given with.
    - `scored`: whether human scores inside turns are read.
    """

    unit: str
    labels: Mapping[str, float]
    keep_thoughts: bool = False
    scored: bool = True

    def read(self, row: Row, number: int) -> Iterator[Item]:
        """The items of a row: one for each turn of the assistant, named "id#1" and so on, or the whole conversation.

        What the assistant says before the user ever does, such as a greeting, answers nothing: it is shown and not judged.
        All items of a row have one group, which is named by what stands before the first judged turn. Where the assistant
        never answers there is one item without a response. Raises DataError for a turn that is no text,
        and ScoreError for a human score that is none.
        """
        key = talk_key(row)
        spoken, keys = self._spoken(row, key)
        identity = identity_of(row, number)
        spoken_at = [place for place, turn in enumerate(spoken) if turn.judged]
        asked_at = next((place for place, turn in enumerate(spoken) if turn.asks), 0)
        places = [place for place in spoken_at if place >= asked_at]
        greetings = len(spoken_at) - len(places)
        opening = told_turns(spoken[: places[0]] if places else spoken)
        whole = Item(
            identity,
            {"instruction": opening} if opening else {},
            human_of(row) if self.scored and self.unit == CONVERSATION else {},
            group_of(opening),
            where=row.where,
            keys={**keys, "id": ("id",), **score_keys(row)},
            conversation=identity,
        )
        silent = not any(spoken[place].text is not None for place in places)
        if not places or silent and self.unit == CONVERSATION:
            yield replace(whole, human={})
        elif self.unit == CONVERSATION:
            text = told_turns(spoken[places[0] :], mark=True)
            yield self._flagged(replace(whole, fields={**whole.fields, "response": text}), [spoken[p] for p in places])
        else:
            for n, place in enumerate(places, greetings):
                dealt = dealt_scores(row, n, len(spoken_at), greetings) if self._deals(spoken[place]) else {}
                yield self._turn(whole, spoken, place, n, dealt)

    def _deals(self, turn: Spoken) -> bool:
        return self.scored and not turn.human

    def _turn(self, whole: Item, spoken: Sequence[Spoken], place: int, n: int, dealt: HumanScores) -> Item:
        turn = spoken[place]
        before = told_turns(spoken[:place])
        fields = {"instruction": before} if before else {}
        fields |= {} if turn.text is None else {"response": turn.text}
        human: HumanScores = dict(turn.human or dealt)
        inner = {} if not turn.human else {"score": whole.keys["response"]}
        named = f"{whole.id}#{n + 1}"
        item = replace(whole, id=named, fields=fields, human=human, keys={**whole.keys, **inner}, turn=n + 1)
        return self._flagged(item, [turn])

    def _flagged(self, item: Item, judged: Sequence[Spoken]) -> Item:
        return replace(item, flags=(THOUGHTS,)) if any(turn.thought for turn in judged) else item

    def _spoken(self, row: Row, key: str) -> tuple[list[Spoken], dict[str, tuple[str, ...]]]:
        """The turns of a row, with its `system` before them and a response of its own behind them; and their keys."""
        given = row.values.get(key) or []
        names = {call["id"]: name for turn in given for call, name in called(turn) if call.get("id")}
        spoken = [self._turn_of(turn, names, key, row.where) for turn in given]
        keys: dict[str, tuple[str, ...]] = {"instruction": (key,), "response": (key,), "group": (key,)}
        if system := system_key(row.values, named=False):
            spoken.insert(0, Spoken("System", False, text_of(row.values[system], system, row.where)))
            keys["instruction"] = keys["group"] = (system, key)
        ended = bool(spoken) and spoken[-1].judged
        own = response_key(row.values, row.blank, ABOUT_A_TALK if ended else ())
        if own is None and row.values.get("responses"):
            raise DataError(
                f"{row.where}: several `responses` beside a conversation are no turns of it",
                Advice("leave out --unit", "leave out `unit`"),
            )
        said = None if own is None else response_of(row, own)
        if own and said and not (ended and (spoken[-1].text or "").strip() == said.strip()):
            text = said if self.keep_thoughts else answer_of(said)
            spoken.append(Spoken("Assistant", True, text, text != said))
            keys["response"] = (own, key)
        return spoken, keys

    def _turn_of(self, turn: Mapping[str, Any], names: Mapping[str, str], key: str, where: str) -> Spoken:
        role = role_of(turn)
        named = turn.get("name") or names.get(turn.get("tool_call_id", ""))
        name = " ".join(str(named).split())[:_MOST_NAME] if named else ""
        judged = role in ASSISTANT
        given = text = text_of_turn(turn, key, where, thoughts=judged)
        if judged and text and not self.keep_thoughts:
            text = answer_of(text)
        human = scores_in_turn(turn, where, self.labels) if judged and self.scored else None
        asks = not judged and role not in _SILENT
        return Spoken(f"{role_name(role)} {name}".strip(), judged, text, text != given, human, asks)


def check_conversations(name: str, unit: str, mapped: bool, *, found: bool = False) -> None:
    """Raise DataError where a unit is asked for that a file has none of.

    name: of the file. mapped: whether its keys were named. found: whether a row holds a conversation. Raises DataError
    for a unit that does not exist, too.
    """
    if unit not in UNITS:
        raise DataError(f"there is no unit {unit!r}", f"one of: {', '.join(UNITS)}")
    if unit == ANSWER or found:
        return
    if mapped:
        raise DataError(f"the unit {unit} is about rows with {', '.join(TALKS)}, and keys that were mapped are not")
    raise DataError(
        f"{name}: no row holds a conversation, whose unit {unit} could be judged",
        f"{Advice('leave out --unit', 'leave out `unit`')}, or put the turns under one of these keys: {', '.join(TALKS)}",
    )


class First:
    """Says which items are among the first `limit`; the turns of a conversation count as one. None: all are."""

    def __init__(self, limit: int | None) -> None:
        self._limit, self._count = limit, 0
        self._last: str | None = None

    def takes(self, item: Item) -> bool:
        """Whether the next item is among them."""
        talk = item.conversation if item.turn is not None else None
        self._count += talk is None or talk != self._last
        self._last = talk
        return self._limit is None or self._count <= self._limit


def first_items(items: Iterable[Item], limit: int | None) -> Iterator[Item]:
    """The first `limit` items, or conversations with all their turns; None: all."""
    return itertools.takewhile(First(limit).takes, items)


def told_turns(turns: Sequence[Spoken], *, mark: bool = False) -> str:
    """Turns as text, each behind its heading; mark: name the turns that are judged.

    A line inside a turn that looks like a heading is quoted with ">", so that no turn can play another one.
    """
    return "\n\n".join(
        f"{turn.heading}{JUDGED_MARK if mark and turn.judged else ''}: {_HEADING.sub('> ', turn.text)}"
        for turn in turns
        if turn.text
    )


def why_unjudged(item: Item) -> str | None:
    """Why an item of a conversation cannot be judged, in words; None where it can, and for all other items."""
    keys = item.keys.get("response", ())
    if "response" in item.fields or item.rendered is not None or not keys or keys[-1] not in TALKS:
        return None
    return (
        "the conversation has no answer of the assistant"
        if item.turn is None
        else "this turn of the assistant says nothing"
    )
